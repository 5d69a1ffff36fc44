"""What parsing gives: a title and pages of text, and nothing of the file's looks."""

import re
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

from storage.records import Page

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class ParsedDocument:
    """One file after parsing.

    `format` is "pdf", "text", "markdown", "html", "docx", "epub" or one of PANDOC_FORMATS
    (ingest.pandoc_files). `pages` are numbered from 0 without holes. Their text is what is
    stored: every offset that Recollect ever shows counts characters of it. `ocr` names
    what read the pages that were read from pictures.
    """

    title: str
    format: str
    pages: tuple[Page, ...]
    ocr: str | None = None


def title_from_name(path: Path) -> str:
    """The file's name without its suffix, or with it where that is all there is; bytes that are
    no UTF-8 become U+FFFD."""
    return one_line(path.stem) or one_line(path.name) or "untitled"


def one_line(text: str) -> str:
    """A title: single spaces for white space, nothing for controls and marks of direction."""
    seen = "".join(" " if c.isspace() else c for c in storable(text))
    return " ".join(_UNSEEN.sub("", seen).split())


def storable(text: str) -> str:
    """Without what a database or UTF-8 refuses: NUL and lone surrogates are U+FFFD."""
    return (
        text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def legible_page(page: Page) -> Page:
    """A page of a PDF without text that says nothing: of a damaged one there may be nothing but
    U+FFFD, controls and marks that print nothing. needs_ocr: something is drawn there; where
    there was such text, something is. no_picture: it cannot be drawn, which matters only to a page
    without text."""
    if any(map(_says_something, page.text)):
        return replace(page, needs_ocr=False, no_picture=False)
    drawn = page.needs_ocr or bool(page.text.strip())
    return replace(page, text="", needs_ocr=drawn and not page.no_picture)


def _says_something(character: str) -> bool:
    unknown = character == "\ufffd" or unicodedata.category(character) in ("Cc", "Cf")
    return not (unknown or character.isspace())
