"""A page as a picture, with the quote marked where it stands."""

import io
import itertools

import fpdf
import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageChops

from armt_core.errors import NoPicture, ParseError, PasswordNeeded, UsageError
from ingest.draw import draw_page, quote_boxes
from ingest.parse import parse_file
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
    with pytest.raises(NoPicture, match="does not show the quote"):
        draw_page(path, 0, boxes_for=(0, 10))
    draw_page(written(tmp_path, "b.pdf", one_page()), 0, boxes_for=(0, 10))
