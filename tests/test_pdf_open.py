"""Damaged PDFs are read by whichever library can, and as far as they go."""

import re

import pypdfium2 as pdfium
import pytest

from armt_core.errors import ParseError, PasswordNeeded
from ingest import pdf_files, pdf_open
from ingest.parse import parse_file
from ingest.pdf_text import load_page
from tests.pdf_makers import encrypted, pdf_by_hand, pdf_bytes, rewritten
from tests.pdf_makers import written as write


@pytest.fixture
def parse(tmp_path):
    def parse(data, name="file.pdf", passwords=(), limits=None):
        return parse_file(write(tmp_path, name, data), passwords, limits)

    return parse


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
    assert any(not page.text for page in pages)


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
