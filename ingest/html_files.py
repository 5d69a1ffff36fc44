"""HTML: one page 0, the text as a reader of the page would see it.

Nothing is fetched, and no entity is more than a character. lxml reads what browsers read.
"""

import codecs
import re
from pathlib import Path
from typing import Any

from lxml import etree

from armt_core.errors import LimitExceeded, ParseError
from ingest.html_text import text_of
from ingest.parsed import ParsedDocument, title_from_name
from ingest.text_files import decoded
from ingest.titles import good_title
from storage.records import Page

_DECLARED = re.compile(
    rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([\w:.-]{1,40})"
    rb"|<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w:.-]{1,40})",
    re.IGNORECASE,
)
_DECLARED_WITHIN = 4096  # bytes
# As browsers take them: what says Latin-1 means the encoding of Windows, and so on.
_MEANT = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "tis-620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030", "big5": "big5hkscs",
    "shift_jis": "cp932", "cp932": "cp932", "euc_kr": "cp949", "cp949": "cp949",
    "euc_jp": "euc_jp", "koi8-r": "koi8-r", "koi8-u": "koi8-u", "cp866": "cp866",
    "mac-roman": "mac-roman", **{f"cp125{n}": f"cp125{n}" for n in range(9)},
    **{f"iso8859-{n}": f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
}  # fmt: skip


def parse_html(path: Path) -> ParsedDocument:
    """One page 0 without a label; the title is that of the page, else its first heading's.

    Raises ParseError if it holds no text, LimitExceeded for absurd nesting.
    """
    tree = html_tree(decoded_html(path.read_bytes(), path.name), path.name)
    text = "" if tree is None else text_of(tree)
    if tree is None or not text.strip():
        raise ParseError(f"{path.name} holds no text (pictures and scripts are none)")
    title = good_title(tree.findtext(".//title")) or first_heading(tree)
    return ParsedDocument(title or title_from_name(path), "html", (Page(0, None, text),))


def html_tree(text: str, name: str) -> Any | None:
    """The lxml tree of an HTML text; None if there is nothing in it. Raises LimitExceeded."""
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, huge_tree=True, remove_comments=True, remove_pis=True
    )
    tree = etree.fromstring(text.encode("utf-8", "replace"), parser)
    # The parser stops at such a place, and what follows would be missing in silence.
    if any(error.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for error in parser.error_log):
        raise LimitExceeded(f"{name} nests elements more than 2,048 deep")
    return tree


def first_heading(tree: Any) -> str | None:
    """The text of the first <h1> if it could be a title."""
    heading = tree.find(".//{*}h1")
    return None if heading is None else good_title(text_of(heading))


def decoded_html(data: bytes, name: str) -> str:
    """The bytes as text: UTF-8 if they are, else as they declare, else as is likeliest."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        text = _as_declared(data)
        if text is not None:
            return text
    return decoded(data, name)


def _as_declared(data: bytes) -> str | None:
    found = _DECLARED.search(data[:_DECLARED_WITHIN])
    if found is None:
        return None
    try:
        encoding = _MEANT.get(codecs.lookup((found[1] or found[2]).decode("ascii")).name)
        return data.decode(encoding) if encoding else None
    except (LookupError, UnicodeDecodeError):
        return None
