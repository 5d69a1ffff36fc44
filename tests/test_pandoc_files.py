"""What pandoc reads: text, titles, what it would lose; damaged and hostile files; its absence."""

import json
import re
import subprocess
import sys
import time

import psutil
import pytest

from armt_core.errors import LimitExceeded, ParseError, UnsupportedFormat
from ingest.child import ParserPool
from ingest.files import find_files
from ingest.limits import ParseLimits
from ingest.pandoc_files import PACKAGE, PANDOC_FORMATS, _program
from ingest.parse import SUPPORTED, parse_file
from ingest.pipeline import ingest_paths
from storage.library import Library
from tests.book_makers import zipped
from tests.pdf_makers import written

LEASE = """---
title: The Café Lease
---

# The Mill

Crème brûlée is served in May.

- one
- two

| Year | Rent    |
|------|---------|
| 2024 | 1,200 € |

So it is said.[^1]

[^1]: By whom?
"""
WRITTEN_AS = {"tex": "latex"}
OFFICE = "urn:oasis:names:tc:opendocument:xmlns:"
ENDLESS = b"\\def\\a{x\\a x\\a}\\a"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The lease in every format, by suffix, as pandoc writes it."""
    folder = tmp_path_factory.mktemp("made")
    source = written(folder, "lease.md", LEASE.encode())
    files = {kind: folder / f"lease.{kind}" for kind in sorted(PANDOC_FORMATS)}
    for kind, path in files.items():
        to = WRITTEN_AS.get(kind, kind)
        command = [_program(), "--standalone", f"--to={to}", f"--output={path}", source]
        subprocess.run(command, check=True, timeout=60)
    return files


@pytest.fixture
def parse(tmp_path):
    def parse(data, name, **settings):
        return parse_file(written(tmp_path, name, data), **settings)

    return parse


def odt_bytes(body, meta="", **others):
    """`body` and `meta` are XML with the prefixes text, draw, table, office and dc."""
    names = {"text": "text", "draw": "drawing", "table": "table", "office": "office"}
    spaces = " ".join(f'xmlns:{name}="{OFFICE}{full}:1.0"' for name, full in names.items())
    spaces += ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
    content = f"<office:body><office:text>{body}</office:text></office:body>"
    parts = {
        "content.xml": f"<office:document-content {spaces}>{content}</office:document-content>",
        "meta.xml": f"<office:document-meta {spaces}><office:meta>{meta}</office:meta>"
        "</office:document-meta>",
        "styles.xml": f"<office:document-styles {spaces}><office:font-face-decls/>"
        "<office:styles/></office:document-styles>",
    }
    return zipped(parts | others)


def rtf_bytes(text, page=1252):
    fonts = r"{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Arial CYR;}}"
    return rf"{{\rtf1\ansi\ansicpg{page}{fonts}\f0 {text}}}".encode("latin-1")


@pytest.mark.parametrize("kind", ["odt", "org", "tex"])
def test_paragraphs_headings_lists_tables_and_notes_become_lines_of_text(made, kind):
    document = parse_file(made[kind])
    assert (document.title, document.format) == ("The Café Lease", kind)
    assert [(page.number, page.label) for page in document.pages] == [(0, None)]
    assert document.pages[0].text == (
        "The Café Lease\n\nThe Mill\n\nCrème brûlée is served in May.\n\n- one\n- two\n\n"
        "Year\tRent\n2024\t1,200 €\n\nSo it is said.[1]\n\n1. By whom?"
    )


def test_a_notebook_has_its_cells_and_what_they_gave(parse, made):
    assert "- one\n- two\n\nYear\tRent\n2024\t1,200 €" in parse_file(made["ipynb"]).pages[0].text
    output = {"output_type": "stream", "name": "stdout", "text": ["42 boats\n"]}
    code = {"cell_type": "code", "source": ["count(  'é' )\n", "# end"], "metadata": {},
            "outputs": [output], "execution_count": 1}  # fmt: skip
    words = {"cell_type": "markdown", "source": ["# Boats\n", "Counted."], "metadata": {}}
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [words, code]}
    document = parse(json.dumps(book).encode(), "boats.ipynb")
    assert document.title == "Boats"
    assert document.pages[0].text == "Boats\n\nCounted.\n\ncount(  'é' )\n# end\n\n42 boats"


def test_of_a_presentation_each_slide_is_a_page_and_split_words_are_whole(made):
    document = parse_file(made["pptx"])
    assert (document.title, document.pages[0].text) == ("The Café Lease", "The Café Lease")
    assert [page.number for page in document.pages] == list(range(len(document.pages)))
    assert document.pages[1].text.startswith("The Mill\n\nCrème brûlée is served in May.")
    assert "Year\tRent\n2024\t1,200 €" in document.pages[1].text


def test_a_fiction_book_in_another_encoding_is_read_and_its_pictures_are_left(parse, made):
    document = parse_file(made["fb2"])
    assert document.title == "The Café Lease"
    assert "\n\nYear Rent\n\n2024 1,200 €\n\nSo it is said.[1]" in document.pages[0].text
    space = 'xmlns="http://www.gribuser.ru/xml/fictionbook/2.0"'
    book = (
        f'<?xml version="1.0" encoding="windows-1251"?><FictionBook {space}><description>'
        "<title-info><book-title>Чайка</book-title></title-info></description><body><section>"
        "<title><p>Глава</p></title><p>Море было тихо.</p></section></body>"
        "<binary id='a.jpg' content-type='image/jpeg'>AAAA</binary></FictionBook>"
    )
    document = parse(book.encode("cp1251"), "book.fb2")
    assert (document.title, document.pages[0].text) == ("Чайка", "Глава\n\nМоре было тихо.")


def test_rtf_is_read_in_its_code_pages_without_losing_letters(parse, made):
    assert "Crème brûlée is served in May." in parse_file(made["rtf"]).pages[0].text
    cases = [
        (r"\u1055?x y", "Пx y"),
        (r"\uc2\u1055 ??a{\uc0\u1056 b}\u1057 ??c\uc1", "ПaРbСc"),
        (r"\b\u1055\'cf\b0  \'e9t\'e9", "П été"),
        (r"{\f1\'cf\'f0} \'cf", "Пр Ï"),
        (r"\u-10179?\u-8704? \u123?", "😀 {"),
        ("{\\v hidden}shown caf\xe9", "shown café"),
        (r"\\u1055 and \\'cf", r"\u1055 and \'cf"),
    ]
    text = r"\par ".join(text for text, _ in cases)
    assert parse(rtf_bytes(text), "a.rtf").pages[0].text == "\n\n".join(shown for _, shown in cases)
    russian = rtf_bytes(r"\'cf\'f0 \f7 \'cf\'f0", page=1251)  # the first in a Western font
    assert parse(russian, "a.rtf").pages[0].text == "Ïð Пр"
    titled = rtf_bytes(r"{\info{\title The Mill}}Text.")
    document = parse(titled, "a.rtf")
    assert (document.title, document.pages[0].text) == ("The Mill", "Text.")
    with pytest.raises(ParseError, match=r"code page 932.*save it as DOCX"):
        parse(rtf_bytes(r"\f7 \'83\'65", 932), "a.rtf")


def test_what_pandoc_passes_over_in_an_odt_is_text_and_what_was_deleted_is_none(parse):
    body = (
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>deleted</text:p>"
        "</text:deletion></text:changed-region></text:tracked-changes>"
        "<text:p>Kept<office:annotation><text:p>a comment</text:p></office:annotation> on "
        "<text:date>3 May</text:date>.<draw:frame><draw:text-box><text:p>In a frame</text:p>"
        "</draw:text-box></draw:frame></text:p><draw:custom-shape><text:p>In a shape</text:p>"
        "</draw:custom-shape><table:table><table:table-row-group><table:table-row>"
        "<table:table-cell><text:p>2024</text:p></table:table-cell></table:table-row>"
        "</table:table-row-group></table:table>"
    )
    document = parse(odt_bytes(body, "<dc:title>The Mill</dc:title>"), "a.odt")
    assert document.title == "The Mill"
    assert document.pages[0].text == "Kept on 3 May.\n\nIn a frame\n\nIn a shape\n\n2024"


def test_no_other_file_is_read_and_what_is_missing_is_told(parse, tmp_path, caplog):
    secret = written(tmp_path, "secret.tex", b"the secret")
    tex = f"Before. \\input{{{secret}}} \\verbatiminput{{{secret}}} After."
    assert parse(tex.encode(), "a.tex").pages[0].text == "Before. After."
    assert f"a.tex: Could not load include file {secret}" in caplog.text
    org = f'Before.\n#+INCLUDE: "{secret}"\nAfter.'
    assert "secret" not in parse(org.encode(), "a.org").pages[0].text
    rtf = rtf_bytes(rf'{{\field{{\*\fldinst INCLUDETEXT "{secret}"}}{{\fldrslt old}}}}')
    assert parse(rtf, "a.rtf").pages[0].text == "old"


def test_the_first_cell_below_the_foot_of_a_latex_table_is_there(parse):
    table = "h & i \\\\ \\endhead x & y \\\\ \\endfoot\n\\endlastfoot\n1 & 2 \\\\"
    text = parse(f"\\begin{{longtable}}{{ll}}{table}\\end{{longtable}}".encode(), "a.tex")
    assert text.pages[0].text.endswith("1\t2")


def test_texts_in_other_encodings_are_decoded(parse):
    assert parse("Crème brûlée".encode("latin-1"), "a.tex").pages[0].text == "Crème brûlée"
    assert parse("* Été\nMai".encode("utf-16"), "a.org").title == "Été"


def test_damaged_files_are_refused_with_words(parse, made):
    manifest = {"META-INF/manifest.xml": "<m><encryption-data/></m>"}
    cases = [
        ("a.odt", made["odt"].read_bytes()[:-60], "no zip archive"),
        ("a.odt", zipped({"a.txt": b"x"}), "a zip archive, but no ODT file"),
        ("a.odt", odt_bytes("<text:p>"), "damaged, or not of the format that its name says"),
        ("a.odt", odt_bytes("<text:p>x</text:p>", **manifest), "encrypted; save a copy"),
        ("a.odt", odt_bytes(""), "holds no text"),
        ("a.ipynb", made["ipynb"].read_bytes()[:-60], "damaged.*ipynb decoding error"),
        ("a.rtf", b"plain words", "no RTF"),
        ("a.fb2", b"<html/>", "no FictionBook"),
        ("a.fb2", b"<!DOCTYPE x [<!ENTITY a 'b'>]><FictionBook/>", "defines entities"),
        ("a.pptx", zipped({"ppt/presentation.xml": b"<p/>"}), "damaged"),
    ]
    for name, data, words in cases:
        with pytest.raises(ParseError, match=words):
            parse(data, name)


def test_bombs_of_zip_and_of_macros_are_refused(parse):
    bomb = odt_bytes("<text:p>x</text:p>", Pictures=b" " * 3_000_000)
    with pytest.raises(LimitExceeded, match=r"unpacks to .*; 2000000 are allowed"):
        parse(bomb, "a.odt", limits=ParseLimits(unpacked_bytes=2_000_000))
    with pytest.raises(LimitExceeded, match="needs more than 60 MiB of memory"):
        parse(ENDLESS, "a.tex", limits=ParseLimits(memory_bytes=60 * 2**20))
    with pytest.raises(LimitExceeded, match=r"took more than 0\.3 seconds"):
        parse(ENDLESS, "a.tex", limits=ParseLimits(seconds=0.3))


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is of Linux")
def test_pandoc_ends_when_the_child_that_started_it_is_killed(tmp_path):
    path = written(tmp_path, "a.tex", ENDLESS)
    us = psutil.Process()
    with ParserPool(1) as pool:
        future = pool.submit(path)
        until = time.monotonic() + 20
        while not (found := [p for p in us.children(recursive=True) if p.name() == "pandoc"]):
            assert time.monotonic() < until
            time.sleep(0.02)
        (pandoc,) = found
        pandoc.parent().kill()
        with pytest.raises(ParseError, match="broke the parser"):
            future.result()
        while pandoc.is_running():
            assert time.monotonic() < until
            time.sleep(0.02)


def test_without_the_package_files_say_what_to_install(parse, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pypandoc", None)  # as if it were not installed
    words = rf"a\.org needs pandoc.*: python -m pip install {PACKAGE}$"
    with pytest.raises(UnsupportedFormat, match=words):
        parse(b"text", "a.org")
    written(tmp_path, "b.txt", b"text")
    found = {(file.path.name, file.named, file.refusal) for file in find_files([tmp_path])}
    (named,) = find_files([tmp_path / "a.org"])
    assert named.refusal is not None and re.search(words, named.refusal)
    assert found == {("a.org", False, named.refusal), ("b.txt", False, None)}


def test_an_odt_goes_in_and_its_passage_is_found(made, tmp_path, reader):
    assert {f".{kind}" for kind in PANDOC_FORMATS} <= SUPPORTED
    with Library(tmp_path / "library") as library:
        (report,) = ingest_paths([made["odt"]], library, reader)
        assert (report.outcome, report.pages, report.title) == ("added", 1, "The Café Lease")
        (passage,) = library.passages(report.document_id)
        assert "Crème brûlée is served in May.\n- one\n- two\nYear" in passage.text
        found = library.search_words("What is served in May?", 5)
        assert [passage_id for passage_id, _ in found] == [passage.id]
