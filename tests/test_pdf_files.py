"""PDF: text by PDFium's own character indices, titles, labels, passwords, damage."""

import io
import re

import pypdf
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
import pytest
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject, TextStringObject

from armt_core.errors import LimitExceeded, ParseError, PasswordNeeded, UnsupportedFormat
from ingest import pdf_files, pdf_open
from ingest.cleaning import clean_document
from ingest.limits import ParseLimits
from ingest.parse import SUPPORTED, parse_file
from ingest.pdf_files import good_title
from ingest.pdf_text import load_page, load_textpage, page_text
from tests.pdf_makers import encrypted, pdf_by_hand, pdf_bytes, pdf_of_codes, rewritten, turned
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


@pytest.mark.parametrize(
    ("given", "title"),
    [
        ("The Report of 2031", "The Report of 2031"),
        ("  Größe \n und  Maß ", "Größe und Maß"),
        ("Node.js in Practice", "Node.js in Practice"),
        ("Dr. No", "Dr. No"),
        ("", None),
        (None, None),
        ("2031", None),
        ("untitled", None),
        ("Untitled-3", None),
        ("Microsoft Word - draft v2.doc", None),
        ("PowerPoint Presentation", None),
        ("report_final(2).docx", None),
        ("C:\\docs\\a b.pdf", None),
        ("Document1", None),
        ("x" * 400, None),
    ],
)
def test_only_what_looks_like_a_title_is_taken_for_one(given, title):
    assert good_title(given) == title


def test_the_title_comes_from_the_metadata_and_else_from_the_name(parse):
    assert parse(pdf_bytes("text", title="A Good Title")).title == "A Good Title"
    assert parse(pdf_bytes("text", title="scan0001.pdf"), "annual report.pdf").title == (
        "annual report"
    )


def test_a_title_that_stands_in_xmp_alone_is_found(parse):
    xmp = (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        'rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title><rdf:Alt>'
        '<rdf:li xml:lang="x-default">Tides &amp; Winds</rdf:li></rdf:Alt></dc:title>'
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )

    def add(writer):
        writer.xmp_metadata = xmp.encode()

    assert parse(rewritten(pdf_bytes("text"), add)).title == "Tides & Winds"


def test_pages_have_the_labels_that_are_printed_on_them_or_none(parse):
    def label(writer):
        writer.set_page_label(0, 1, "/r", start=3)
        writer.set_page_label(2, 3, "/D", prefix="A-")

    pages = parse(rewritten(pdf_bytes("a", "b", "c", "d"), label)).pages
    assert [(page.number, page.label) for page in pages] == [
        (0, "iii"),
        (1, "iv"),
        (2, "A-1"),
        (3, "A-2"),
    ]
    assert [page.label for page in parse(pdf_bytes("a", "b")).pages] == [None, None]


def test_a_page_without_text_needs_ocr_and_the_others_do_not(parse):
    pages = parse(pdf_bytes("one", "", "three")).pages
    assert [(p.text, p.needs_ocr) for p in pages] == [
        ("one", False),
        ("", True),
        ("three", False),
    ]


@pytest.mark.parametrize("algorithm", ["RC4-40", "RC4-128", "AES-128", "AES-256"])
def test_an_encrypted_file_opens_with_one_of_the_passwords_given(parse, algorithm):
    data = encrypted(pdf_bytes("hidden words"), "grün", algorithm)
    assert parse(data, passwords=["wrong", "grün"]).pages[0].text == "hidden words"
    with pytest.raises(PasswordNeeded, match="none of the 1 passwords"):
        parse(data, passwords=["wrong"])
    with pytest.raises(PasswordNeeded, match="needs a password"):
        parse(data)


def test_a_file_with_an_owner_password_alone_opens_without(parse):
    def lock(writer):
        writer.encrypt("", "owner", algorithm="AES-256")

    assert parse(rewritten(pdf_bytes("open words"), lock)).pages[0].text == "open words"


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: b"junk\r\n" * 50 + data,
        lambda data: data[: data.rindex(b"xref")],
        lambda data: data[:-200],
        lambda data: data[:-40],
        lambda data: data[: data.rindex(b"trailer") - 30],
        lambda data: data.replace(b"startxref", b"startxxxx"),
        lambda data: data.replace(b"xref\n0", b"xref\n9"),
        lambda data: data + b"\0" * 3000,
    ],
    ids=[
        "junk before",
        "no xref",
        "half a trailer",
        "no end",
        "half an xref",
        "no startxref",
        "wrong xref",
        "junk after",
    ],
)
def test_a_damaged_file_is_read_as_far_as_it_goes(parse, harm):
    pages = parse(harm(pdf_bytes("first page", "second page"))).pages
    assert [page.text for page in pages] == ["first page", "second page"]


def test_of_a_file_that_was_cut_short_the_pages_that_are_left_are_read(parse):
    data = rewritten(pdf_bytes("first page", "second page", "third page"))
    start_of_last = [found.start() for found in re.finditer(rb"\d+ 0 obj", data)][-4]
    pages = parse(data[:start_of_last]).pages
    assert len(pages) == 3
    assert pages[0].text == "first page"
    lost = [page for page in pages if not page.text]
    assert lost
    assert all(page.needs_ocr for page in lost)


def test_what_pdfium_refuses_pypdf_reads(parse, monkeypatch):
    def label(writer):
        writer.set_page_label(0, 1, "/R")

    def refuse(*_, **__):
        raise pdfium.PdfiumError("refused", err_code=3)

    data = rewritten(pdf_bytes("first page", "second page", title="A Title"), label)
    monkeypatch.setattr(pdf_open.pdfium, "PdfDocument", refuse)
    document = parse(data)
    assert document.title == "A Title"
    assert [(p.label, p.text.strip()) for p in document.pages] == [
        ("I", "first page"),
        ("II", "second page"),
    ]
    with pytest.raises(PasswordNeeded):
        parse(encrypted(data, "secret"))
    assert parse(encrypted(data, "secret"), passwords=["secret"]).pages[1].label == "II"


def test_a_page_that_pdfium_refuses_is_read_by_pypdf(parse, monkeypatch):
    def refuse_second(pdf, number):
        if number == 1:
            raise pdfium.PdfiumError("page refused")
        return load_page(pdf, number)

    monkeypatch.setattr(pdf_files, "load_page", refuse_second)
    texts = [page.text.strip() for page in parse(pdf_bytes("one", "two", "three")).pages]
    assert texts == ["one", "two", "three"]


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\n" + b"garbage " * 100,
        pdf_by_hand([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>"]),
        b"no pdf at all, whatever its name says",
    ],
    ids=["garbage", "no pages", "text"],
)
def test_a_file_without_a_page_that_can_be_read_is_refused(parse, data):
    with pytest.raises(ParseError, match="damaged or has no pages"):
        parse(data)


def test_a_pdf_is_known_by_its_content_and_other_kinds_by_their_names(parse):
    data = pdf_bytes("text")
    assert parse(data, "file.bin").format == "pdf"
    assert parse(data, "file.txt").format == "pdf"
    assert parse(b"Look for %PDF- at the start.", "file.txt").format == "text"
    assert parse(b"# Title", "FILE.MD").format == "markdown"
    assert parse(b"log line", "file.log").format == "text"
    with pytest.raises(UnsupportedFormat, match=r"file\.docx is not of a kind"):
        parse(b"PK\x03\x04", "file.docx")
    with pytest.raises(ParseError, match="empty"):
        parse(b"", "file.docx")
    assert {".pdf", ".txt", ".md"} <= SUPPORTED


def test_limits_are_kept(parse):
    data = pdf_bytes("one", "two", "three")
    with pytest.raises(LimitExceeded, match="3 pages; 2 are allowed"):
        parse(data, limits=ParseLimits(pages=2))
    with pytest.raises(LimitExceeded, match="more than the 5 characters"):
        parse(data, limits=ParseLimits(characters=5))
    with pytest.raises(LimitExceeded, match="12 characters; 5 are allowed"):
        parse(b"twelve chars", "file.txt", limits=ParseLimits(characters=5))
    with pytest.raises(LimitExceeded, match="bytes; 100 are allowed"):
        parse(data, limits=ParseLimits(file_bytes=100))
    assert len(parse(data, limits=ParseLimits(pages=3)).pages) == 3


def test_pypdf_and_pdfium_agree_on_a_plain_page(parse):
    data = pdf_bytes("Some plain words on one line")
    second = pypdf.PdfReader(io.BytesIO(data)).pages[0].extract_text()
    assert parse(data).pages[0].text == second.strip()
    assert page_text(load_textpage(load_page(pdfium.PdfDocument(data), 0))) == second.strip()
