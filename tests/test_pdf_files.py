"""PDF: titles, labels, passwords, pages without text; and which file is one."""

import fpdf
import pytest

from armt_core.errors import LimitExceeded, ParseError, PasswordNeeded, UnsupportedFormat
from ingest.limits import ParseLimits
from ingest.parse import SUPPORTED, parse_file
from ingest.parsed import legible_page
from ingest.titles import good_title
from storage.records import Page
from tests.pdf_makers import encrypted, pdf_by_hand, pdf_bytes, pdf_of_codes, rewritten
from tests.pdf_makers import written as write


@pytest.fixture
def parse(tmp_path):
    def parse(data, name="file.pdf", passwords=(), limits=None):
        return parse_file(write(tmp_path, name, data), passwords, limits)

    return parse


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
        ("Contents", None),
        ("Contents of the Ark", "Contents of the Ark"),
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


def test_a_page_on_which_no_text_is_drawn_needs_ocr_and_a_blank_one_does_not(parse):
    document = fpdf.FPDF()
    document.set_font("Helvetica", size=12)
    for draw in (
        lambda: document.cell(text="one"),
        lambda: None,
        lambda: document.rect(9, 9, 9, 9),
    ):
        document.add_page()
        draw()
    pages = parse(bytes(document.output())).pages
    assert [(p.text, p.needs_ocr) for p in pages] == [("one", False), ("", False), ("", True)]


@pytest.mark.parametrize(
    ("text", "drawn", "kept", "needs_ocr"),
    [
        ("\ufffd\ufffd\r\n\x07 \u2060", False, "", True),
        ("\xad\x01", True, "", True),
        (" \r\n", False, "", False),
        (" \r\n", True, "", True),
        ("\ufffd a\x07", True, "\ufffd a\x07", False),
        ("\ue000", True, "\ue000", False),  # of a font's own: it may be read by word search
    ],
)
def test_text_that_says_nothing_is_none_and_the_page_needs_ocr(text, drawn, kept, needs_ocr):
    page = legible_page(Page(3, "iv", text, needs_ocr=drawn))
    assert page == Page(3, "iv", kept, needs_ocr=needs_ocr)


def test_a_page_whose_font_gives_unknown_characters_alone_needs_ocr(parse):
    unknown = dict.fromkeys([b"a", b"b", b"n", b"e", b"x", b"t"], b"FFFD")
    assert parse(pdf_of_codes(b"abba", unknown)).pages == (Page(0, None, "", needs_ocr=True),)
    (page,) = parse(pdf_of_codes(b"abba", {b"a": b"FFFD", b"b": b"FFFD"})).pages
    assert page.text == "\ufffd\ufffd\ufffd\ufffd\r\nnext" and not page.needs_ocr


@pytest.mark.parametrize("kids", ["2 0 R", "3 0 R"])
def test_a_file_that_counts_pages_and_has_none_is_damaged(parse, kids):
    """A tree of pages that leads back to itself."""
    tree = f"<</Type/Pages/Kids[{kids}]/Count 1>>".encode()
    catalog = b"<</Type/Catalog/Pages 2 0 R>>"
    with pytest.raises(ParseError, match="damaged"):
        parse(pdf_by_hand([catalog, tree, b"<</Type/Pages/Kids[2 0 R]/Count 1/Parent 2 0 R>>"]))


@pytest.mark.parametrize("algorithm", ["RC4-40", "RC4-128", "AES-128", "AES-256"])
def test_an_encrypted_file_opens_with_one_of_the_passwords_given(parse, algorithm):
    data = encrypted(pdf_bytes("hidden words"), "grün", algorithm)
    assert parse(data, passwords=["wrong", "grün"]).pages[0].text == "hidden words"
    with pytest.raises(PasswordNeeded, match="the password given does not open it"):
        parse(data, passwords=["wrong"])
    with pytest.raises(PasswordNeeded, match="needs a password"):
        parse(data)


def test_a_file_with_an_owner_password_alone_opens_without(parse):
    def lock(writer):
        writer.encrypt("", "owner", algorithm="AES-256")

    assert parse(rewritten(pdf_bytes("open words"), lock)).pages[0].text == "open words"


def test_a_pdf_is_known_by_its_content_and_other_kinds_by_their_names(parse):
    data = pdf_bytes("text")
    assert parse(data, "file.bin").format == "pdf"
    assert parse(data, "file.txt").format == "pdf"
    assert parse(b"Look for %PDF- at the start.", "file.txt").format == "text"
    assert parse(b"# Title", "FILE.MD").format == "markdown"
    assert parse(b"log line", "file.log").format == "text"
    with pytest.raises(UnsupportedFormat, match=r"file\.xyz is not of a kind"):
        parse(b"PK\x03\x04", "file.xyz")
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
