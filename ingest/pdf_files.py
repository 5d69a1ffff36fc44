"""PDF: pages, labels and title through PDFium, with pypdf as the second opinion.

PDFium is more than ten times as fast and mends most damage. pypdf reads what PDFium
refuses, single pages included, and titles that stand in XMP metadata alone. Offsets of
text that came from pypdf have no boxes: such a page is one that PDFium cannot draw.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium

from armt_core.errors import LimitExceeded, ParseError, PasswordNeeded
from ingest.limits import ParseLimits
from ingest.parsed import ParsedDocument, legible_page, storable, title_from_name
from ingest.pdf_open import open_pdf
from ingest.pdf_second import SecondOpinion
from ingest.pdf_text import is_drawn_on, load_page, load_textpage, page_text
from ingest.titles import good_title
from storage.records import Page

logger = logging.getLogger(__name__)

_XMP_BYTES = 50_000_000  # of a file; a larger one is not opened again for its title


def parse_pdf(path: Path, passwords: Sequence[str], limits: ParseLimits) -> ParsedDocument:
    """The title and pages of a PDF; a page on which something is drawn and no text needs OCR,
    unless PDFium cannot draw it.

    Raises PasswordNeeded, LimitExceeded or, if neither library finds a page, ParseError.
    """
    second = SecondOpinion(path, passwords)
    try:
        pdf = open_pdf(path, passwords)
    except PasswordNeeded:
        raise
    except ParseError as error:
        logger.warning("%s; trying pypdf", error)
        return _from_second(path, second, limits)
    try:
        _check_pages(path, len(pdf), limits)
        pages: list[Page] = []
        characters = loaded = 0
        for number in range(len(pdf)):
            no_picture = False
            try:
                text, drawn = _text_of(pdf, number)
                loaded += 1
            except pdfium.PdfiumError as error:
                logger.info("%s, page %d: %s; trying pypdf", path.name, number, error)
                text, drawn = storable(second.page_text(number)), True
                no_picture = not _loads(pdf, number)
            characters += len(text)
            if characters > limits.characters:
                raise LimitExceeded(
                    f"{path.name} has more than the {limits.characters} characters allowed"
                )
            label = storable(pdf.get_page_label(number)) or None
            page = Page(number, label, text, needs_ocr=drawn, no_picture=no_picture)
            pages.append(legible_page(page))
        if not loaded and second.page_count() == 0:
            raise ParseError(f"{path.name} is damaged: it counts pages and has none")
        if second.was_asked:
            logger.warning("%s is damaged: PDFium could not load all of its pages", path.name)
        title = good_title(pdf.get_metadata_value("Title"))
    finally:
        pdf.close()
    if title is None and path.stat().st_size <= _XMP_BYTES:
        title = good_title(second.xmp_title())
    return ParsedDocument(title or title_from_name(path), "pdf", tuple(pages))


def _text_of(pdf: Any, number: int) -> tuple[str, bool]:
    """The text of a page, and whether anything but text is drawn on it."""
    page = load_page(pdf, number)
    textpage = load_textpage(page)
    text, drawn = page_text(textpage), is_drawn_on(page)
    textpage.close()
    page.close()
    return text, drawn


def _loads(pdf: Any, number: int) -> bool:
    """Whether PDFium can load a page: one that it cannot load it cannot draw either."""
    try:
        load_page(pdf, number).close()
    except pdfium.PdfiumError:
        return False
    return True


def _from_second(path: Path, second: SecondOpinion, limits: ParseLimits) -> ParsedDocument:
    count = second.page_count()
    if count == 0:
        raise ParseError(f"{path.name} is damaged or has no pages: no page of it can be read")
    _check_pages(path, count, limits)
    labels = second.labels()
    pages = []
    for number in range(count):
        text = storable(second.page_text(number))
        label = storable(labels[number]) or None if number < len(labels) else None
        pages.append(legible_page(Page(number, label, text, no_picture=True)))
    title = good_title(second.title()) or good_title(second.xmp_title())
    return ParsedDocument(title or title_from_name(path), "pdf", tuple(pages))


def _check_pages(path: Path, count: int, limits: ParseLimits) -> None:
    if count > limits.pages:
        raise LimitExceeded(f"{path.name} has {count} pages; {limits.pages} are allowed")
