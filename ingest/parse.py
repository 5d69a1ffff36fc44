"""One file -> one ParsedDocument, by what the file is rather than what it is called.

Runs in the calling process; `ingest.child` runs it in one that can be stopped.
"""

from collections.abc import Sequence
from pathlib import Path

from armt_core.errors import LimitExceeded, ParseError, UnsupportedFormat
from ingest.docx_files import parse_docx
from ingest.epub_files import parse_epub
from ingest.html_files import parse_html
from ingest.limits import ParseLimits
from ingest.markdown_files import parse_markdown
from ingest.pandoc_files import PANDOC_FORMATS, parse_with_pandoc
from ingest.parsed import ParsedDocument
from ingest.pdf_files import parse_pdf
from ingest.text_files import parse_text

_FORMATS = {
    ".pdf": "pdf",
    ".txt": "text",
    ".text": "text",
    ".log": "text",
    ".rst": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".docx": "docx",
    ".epub": "epub",
} | {f".{name}": name for name in PANDOC_FORMATS}
SUPPORTED = frozenset(_FORMATS)
"""Suffixes, in lower case, of the files that can be parsed."""

_PDF_MARK = b"%PDF-"
_PDF_MARK_WITHIN = 1024  # bytes; readers allow that much before the header


def parse_file(
    path: Path, passwords: Sequence[str] = (), limits: ParseLimits | None = None
) -> ParsedDocument:
    """The title and pages of a file.

    Raises PasswordNeeded, UnsupportedFormat, LimitExceeded or another ParseError.
    """
    limits = limits or ParseLimits()
    file_format = detect_format(path, limits)
    document = _parse(path, file_format, passwords, limits)
    if len(document.pages) > limits.pages:
        raise LimitExceeded(
            f"{path.name} has {len(document.pages)} pages; {limits.pages} are allowed"
        )
    characters = sum(len(page.text) for page in document.pages)
    if characters > limits.characters:
        raise LimitExceeded(
            f"{path.name} has {characters} characters; {limits.characters} are allowed"
        )
    return document


def _parse(
    path: Path, file_format: str, passwords: Sequence[str], limits: ParseLimits
) -> ParsedDocument:
    if file_format == "pdf":
        return parse_pdf(path, passwords, limits)
    if file_format == "docx":
        return parse_docx(path, limits)
    if file_format == "epub":
        return parse_epub(path, limits)
    if file_format in PANDOC_FORMATS:
        return parse_with_pandoc(path, file_format, limits)
    return {"html": parse_html, "markdown": parse_markdown, "text": parse_text}[file_format](path)


def detect_format(path: Path, limits: ParseLimits) -> str:
    """The name of its format: a PDF by its content, the others by their suffix."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_PDF_MARK_WITHIN)
    except OSError as error:
        raise ParseError(f"{path.name} cannot be opened: {error.strerror}") from error
    if size > limits.file_bytes:
        raise LimitExceeded(f"{path.name} has {size} bytes; {limits.file_bytes} are allowed")
    if size == 0:
        raise ParseError(f"{path.name} is empty (0 bytes)")
    suffix = path.suffix.lower() or path.name.lower()  # a file may be called ".txt"
    # A text may speak of "%PDF-"; it is a PDF by another name only if it begins so.
    if head.startswith(_PDF_MARK) or (_PDF_MARK in head and suffix not in _FORMATS):
        return "pdf"
    if suffix not in _FORMATS:
        kinds = ", ".join(sorted(SUPPORTED))
        raise UnsupportedFormat(f"{path.name} is not of a kind that Recollect reads ({kinds})")
    return _FORMATS[suffix]
