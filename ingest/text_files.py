"""Plain text in any common encoding.

Stored text is the decoded text with three changes: a byte order mark is gone,
every line end (CR LF, CR) is a line feed, and NUL, which databases refuse, is
U+FFFD. Form feeds part the pages and belong to none.
"""

import codecs
import logging
from pathlib import Path

from armt_core.errors import ParseError
from ingest.encodings import (
    control_heavy,
    decode_damaged_utf8,
    decode_legacy,
    decode_utf16_without_mark,
)
from ingest.parsed import ParsedDocument, title_from_name
from storage.records import Page

logger = logging.getLogger(__name__)

# UTF-32 first: its little-endian mark begins with the mark of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path) -> str:
    """The file as stored text; `ParseError` if it is empty, blank or not text."""
    data = path.read_bytes()
    if not data:
        raise ParseError(f"{path.name} is empty (0 bytes)")
    text = decoded(data, path.name)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    if not text.strip():
        raise ParseError(f"{path.name} holds no text, only white space")
    return text


def decoded(data: bytes, name: str) -> str:
    """The bytes of the file called `name` as text; `ParseError` if they are none."""
    text = _decode(data, name)
    if text is not None and control_heavy(text):
        raise ParseError(
            f"{name} is not text: it is full of control characters, as a program's data is"
        )
    if text is None:
        raise ParseError(f"{name} is not text in any encoding Recollect knows")
    return text


def parse_text(path: Path) -> ParsedDocument:
    """A page a form feed, else one page 0; no labels; the title is the file's stem."""
    parts = read_text(path).split("\f")
    if len(parts) > 1 and not parts[-1].strip():
        parts.pop()  # a form feed that ends the last page opens no new one
    pages = tuple(Page(number, None, part) for number, part in enumerate(parts))
    return ParsedDocument(title_from_name(path), "text", pages)


def _decode(data: bytes, name: str) -> str | None:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError as error:
                logger.warning("%s: damaged %s text (%s)", name, encoding, error)
                return data.decode(encoding, errors="replace")
    wide = decode_utf16_without_mark(data)
    if wide is not None:
        return wide
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return decode_damaged_utf8(data, name) or decode_legacy(data, name)
    if b"\x1b$" in data:  # the shift of ISO-2022-JP, which is ASCII otherwise
        try:
            return data.decode("iso2022_jp")
        except UnicodeDecodeError:
            logger.debug("%s: escape sequences, but not ISO-2022-JP", name)
    return text
