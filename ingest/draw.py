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

from armt_core.errors import NoPicture, UsageError
from ingest.pdf_open import open_pdf
from ingest.pdf_text import load_page, load_textpage

MOST_PIXELS = 40_000_000  # of a drawn page
_MARKER = (255, 230, 80)  # multiplied with the page, as a highlighter does: print stays dark
_PADDING = 1.0  # canvas units around a line

_Box = tuple[float, float, float, float]  # left, bottom, right, top in canvas units


def draw_page(
    path: Path,
    page: int,
    password: str | None = None,
    boxes_for: tuple[int, int] | None = None,
    scale: float = 2.0,
) -> bytes:
    """Page `page` (from 0) of a PDF as PNG bytes, `scale` pixels a point (1/72 inch).

    `boxes_for` = [start, end) of the page's stored text is marked, one box a line. A huge
    page is drawn smaller than `scale` asks. Raises UsageError for a page or offsets that do
    not exist, PasswordNeeded, or NoPicture if PDFium cannot draw the page, or nothing is to be
    seen where the quote stands (outside of the page, white on white).
    """
    if scale <= 0:
        raise UsageError(f"scale must be above 0, not {scale}")
    with drawable(path, page, [password] if password else [], scale) as (pdf_page, fitting):
        bitmap = pdf_page.render(scale=fitting, rev_byteorder=True)
        image = bitmap.to_pil().convert("RGB")
        if boxes_for is not None:
            position = bitmap.get_posconv(pdf_page)
            boxes = quote_boxes(pdf_page, *boxes_for)
            places = [_on_image(position, box) for box in boxes]
            if not any(_is_printed(image, place) for place in places):
                raise NoPicture(f"page {page} of {path.name} does not show the quote when drawn")
            image = _mark(image, places)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@contextmanager
def drawable(
    path: Path, page: int, passwords: Sequence[str], scale: float
) -> Iterator[tuple[Any, float]]:
    """The page as pypdfium2 has it, and the scale at which it has at most MOST_PIXELS.

    What PDFium raises inside is NoPicture outside; the rest as `draw_page` raises.
    """
    pdf = open_pdf(path, passwords)
    try:
        if not 0 <= page < len(pdf):
            raise UsageError(f"{path.name} has pages 0 to {len(pdf) - 1}, not {page}")
        pdf_page = load_page(pdf, page)
        width, height = pdf_page.get_size()
        yield pdf_page, min(scale, (MOST_PIXELS / max(1.0, width * height)) ** 0.5)
    except pdfium.PdfiumError as error:
        raise NoPicture(f"page {page} of {path.name} cannot be drawn: {error}") from error
    finally:
        pdf.close()


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


def _on_image(position: Any, box: _Box) -> tuple[int, int, int, int]:
    """The box in pixels, whichever way the page is turned or cropped."""
    left, bottom, right, top = box
    ax, ay = position.to_bitmap(left - _PADDING, bottom - _PADDING)
    bx, by = position.to_bitmap(right + _PADDING, top + _PADDING)
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
