"""EPUB: a page a spine item, labels, titles; damaged, protected and hostile books."""

import pytest

from armt_core.errors import LimitExceeded, ParseError
from ingest.limits import ParseLimits
from ingest.parse import parse_file
from tests.book_makers import chapter, epub_bytes, zipped
from tests.pdf_makers import written


@pytest.fixture
def parse(tmp_path):
    def parse(data, name="book.epub", **settings):
        return parse_file(written(tmp_path, name, data), **settings)

    return parse


def test_a_book_has_a_page_a_spine_item_labelled_with_the_chapter(parse):
    chapters = {
        "cover.xhtml": chapter('<img src="cover.png"/>'),
        "text/one%20a.xhtml": chapter("<h1>I</h1><p>The tide came in.</p>"),
        "text/two.xhtml": chapter("<p>And went on.</p>"),
        "text/three.xhtml": chapter("<h1>II</h1><p>It went out.</p>"),
    }
    contents = {
        "text/one%20a.xhtml#top": "1 &amp; Flood",
        "text/one%20a.xhtml#later": "1.1 Later",
        "text/three.xhtml": "2 <i>Ebb</i>",
    }
    document = parse(epub_bytes(chapters, contents=contents))
    assert (document.title, document.format) == ("A Book of Tides", "epub")
    assert [(p.number, p.label, p.text) for p in document.pages] == [
        (0, None, ""),
        (1, "1 & Flood", "I\n\nThe tide came in."),
        (2, "1 & Flood", "And went on."),
        (3, "2 Ebb", "II\n\nIt went out."),
    ]


def test_labels_come_from_the_older_table_too_and_else_from_headings(parse):
    chapters = {"a.xhtml": chapter("<h1>Head A</h1>x"), "b.xhtml": chapter("<h1>Head B</h1>y")}
    old = parse(epub_bytes(chapters, old_contents={"a.xhtml": "Part A", "b.xhtml#x": "Part B"}))
    assert [page.label for page in old.pages] == ["Part A", "Part B"]
    assert [page.label for page in parse(epub_bytes(chapters)).pages] == ["Head A", "Head B"]


def test_chapters_that_are_no_xml_are_read_as_html_and_entities_are_characters(parse):
    doctype = (
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" '
        '"http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">'
    )
    chapters = {
        "a.xhtml": b"<html><title/><p>caf\xe9 &nbsp;bar<br>unclosed",
        "b.xhtml": doctype + "<html><head><title/></head><body>caf&eacute;&#33;</body></html>",
    }
    texts = [page.text for page in parse(epub_bytes(chapters)).pages]
    assert texts == ["café \xa0bar\nunclosed", "café!"]


def test_the_title_is_the_stated_one_unless_it_is_none(parse):
    chapters = {"a.xhtml": chapter("x")}
    assert parse(epub_bytes(chapters, title="book.epub"), "tides.epub").title == "tides"


def test_what_is_no_epub_says_so(parse):
    good = epub_bytes({"a.xhtml": chapter("x")})
    cases = [
        (b"plain words", "it is no zip archive"),
        (good[:-30], "it is no zip archive"),
        (zipped({"mimetype": b"application/epub+zip"}), "no EPUB file, or damaged|cannot be read"),
        (zipped({"META-INF/container.xml": b"<container/>"}), "no EPUB file, or damaged"),
        (epub_bytes({}), "its spine is empty"),
        (epub_bytes({"a.xhtml": chapter("<img/>")}), "holds no text"),
    ]
    for data, words in cases:
        with pytest.raises(ParseError, match=words):
            parse(data)


def test_parts_that_are_missing_or_damaged_are_left_out_with_a_warning(parse, caplog):
    words = ("one " * 200, "two " * 200, "three")
    chapters = {f"{n}.xhtml": chapter(text) for n, text in enumerate(words)}
    book = epub_bytes(chapters, contents={"0.xhtml": "I", "1.xhtml": "II", "2.xhtml": "III"})
    place = book.index(b"OEBPS/1.xhtml") + 20
    damaged = book[:place] + b"\xff" * 8 + book[place + 8 :]
    # The archive then has a part of another name, in its directory and where the part stands.
    missing = book.replace(b"OEBPS/1.xhtml", b"OEBPS/x.xhtml")
    for data, why in ((damaged, ""), (missing, "it is not in the file")):
        caplog.clear()
        pages = parse(data).pages
        assert [(p.number, p.label, p.text) for p in pages] == [
            (0, "I", words[0].strip()),
            (1, "II", ""),
            (2, "III", "three"),
        ]
        assert "book.epub is damaged: 1 of its 3 parts cannot be read" in caplog.text
        assert f"part 'OEBPS/1.xhtml' cannot be read: {why}" in caplog.text


def test_a_book_of_which_no_part_can_be_read_is_refused(parse):
    book = epub_bytes({"a.xhtml": chapter("x"), "b.xhtml": chapter("<img/>")})
    lost = r"book\.epub is damaged, and nothing of it can be read: .*'OEBPS/a\.xhtml' .* not in"
    with pytest.raises(ParseError, match=lost):
        parse(book.replace(b"OEBPS/a.xhtml", b"OEBPS/x.xhtml"))


def test_xml_that_nests_too_deep_or_unpacks_to_too_much_is_refused_in_our_words(parse):
    deep = "<a>" * 300 + "</a>" * 300
    large = "x" * 11_000_000
    grown = f'<!DOCTYPE a [<!ENTITY a "{"b" * 1000}"><!ENTITY c "{"&a;" * 100}">'
    grown += f'<!ENTITY d "{"&c;" * 100}">]><container b="&d;"/>'
    for data in (deep, f"<a>{large}</a>", grown):
        with pytest.raises(ParseError) as refused:
            parse(zipped({"META-INF/container.xml": data}))
        assert str(refused.value) == (
            "book.epub is no EPUB file, or damaged: its XML unpacks to too much, or nests too deep"
        )


def test_a_protected_book_says_so_and_obfuscated_fonts_do_not_count(parse):
    def encryption(uri):
        return (
            '<encryption xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData>'
            f'<e:CipherData><e:CipherReference URI="{uri}"/></e:CipherData></e:EncryptedData>'
            "</encryption>"
        )

    chapters = {"a.xhtml": chapter("x")}
    with pytest.raises(ParseError, match="protected"):
        parse(epub_bytes(chapters, encryption=encryption("OEBPS/a.xhtml")))
    assert parse(epub_bytes(chapters, encryption=encryption("OEBPS/font.otf"))).pages


def test_bombs_and_endless_spines_are_refused(parse):
    data = epub_bytes({"a.xhtml": chapter("x" * 3_000_000)})
    with pytest.raises(LimitExceeded, match="2000000 are allowed"):
        parse(data, limits=ParseLimits(unpacked_bytes=2_000_000))
    with pytest.raises(LimitExceeded, match="more than the 1000 characters"):
        parse(data, limits=ParseLimits(characters=1000))
    many = epub_bytes({f"{i}.xhtml": chapter("x") for i in range(4)})
    with pytest.raises(LimitExceeded, match="has 4 pages; 3 are allowed"):
        parse(many, limits=ParseLimits(pages=3))


def test_entities_are_neither_expanded_nor_fetched(parse):
    bomb = '<!DOCTYPE html [<!ENTITY a "boom"><!ENTITY b SYSTEM "file:///etc/hostname">]>'
    page = bomb + "<html><body>&a; and &b;</body></html>"
    assert parse(epub_bytes({"a.xhtml": page})).pages[0].text == "&a; and &b;"


def test_names_that_lead_out_of_the_archive_lead_nowhere(parse, tmp_path):
    (tmp_path / "secret.xhtml").write_text("<p>secret</p>")
    with pytest.raises(ParseError, match="cannot be read"):
        parse(epub_bytes({"../secret.xhtml": b""}))
