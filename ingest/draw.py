"""A page as a picture, with a quote marked on it.

Runs in the calling process; `ParserPool.draw` of ingest.child runs it in one that can
be stopped, which is what files of strangers deserve.
"""

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image, ImageChops, ImageDraw
from PIL.PngImagePlugin import PngInfo

from armt_core.errors import NoPicture, QuoteNotSeen, UsageError
from ingest.pdf_open import open_pdf
from ingest.pdf_text import load_page, load_textpage

MOST_PIXELS = 40_000_000  # of a drawn page
_MARKER = (255, 230, 80)  # multiplied with the page, as a highlighter does: print stays dark
_PADDING = 1.0  # canvas units around a line
_MARGIN = 36.0  # points around the quote where a part of a page is drawn
_A4 = (595.0, 842.0)  # points
_TINY = 200.0  # points: a page is drawn larger if none of its sides is as long
_LARGE = 1500.0  # points: of a page with a side as long (A2, not A3) a part is drawn
_IS_PART = ("Comment", "part of a page")  # how the picture says that it is one

_Box = tuple[float, float, float, float]  # left, bottom, right, top in canvas units


def draw_page(
    path: Path,
    page: int,
    password: str | None = None,
    boxes_for: tuple[int, int] | None = None,
    scale: float = 2.0,
) -> bytes:
    """Page `page` (from 0) of a PDF as PNG bytes, `scale` pixels a point (1/72 inch).

    `boxes_for` = [start, end) of the page's stored text is marked, one box a line. A tiny page is
    drawn as large as A4 would be. Of a page much larger than A3 a part around the quote is drawn
    (see `is_part`), about as large as A4; without a quote it is drawn smaller than `scale` asks if
    it is huge. Raises UsageError for a page or offsets that do not exist, PasswordNeeded, NoPicture
    if PDFium cannot draw the page, or QuoteNotSeen if nothing is to be seen where the quote stands
    (outside of the page, white on white).
    """
    if scale <= 0:
        raise UsageError(f"scale must be above 0, not {scale}")
    with drawable(path, page, [password] if password else []) as pdf_page:
        boxes = quote_boxes(pdf_page, *boxes_for) if boxes_for else []
        left, top, right, bottom = part = _part(pdf_page, boxes)
        width, height = pdf_page.get_size()
        enlarged = _A4[1] / max(1.0, width, height) if max(width, height) < _TINY else 1.0
        bitmap = pdf_page.render(
            scale=fitting(right - left, bottom - top, scale * enlarged),
            crop=(left, height - bottom, width - right, top),
            rev_byteorder=True,
        )
        image = bitmap.to_pil().convert("RGB")
        if boxes_for is not None:
            position = bitmap.get_posconv(pdf_page)
            places = [_on_image(position, box, _PADDING / enlarged) for box in boxes]
            if not any(_is_printed(image, place) for place in places):
                raise QuoteNotSeen(f"page {page} of {path.name} does not show the quote when drawn")
            image = _mark(image, places)
    about = PngInfo()
    if part != (0, 0, width, height):
        about.add_text(*_IS_PART)
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=about)
    return out.getvalue()


def is_part(png: bytes) -> bool:
    """Whether `draw_page` drew a part of a page, not all of it."""
    # Not opened as a picture: that refuses those with a great many pixels.
    return "\0".join(_IS_PART).encode() in png[:200]


@contextmanager
def drawable(path: Path, page: int, passwords: Sequence[str]) -> Iterator[Any]:
    """The page as pypdfium2 has it.

    What PDFium raises inside is NoPicture outside; the rest as `draw_page` raises.
    """
    pdf = open_pdf(path, passwords)
    try:
        if not 0 <= page < len(pdf):
            raise UsageError(f"{path.name} has pages 0 to {len(pdf) - 1}, not {page}")
        yield load_page(pdf, page)
    except pdfium.PdfiumError as error:
        raise NoPicture(f"page {page} of {path.name} cannot be drawn: {error}") from error
    finally:
        pdf.close()


def fitting(width: float, height: float, scale: float) -> float:
    """At most `scale`: that at which so many points have at most MOST_PIXELS."""
    return min(scale, (MOST_PIXELS / max(1.0, width * height)) ** 0.5)


def _part(pdf_page: Any, boxes: Sequence[_Box]) -> _Box:
    """What is to be drawn of a page: left, top, right, bottom in points of the page as shown."""
    width, height = pdf_page.get_size()
    if not boxes or max(width, height) < _LARGE:
        return 0, 0, width, height
    shown = pdfium.PdfPosConv(pdf_page, (0, 0, math.ceil(width), math.ceil(height), 0))
    lefts, tops, rights, bottoms = zip(*(_on_image(shown, b, _MARGIN) for b in boxes), strict=True)
    left, right = _stretch(min(lefts), max(rights), _A4[0], width)
    top, bottom = _stretch(min(tops), max(bottoms), _A4[1], height)
    return left, top, right, bottom


def _stretch(start: float, end: float, least: float, size: float) -> tuple[float, float]:
    """[start, end) and as much on both sides as makes it `least` long, inside of [0, size)."""
    more = max(0.0, least - (end - start)) / 2
    start = max(0.0, min(start - more, size - least))
    return start, min(size, max(end + more, start + least))


def quote_boxes(pdf_page: Any, start: int, end: int) -> list[_Box]:
    """One box a line of text around the characters [start, end), in canvas units.

    A line that leaves a wide gap (another column, another cell) goes on in a new box.
    """
    textpage = load_textpage(pdf_page)
    if not 0 <= start < end <= textpage.count_chars():
        count = textpage.count_chars()
        raise UsageError(f"the page has {count} characters; [{start}, {end}) is not among them")
    boxes: list[_Box] = []
    last_turn = 0
    for index in range(start, end):
        left, bottom, right, top = textpage.get_charbox(index, loose=True)
        if right <= left or top <= bottom:
            continue  # a line end that PDFium made up
        box = (left, bottom, right, top)
        turn = round(pdfium_c.FPDFText_GetCharAngle(textpage, index) / (math.pi / 2)) % 2
        if boxes and turn == last_turn and _same_line(boxes[-1], box, turn):
            box = _around(boxes.pop(), box)
        boxes.append(box)
        last_turn = turn
    return boxes


def _same_line(line: _Box, box: _Box, turn: int) -> bool:
    """Do the two overlap across the line by half, and lie close to each other along it?

    `turn` is 0 for a line that runs along x, 1 for one that runs along y.
    """
    along, across = turn, 1 - turn
    overlap = min(line[across + 2], box[across + 2]) - max(line[across], box[across])
    size = min(line[across + 2] - line[across], box[across + 2] - box[across])
    gap = max(line[along], box[along]) - min(line[along + 2], box[along + 2])
    return overlap > 0.5 * size and gap < 1.5 * size


def _around(one: _Box, other: _Box) -> _Box:
    return (
        min(one[0], other[0]),
        min(one[1], other[1]),
        max(one[2], other[2]),
        max(one[3], other[3]),
    )


def _on_image(position: Any, box: _Box, padding: float) -> tuple[int, int, int, int]:
    """The box in pixels, whichever way the page is turned or cropped; padding: canvas units."""
    left, bottom, right, top = box
    ax, ay = position.to_bitmap(left - padding, bottom - padding)
    bx, by = position.to_bitmap(right + padding, top + padding)
    return min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)


def _is_printed(image: Image.Image, place: tuple[int, int, int, int]) -> bool:
    """Whether anything is to be seen there, of whatever colour."""
    left, top, right, bottom = place
    seen = (max(0, left), max(0, top), min(image.width, right), min(image.height, bottom))
    if seen[0] >= seen[2] or seen[1] >= seen[3]:
        return False
    darkest, lightest = image.crop(seen).convert("L").getextrema()
    return darkest != lightest


def _mark(image: Image.Image, boxes: list[tuple[int, int, int, int]]) -> Image.Image:
    layer = Image.new("RGB", image.size, "white")
    pen = ImageDraw.Draw(layer)
    for box in boxes:
        pen.rectangle(box, fill=_MARKER)
    return ImageChops.multiply(image, layer)
