"""Characters that print well and read badly: ligatures, odd spaces, invisible marks."""

import re
import unicodedata
from collections.abc import Callable

from ingest.runs import RunBuilder

_SPACES = "\t\v\f\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# Latin and Armenian ligatures and the Arabic presentation forms of one letter or two.
_LIGATURES = "\ufb00-\ufb06\ufb13-\ufb17\ufb50-\ufbb1\ufbd3-\ufd3d\ufe70-\ufefc"
# Zero-width space, word joiner, byte order mark, direction marks and
# controls. The zero-width joiners stay: Persian, Indic scripts and emoji need them.
_INVISIBLE = "\x00-\x08\x0e-\x1b\x7f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
# In a PDF it was printed at a line end (see pdf_text); in text it only says where it may.
_SOFT_HYPHEN = "\u00ad"
_SPECIAL = re.compile(
    rf"[ {_SPACES}]{{2,}}|[{_SPACES}]|[{_LIGATURES}]|[{_INVISIBLE}]+|{_SOFT_HYPHEN}"
)
_WIDE = re.compile(
    "[\u2e80-\u303f\u3041-\u30ff\u3105-\u312f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff01-\uff60\U00020000-\U0003ffff]"
)


def is_wide(character: str) -> bool:
    """Chinese and Japanese characters, which are written without spaces between words."""
    return _WIDE.match(character) is not None


def keep_mended(
    builder: RunBuilder,
    text: str,
    start: int,
    end: int,
    divided: Callable[[int], str] = lambda _: "",
) -> None:
    """Append `text[start:end]` with its odd characters mended.

    `divided(i)` says what to put for the soft hyphen at `text[i]`.
    """
    for found in _SPECIAL.finditer(text, start, end):
        builder.keep(start, found.start())
        start = found.end()
        builder.replace(found.start(), start, _mended(found, divided))
    builder.keep(start, end)


def _mended(found: re.Match[str], divided: Callable[[int], str]) -> str:
    character = found[0][0]
    if character == _SOFT_HYPHEN:
        return divided(found.start())
    if character.isspace():
        return " "
    if character >= "\ufb00" and character != "\ufeff":
        return unicodedata.normalize("NFKC", character)
    return ""
