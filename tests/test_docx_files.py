"""DOCX: text, lists, tables, notes and titles; damaged, encrypted and hostile files."""

import pytest

from armt_core.errors import LimitExceeded, ParseError
from ingest.limits import ParseLimits
from ingest.parse import parse_file
from tests.book_makers import docx_bytes, paragraph, word_table, zipped
from tests.pdf_makers import written


@pytest.fixture
def parse(tmp_path):
    def parse(data, name="letter.docx", **settings):
        return parse_file(written(tmp_path, name, data), **settings)

    return parse


def test_a_letter_is_one_page_of_its_paragraphs_headings_and_tables(parse):
    body = (
        paragraph("The Lease", "Heading1")
        + paragraph("It ends in May.")
        + word_table([["Year", "Rent"], ["2024", "1,200 €"]])
        + paragraph("Signed &amp; sealed.")
    )
    document = parse(docx_bytes(body, title="Lease of the Mill"))
    assert (document.title, document.format) == ("Lease of the Mill", "docx")
    assert [(page.number, page.label) for page in document.pages] == [(0, None)]
    assert document.pages[0].text == (
        "The Lease\n\nIt ends in May.\n\nYear\tRent\n2024\t1,200 €\n\nSigned & sealed."
    )


def test_the_title_is_the_stated_one_else_the_first_heading_else_the_files_name(parse):
    heading = paragraph("On Mills", "Heading1") + paragraph("x")
    assert parse(docx_bytes(heading, title="Document1")).title == "On Mills"
    assert parse(docx_bytes(paragraph("x"))).title == "letter"


def test_deleted_and_hidden_text_is_left_out_and_inserted_text_is_in(parse):
    body = (
        "<w:p><w:r><w:t>kept</w:t></w:r>"
        "<w:del><w:r><w:delText> deleted</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t> inserted</w:t></w:r></w:ins></w:p>"
        + paragraph("hidden", properties="<w:vanish/>")
        + paragraph("shown", properties='<w:vanish w:val="0"/>')
    )
    assert parse(docx_bytes(body)).pages[0].text == "kept inserted\n\nshown"


def test_lists_and_notes_are_readable(parse):
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    item = '<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr></w:pPr>'
    body = (
        f"{item}<w:r><w:t>first</w:t></w:r></w:p>{item}<w:r><w:t>second</w:t></w:r></w:p>"
        '<w:p><w:r><w:t>So it is said</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
    )
    numbering = (
        f'<w:numbering xmlns:w="{word}"><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0">'
        '<w:numFmt w:val="decimal"/></w:lvl></w:abstractNum><w:num w:numId="1">'
        '<w:abstractNumId w:val="0"/></w:num></w:numbering>'
    )
    notes = (
        f'<w:footnotes xmlns:w="{word}"><w:footnote w:id="2">{paragraph("By whom?")}'
        "</w:footnote></w:footnotes>"
    )
    text = parse(docx_bytes(body, numbering=numbering, footnotes=notes)).pages[0].text
    assert text == "1. first\n2. second\n\nSo it is said[1]\n\n1. By whom?"


def test_what_is_no_docx_says_so(parse):
    cases = [
        (b"PK\x03\x04 and nothing", "it is no zip archive"),
        (b"plain words", "it is no zip archive"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"x" * 600, "encrypted, or of a kind older"),
        (zipped({"a.txt": b"x"}), "a zip archive, but no DOCX file"),
        (zipped({"[Content_Types].xml": b"<Types/>"}), "no DOCX file, or damaged"),
        (docx_bytes("<w:p>"), "no DOCX file, or damaged"),
        (docx_bytes(""), "holds no text"),
        (docx_bytes(paragraph("x"))[:-60], "it is no zip archive"),
    ]
    for data, words in cases:
        with pytest.raises(ParseError, match=words):
            parse(data)


def test_bombs_of_zip_and_of_entities_are_refused(parse):
    bomb = zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b" " * 3_000_000})
    with pytest.raises(LimitExceeded, match="unpacks to 3000008 bytes; 2000000 are allowed"):
        parse(bomb, limits=ParseLimits(unpacked_bytes=2_000_000))
    entities = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    for old, new in zip("abcdefgh", "bcdefghi", strict=True):
        entities += f'<!ENTITY {new} "{f"&{old};" * 10}">'
    with pytest.raises(ParseError, match="unpacks to too much, or nests too deep"):
        parse(docx_bytes(paragraph("&i;"), prolog=entities + "]>"))
    outside = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    with pytest.raises(ParseError, match="defines entities"):
        parse(docx_bytes(paragraph("&a;"), prolog=outside))


def test_absurd_nesting_is_refused(parse):
    deep = '<w:r><mc:x xmlns:mc="m">' * 5000 + "</mc:x></w:r>" * 5000
    with pytest.raises(ParseError, match="or damaged"):
        parse(docx_bytes(f"<w:p>{deep}</w:p>"))


def test_a_link_or_picture_whose_target_is_missing_loses_no_text(parse):
    link = '<w:p><w:hyperlink r:id="r7"><w:r><w:t>the mill</w:t></w:r></w:hyperlink></w:p>'
    assert parse(docx_bytes(link)).pages[0].text == "the mill"


def test_a_picture_elsewhere_is_not_fetched_and_the_text_goes_in(parse):
    """A test that reaches for the network fails (conftest.py)."""
    drawing = (
        '<w:p><w:r><w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/'
        '2006/wordprocessingDrawing"><a:graphic xmlns:a="http://schemas.openxmlformats.org/'
        'drawingml/2006/main"><a:graphicData><pic:pic xmlns:pic="http://schemas.openxmlformats.org'
        '/drawingml/2006/picture"><pic:blipFill><a:blip r:link="r9"/></pic:blipFill></pic:pic>'
        "</a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>"
    )
    data = docx_bytes(drawing + paragraph("The text."))
    assert parse(data).pages[0].text == "The text."
