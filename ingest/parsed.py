"""What parsing gives: a title and pages of text, and nothing of the file's looks."""

from dataclasses import dataclass
from pathlib import Path

from storage.records import Page


@dataclass(frozen=True)
class ParsedDocument:
    """One file after parsing.

    `format` is "pdf", "text", "markdown", "html", "docx" or "epub". `pages` are
    numbered from 0 without holes. Their text is what is stored: every offset that
    Recollect ever shows counts characters of it. `ocr` names what read the pages that
    were read from pictures.
    """

    title: str
    format: str
    pages: tuple[Page, ...]
    ocr: str | None = None


def title_from_name(path: Path) -> str:
    """The file's name without its suffix; bytes that are no UTF-8 become U+FFFD."""
    return storable(path.stem)


def storable(text: str) -> str:
    """Without what a database or UTF-8 refuses: NUL and lone surrogates are U+FFFD."""
    return (
        text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )
