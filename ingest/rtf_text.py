"""RTF with its characters in UTF-8, as pandoc reads them without loss.

A byte of text stands as \\'hh and means a character of the code page of its font, or else of the
file; pandoc takes them all for Western ones. A character by number, \\uN, is followed by what old
readers show instead; where no space parts the two, pandoc drops a letter, and it knows no N
beyond 65,535, which comes as two halves.
"""

import re
from dataclasses import dataclass, replace

from armt_core.errors import ParseError
from ingest.parsed import storable

_TOKEN = re.compile(
    rb"\\'([0-9a-fA-F]{2})|\\([a-z]+)(-?\d{1,10})? ?|([{}])|\\.|([^\\{}\r\n]+)", re.DOTALL
)
_WESTERN = "cp1252"
_OF_CHARSET = {
    0: "cp1252", 77: "mac-roman", 161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255",
    178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437",
    255: "cp850", 128: "cp932", 129: "cp949", 134: "cp936", 136: "cp950",
}  # fmt: skip
_OF_PAGE = {
    page: f"cp{page}"
    for page in (437, 850, 852, 855, 857, 866, 874, 932, 936, 949, 950, *range(1250, 1259))
} | {10000: "mac-roman"}
_OF_TWO_BYTES = ("cp932", "cp936", "cp949", "cp950")


@dataclass(frozen=True)
class _Group:
    """What holds within braces. fallbacks: how many characters follow a \\uN, for old readers."""

    font: int | None = None
    fallbacks: int = 1


def utf8_rtf(data: bytes, name: str) -> bytes:
    """The file with each character of text beyond ASCII as itself in UTF-8, and no fallbacks.

    Raises ParseError for what is no RTF, or has text in a code page of two bytes a character.
    """
    if not data.lstrip().startswith(b"{\\rtf"):
        raise ParseError(f"{name} is damaged, or no RTF: it does not begin with {{\\rtf")
    reader = _Reader(name)
    return _TOKEN.sub(reader.token, data)


class _Reader:
    """Goes through the tokens in order."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._page = _WESTERN
        self._fonts: dict[int | None, str] = {}
        self._groups = [_Group()]
        self._passed = 0  # fallbacks still to come
        self._high = 0  # the first half of a character beyond the first 65,536

    def token(self, found: re.Match[bytes]) -> bytes:
        """What stands for the token."""
        code, word, number, brace, text = found.groups()
        if word:
            self._passed = 0
            whole = found[0].rstrip(b" ") + b" "  # else a letter beyond ASCII would prolong it
            return whole if number is None else self._word(word, int(number), whole)
        if brace == b"{":
            self._groups.append(self._groups[-1])
        elif brace and len(self._groups) > 1:
            self._groups.pop()
        if brace:
            self._passed = 0
            return found[0]
        whole = bytes([int(code, 16)]) if code else text or found[0]
        passed = min(self._passed, len(whole) if text else 1)
        self._passed -= passed
        if text or (code and whole >= b"\x80"):
            return self._characters(whole[passed:])
        return b"" if passed else found[0]

    def _word(self, word: bytes, number: int, whole: bytes) -> bytes:
        group = self._groups[-1]
        if word == b"rtf":
            return whole + b"\\uc0 "
        if word == b"uc":
            self._groups[-1] = replace(group, fallbacks=max(0, number))
            return b""
        if word == b"u":
            self._passed = group.fallbacks
            return self._unicode(number % 0x10000)
        if word == b"ansicpg":
            self._page = _OF_PAGE.get(number, _WESTERN)
            return b"\\ansicpg1252 "
        if word == b"f":
            self._groups[-1] = replace(group, font=number)
        elif word == b"fcharset":
            # 1 is "the usual one", 2 are symbols: neither names a code page.
            self._fonts[group.font] = _OF_CHARSET.get(number, self._page)
        return whole

    def _unicode(self, number: int) -> bytes:
        high, self._high = self._high, 0
        if 0xD800 <= number < 0xDC00:
            self._high = number
            return b""
        if high and 0xDC00 <= number < 0xE000:
            number = 0x10000 + (high - 0xD800) * 0x400 + number - 0xDC00
        if number < 0x80:
            return b"\\'%02x" % number  # it may be a brace
        return storable(chr(number)).encode()

    def _characters(self, text: bytes) -> bytes:
        if text.isascii():
            return text
        codec = self._fonts.get(self._groups[-1].font, self._page)
        if codec in _OF_TWO_BYTES:
            raise ParseError(
                f"{self._name} has text in the code page {codec.removeprefix('cp')}, which is not "
                "read from RTF: open it where it was made and save it as DOCX"
            )
        return text.decode(codec, "replace").encode()
