"""A page as a picture, with the quote marked where it stands."""

import io
import itertools
from types import SimpleNamespace

import fpdf
import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageChops

from app.results import Citation
from app.service import Service
from armt_core.errors import ParseError, PasswordNeeded, QuoteNotSeen, UsageError
from ingest.draw import draw_page, is_part, quote_boxes
from ingest.parse import parse_file
from storage.records import Page
from tests.hostile_pdfs import SHOWN, one_page
from tests.pdf_makers import encrypted, pdf_bytes, turned, written

TEXT = "Alpha beta gamma.\n\nThe quoted words stand here, in this line.\n\nOmega."
MARKER = (255, 230, 80)


def picture(*args, **kwargs):
    return Image.open(io.BytesIO(draw_page(*args, **kwargs))).convert("RGB")


def marked_area(image):
    """The box of all pixels in exactly the colour of the marker, and their share of it."""
    flat = Image.new("RGB", image.size, MARKER)
    same = ImageChops.difference(image, flat).convert("L").point(lambda v: 255 * (v == 0))
    box = same.getbbox()
    assert box is not None, "nothing is marked"
    return box, same.crop(box).histogram()[255] / ((box[2] - box[0]) * (box[3] - box[1]))


def dark_pixels(image, box):
    return sum(image.crop(box).convert("L").histogram()[:100])


def test_a_page_is_drawn_at_the_scale_asked_for(tmp_path):
    path = written(tmp_path, "a.pdf", pdf_bytes(TEXT))
    assert picture(path, 0, scale=1.0).size == (596, 842)
    assert picture(path, 0, scale=2.0).size == (1191, 1684)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [None, (20, 300, 400, 830)])
def test_the_quote_is_marked_where_it_stands(tmp_path, degrees, crop):
    """Within the marked box the page has the ink of the quote and no other."""
    path = written(tmp_path, "a.pdf", turned(pdf_bytes(TEXT), degrees, crop))
    text = parse_file(path).pages[0].text
    start = text.index("quoted words")
    plain = picture(path, 0)
    marked = picture(path, 0, boxes_for=(start, start + len("quoted words")))
    box, share = marked_area(marked)
    assert share > 0.5  # one solid box, but for the print
    only = tmp_path / "only.pdf"
    only.write_bytes(turned(pdf_bytes("quoted words"), degrees))
    whole = picture(only, 0)
    ink_of_quote = dark_pixels(whole, (0, 0, *whole.size))
    assert dark_pixels(plain, box) == pytest.approx(ink_of_quote, rel=0.1)
    outside = ImageChops.difference(plain, marked).getbbox()
    assert outside is not None
    assert all(abs(a - b) <= 1 for a, b in zip(outside, box, strict=True))
    long_side, short_side = sorted((box[2] - box[0], box[3] - box[1]), reverse=True)
    assert long_side > 3 * short_side
    assert (box[2] - box[0] == long_side) == (degrees in (0, 180))


def test_a_quote_over_lines_has_one_box_a_line(tmp_path):
    path = written(tmp_path, "a.pdf", pdf_bytes("one two three four five six. " * 20, width=80))
    text = parse_file(path).pages[0].text
    start, end = text.index("two"), text.index("two") + 200
    page = pdfium.PdfDocument(path)[0]
    boxes = quote_boxes(page, start, end)
    assert len(boxes) == text[start:end].count("\r\n") + 1
    assert all(upper[1] > lower[1] for upper, lower in itertools.pairwise(boxes))
    letters = [page.get_textpage().get_charbox(i) for i in range(start, end)]
    inside = [
        any(b[0] <= c[0] and c[2] <= b[2] and b[1] <= c[1] and c[3] <= b[3] for b in boxes)
        for c, letter in zip(letters, text[start:end], strict=True)
        if not letter.isspace()
    ]
    assert sum(inside) == len(inside)


def test_columns_and_turned_text_get_boxes_of_their_own(tmp_path):
    document = fpdf.FPDF(format=(200, 200))
    document.add_page()
    document.set_font("Helvetica", size=14)
    document.text(20, 20, "left words")
    document.text(140, 20, "right words")
    with document.rotation(90, 100, 150):
        document.text(100, 150, "upwards")
    path = written(tmp_path, "a.pdf", bytes(document.output()))
    text = parse_file(path).pages[0].text
    boxes = quote_boxes(pdfium.PdfDocument(path)[0], 0, len(text))
    assert len(boxes) == 3
    widths = [right - left for left, _, right, _ in boxes]
    heights = [top - bottom for _, bottom, _, top in boxes]
    assert widths[0] > 2 * heights[0]
    assert widths[1] > 2 * heights[1]
    assert heights[2] > 2 * widths[2]


def test_a_huge_page_is_drawn_smaller(tmp_path):
    document = fpdf.FPDF(format=(5000, 5000))
    document.add_page()
    path = written(tmp_path, "a.pdf", bytes(document.output()))
    width, height = picture(path, 0, scale=4.0).size
    assert 30_000_000 < width * height <= 40_500_000


def sheet(folder, width, height, x, y, size=12):
    """A page of so many points that says "Quoted words here." at (x, y) from its upper left."""
    document = fpdf.FPDF(format=(width, height), unit="pt")
    document.set_font("Helvetica", size=size)
    document.add_page()
    document.text(x, y, "Quoted words here.")
    return written(folder, "sheet.pdf", bytes(document.output()))


QUOTED = (0, len("Quoted words"))


@pytest.mark.parametrize("degrees", [0, 90])
@pytest.mark.parametrize(("x", "y"), [(1200, 1700), (1, 12), (2270, 3365)])
def test_of_a_poster_the_part_with_the_quote_is_drawn_as_large_as_a4(tmp_path, degrees, x, y):
    small = picture(sheet(tmp_path, 595, 842, 100, 100), 0, boxes_for=QUOTED)
    on_a4, _ = marked_area(small)
    path = sheet(tmp_path, 2384, 3370, x, y)
    path.write_bytes(turned(path.read_bytes(), degrees))
    image = picture(path, 0, boxes_for=QUOTED)
    assert all(abs(a - b) <= 2 for a, b in zip(image.size, (1190, 1684), strict=True))
    box, share = marked_area(image)
    assert share > 0.5
    assert dark_pixels(image, box) == pytest.approx(dark_pixels(small, on_a4), rel=0.1)
    expected = (on_a4[2] - on_a4[0], on_a4[3] - on_a4[1])
    size = (box[2] - box[0], box[3] - box[1])
    if degrees == 90:
        size = size[::-1]
    assert size == pytest.approx(expected, abs=2)
    if x == 1200:  # far from the edges it stands in the middle
        assert box[0] + box[2] == pytest.approx(1190, abs=8)
        assert box[1] + box[3] == pytest.approx(1684, abs=8)


def test_the_part_of_a_page_holds_a_quote_larger_than_a4_and_says_that_it_is_one(tmp_path):
    path = sheet(tmp_path, 2384, 3370, 100, 600, size=200)
    drawn = draw_page(path, 0, boxes_for=QUOTED, scale=1.0)
    image = Image.open(io.BytesIO(drawn)).convert("RGB")
    box, _ = marked_area(image)
    assert 1100 < box[2] - box[0] < 1250
    assert image.width == pytest.approx(box[2] - box[0] + 70, abs=2) and image.height == 842
    whole = draw_page(path, 0, scale=1.0)
    ink = dark_pixels(Image.open(io.BytesIO(whole)), (0, 0, 100 + box[2] - box[0], 700))
    assert dark_pixels(image, box) == pytest.approx(ink, rel=0.02)
    assert is_part(drawn) and not is_part(whole)


def test_a_page_up_to_a3_is_drawn_whole(tmp_path):
    drawn = draw_page(sheet(tmp_path, 842, 1191, 700, 1100), 0, boxes_for=QUOTED)
    assert Image.open(io.BytesIO(drawn)).size == (1684, 2382) and not is_part(drawn)


def test_a_tiny_page_is_drawn_as_large_as_a4(tmp_path):
    """2 mm wide, and its letters a thirtieth of those of 12 points on a sheet 30 times as large."""
    image = picture(sheet(tmp_path, 6, 6, 1, 3, size=0.4), 0, boxes_for=QUOTED)
    large = picture(
        sheet(tmp_path, 842, 842, 842 / 6, 421, size=0.4 * 842 / 6), 0, boxes_for=QUOTED
    )
    assert image.size == (1684, 1684) == large.size
    (box, share), (expected, _) = marked_area(image), marked_area(large)
    assert share > 0.5 and all(abs(a - b) <= 3 for a, b in zip(box, expected, strict=True))
    assert dark_pixels(image, box) == pytest.approx(dark_pixels(large, expected), rel=0.05)


def test_a_locked_page_is_drawn_with_its_password(tmp_path):
    path = written(tmp_path, "a.pdf", encrypted(pdf_bytes(TEXT), "secret"))
    assert picture(path, 0, "secret", scale=1.0).size == (596, 842)
    with pytest.raises(PasswordNeeded):
        draw_page(path, 0)


def test_what_cannot_be_drawn_is_refused_with_words(tmp_path):
    path = written(tmp_path, "a.pdf", pdf_bytes("words"))
    with pytest.raises(UsageError, match="has pages 0 to 0, not 1"):
        draw_page(path, 1)
    with pytest.raises(UsageError, match=r"the page has 5 characters; \[3, 9\)"):
        draw_page(path, 0, boxes_for=(3, 9))
    with pytest.raises(UsageError, match="scale must be above 0"):
        draw_page(path, 0, scale=0)
    with pytest.raises(ParseError, match=r"b\.md cannot be opened"):
        draw_page(written(tmp_path, "b.md", b"# Title"), 0)


@pytest.mark.parametrize(
    ("content", "of_page"),
    [
        (b"BT 1 g /F1 12 Tf 50 300 Td (some words) Tj ET", b""),  # white on white
        (SHOWN, b"/CropBox[200 0 400 100]"),  # the page ends before it
        (SHOWN, b"/CropBox[0 0 1 1]"),
    ],
)
def test_a_page_on_which_the_quote_is_not_to_be_seen_is_not_drawn(tmp_path, content, of_page):
    path = written(tmp_path, "a.pdf", one_page(content, of_page=of_page))
    assert parse_file(path).pages[0].text.strip() == "some words"
    draw_page(path, 0)
    with pytest.raises(QuoteNotSeen, match="does not show the quote"):
        draw_page(path, 0, boxes_for=(0, 10))
    draw_page(written(tmp_path, "b.pdf", one_page()), 0, boxes_for=(0, 10))


def test_the_page_says_why_it_shows_text_and_no_picture(tmp_path):
    white = one_page(b"BT 1 g /F1 12 Tf 50 300 Td (some words) Tj ET")
    files = {"white": white, "locked": encrypted(one_page(), "secret"), "harmed": b"%PDF-1.4 no"}
    library = SimpleNamespace(
        document=lambda name: SimpleNamespace(title=name, format="pdf", sha256=name),
        page=lambda name, number: Page(number, None, "some words"),
        original_path=lambda sha256: written(tmp_path, sha256, files[sha256]),
    )
    with Service(SimpleNamespace(library=library)) as service:
        said = {
            name: service.drawn(Citation(name, name, 0, None, 0, 4, "some", 1, 0.5))
            for name in files
        }
    assert said == {
        "white": (None, "the quote is not to be seen on it: white, covered or off the page"),
        "locked": (None, "its file asks for a password, which is never kept"),
        "harmed": (None, "its file is damaged there"),
    }
