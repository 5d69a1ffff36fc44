"""The stored text of a PDF page is PDFium's, index by index, in reading order."""

import io

import pypdf
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
import pytest
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject, TextStringObject

from ingest.cleaning import clean_document
from ingest.parse import parse_file
from ingest.pdf_text import load_page, load_textpage, page_text
from tests.pdf_makers import pdf_bytes, pdf_of_codes, rewritten, turned
from tests.pdf_makers import written as write

PARAGRAPH = (
    "This is an exam-\nple of hyphen-\nation. A second sentence, which is longer, wraps over "
    "several lines of the narrow page, as sentences do."
)


@pytest.fixture
def parse(tmp_path):
    def parse(data, name="file.pdf", passwords=(), limits=None):
        return parse_file(write(tmp_path, name, data), passwords, limits)

    return parse


def index_values(textpage):
    """PDFium's value of each character, without the tables that make text of them."""
    count = textpage.count_chars()
    return [pdfium_c.FPDFText_GetUnicode(textpage.raw, i) for i in range(count)]


@pytest.mark.parametrize(
    ("codes", "stored"),
    [
        (b"xAy", "x😀\u2060y"),  # a surrogate pair: two of PDFium's characters
        (b"AAA", "😀\u2060😀\u2060😀\u2060"),
        (b"xBy", "xffiy"),
        (b"xCy", "x\ufffdy"),  # a lone surrogate
        (b"xDy", "x\ufffdy"),  # NUL
        (b"xEy", "x\ufffdy"),  # U+0002 that is no hyphen at a line end
        (b"xFy", "x\x93y"),
        (b"xGy", "x\ufffdy"),
        (b"xHy", "x\xady"),
        (b"xIy", "x\x03y"),
        (b"xJy", "xfiy"),
        (b"DBAHCA", "\ufffdffi😀\u2060\xad\ufffd😀\u2060"),
    ],
)
def test_each_stored_character_is_pdfiums_character_of_that_index(parse, codes, stored):
    data = pdf_of_codes(
        codes,
        {
            b"A": b"D83DDE00",
            b"B": b"006600660069",
            b"C": b"D83D",
            b"D": b"0000",
            b"E": b"0002",
            b"F": b"0093",
            b"G": b"FFFE",
            b"H": b"00AD",
            b"I": b"0003",
            b"J": b"FB01",
        },
    )
    text = parse(data).pages[0].text
    assert text == stored + "\r\nnext"
    assert len(text) == pdfium.PdfDocument(data)[0].get_textpage().count_chars()
    text.encode()  # nothing that UTF-8 refuses


def test_a_word_divided_at_a_line_end_has_a_soft_hyphen_at_the_index_of_its_mark(parse):
    data = pdf_bytes(PARAGRAPH, width=60)
    document = parse(data)
    text = document.pages[0].text
    assert text.startswith("This is an exam\u00adple of hyphen\u00adation. A second sentence")
    textpage = pdfium.PdfDocument(data)[0].get_textpage()
    for index, value in enumerate(index_values(textpage)):
        assert ord(text[index]) == (0xAD if value == 2 else value)
    assert clean_document(document)[0].text == PARAGRAPH.replace("-\n", "")


def test_the_box_of_a_stored_offset_is_where_the_letter_stands(parse):
    data = pdf_bytes("first line\nsecond line with a Z in it")
    text = parse(data).pages[0].text
    textpage = pdfium.PdfDocument(data)[0].get_textpage()
    at_z, at_f = textpage.get_charbox(text.index("Z")), textpage.get_charbox(0)
    assert at_z[0] > at_f[0]
    assert at_z[3] < at_f[1]


def test_hebrew_is_stored_in_reading_order_and_its_boxes_run_to_the_left(parse):
    letters = {bytes([0x41 + i]): b"%04X" % (0x5D0 + i) for i in range(6)}
    data = pdf_of_codes(b"FED CBA", letters)  # printed from left to right
    text = parse(data).pages[0].text
    assert text.startswith("אבג דהו\r\n")
    textpage = load_textpage(load_page(pdfium.PdfDocument(data), 0))
    lefts = [textpage.get_charbox(i)[0] for i in range(7)]
    assert lefts == sorted(lefts, reverse=True)


@pytest.mark.parametrize("text_turn", [0, 90, 180, 270])
@pytest.mark.parametrize("page_turn", [0, 90, 180, 270])
def test_lines_are_in_order_however_text_and_page_are_turned(parse, text_turn, page_turn):
    import fpdf

    document = fpdf.FPDF(format=(200, 200))
    document.add_page()
    document.set_font("Helvetica", size=14)
    with document.rotation(text_turn, 100, 100):
        document.set_xy(30, 30)
        document.multi_cell(140, text="One two three four five six. " * 6)
    data = turned(bytes(document.output()), page_turn)
    words = parse(data).pages[0].text.split()
    assert words[:30] == ("One two three four five six. " * 5).split()
    page = load_page(pdfium.PdfDocument(data), 0)
    load_textpage(page)
    assert page.get_rotation() == page_turn


def test_what_is_filled_into_a_form_is_text_of_the_page(parse):
    def fill(writer):
        field = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Annot"),
                NameObject("/Subtype"): NameObject("/Widget"),
                NameObject("/FT"): NameObject("/Tx"),
                NameObject("/T"): TextStringObject("name"),
                NameObject("/DA"): TextStringObject("/Helv 12 Tf 0 g"),
                NameObject("/Rect"): ArrayObject([NumberObject(n) for n in (100, 700, 300, 720)]),
                NameObject("/F"): NumberObject(4),
            }
        )
        helvetica = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Font"),
                NameObject("/Subtype"): NameObject("/Type1"),
                NameObject("/BaseFont"): NameObject("/Helvetica"),
            }
        )
        fonts = DictionaryObject({NameObject("/Helv"): helvetica})
        reference = writer._add_object(field)
        writer.pages[0][NameObject("/Annots")] = ArrayObject([reference])
        writer.root_object[NameObject("/AcroForm")] = DictionaryObject(
            {
                NameObject("/Fields"): ArrayObject([reference]),
                NameObject("/DR"): DictionaryObject({NameObject("/Font"): fonts}),
            }
        )
        writer.update_page_form_field_values(writer.pages[0], {"name": "Ada Lovelace"})

    text = parse(rewritten(pdf_bytes("Name:"), fill)).pages[0].text
    assert text.split("\r\n") == ["Name:", "Ada Lovelace"]


def test_pypdf_and_pdfium_agree_on_a_plain_page(parse):
    data = pdf_bytes("Some plain words on one line")
    second = pypdf.PdfReader(io.BytesIO(data)).pages[0].extract_text()
    assert parse(data).pages[0].text == second.strip()
    assert page_text(load_textpage(load_page(pdfium.PdfDocument(data), 0))) == second.strip()
