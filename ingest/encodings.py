"""Which encoding a text is in, when it is not UTF-8.

Statistics over bytes go wrong on the few accents of a short file, so the
single-byte encodings are told apart by letters: each candidate decoding is
scored by how many of its letters beyond ASCII its languages really use, and
how often. What no such language explains (mostly the multi-byte encodings of
East Asia) is left to charset-normalizer.
"""

import logging
import re
import unicodedata
from functools import lru_cache

from charset_normalizer import from_bytes

logger = logging.getLogger(__name__)

# Text uses none of these; C1 controls are what a wrong single-byte guess gives.
_CONTROLS = re.compile(r"[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f]")
_CONTROL_SHARE = 0.02
_SAMPLE_BYTES = 65_536
_GOOD_SCORE = 0.7
# Says nothing about the language.
_NEUTRAL = frozenset("“”‘’„‚–—…€£§°«»·©®™†•№¿¡\xa0\u200e\u200f")

# (encodings, letters beyond ASCII in everyday use, other letters of the alphabet);
# of equally good ones the first wins.
_LANGUAGES = (
    (("cp1252", "mac_roman", "cp437", "cp850"), "éèêëàâçîïôùûœæÿüäö", ""),  # French
    (("cp1252", "mac_roman", "cp437", "cp850"), "äöüßé", ""),  # German
    (("cp1252", "mac_roman", "cp437", "cp850"), "áéíóúñüºª", ""),  # Spanish
    (("cp1252", "mac_roman", "cp850"), "ãõçáéíóúâêôàüºª", ""),  # Portuguese
    (("cp1252", "mac_roman", "cp850"), "àèéìòùç", ""),  # Italian
    (("cp1252", "mac_roman", "cp850"), "åäöæøéü", ""),  # Nordic, Dutch
    (("cp1252",), "þðæöáéíóúý", ""),  # Icelandic
    (("cp1250", "iso8859_2", "cp852"), "ąćęłńóśźż", ""),  # Polish
    (("cp1250", "iso8859_2", "cp852"), "áčďéěíňóřšťúůýžľĺŕôä", ""),  # Czech, Slovak
    (("cp1250", "iso8859_2", "cp852"), "áéíóöőúüű", ""),  # Hungarian
    (("cp1250", "iso8859_2"), "ăâîşţ", ""),  # Romanian
    (("cp1250", "iso8859_2"), "čćđšž", ""),  # Croatian, Slovene
    (("cp1254",), "çğıöşüâîû", ""),  # Turkish
    (("cp1257",), "āčēģīķļņšūžąęėįųõäöü", ""),  # Baltic
    (
        ("cp1251", "koi8_r", "koi8_u", "cp866", "iso8859_5", "mac_cyrillic"),
        "оеаинтсрвлкмдпуі",
        "бгёжзйфхцчшщъыьэюяєїґјљњћџђў",
    ),
    (("cp1253", "iso8859_7"), "αοιετσνηυρπκμλάήίόέύ", "βγδζθξφχψωώς"),
    (("cp1255",), "יוהלאמרתשנבםןכח", "גדזטסעפצקךףץ"),
    (("cp1256",), "ايلمنوتربعدهسةف", "أإآءؤئىثجحخذزشصضطظغقكپچژگ"),
)


def control_heavy(text: str) -> bool:
    """Does so much of this consist of control characters that it is no text?"""
    return len(_CONTROLS.findall(text)) > max(1, _CONTROL_SHARE * len(text))


def decode_utf16_without_mark(data: bytes) -> str | None:
    """UTF-16 text has NUL bytes (in every space and line end) that no other text has."""
    if len(data) % 2 or b"\0" not in data:
        return None
    best, best_score = None, 0
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        sample = text[:_SAMPLE_BYTES]
        kinds = (unicodedata.category(c) for c in sample if c not in "\t\n\r\f")
        odd = sum(kind in ("Cn", "Co", "Cc") for kind in kinds)
        score = sum(c in " \n\r\t。、，" or "a" <= c <= "z" for c in sample)
        if odd <= _CONTROL_SHARE * len(sample) and score > best_score:
            best, best_score = text, score
    return best


def decode_damaged_utf8(data: bytes, name: str) -> str | None:
    """UTF-8 with a few bad bytes is still UTF-8; any other encoding gives mostly bad ones."""
    text = data.decode("utf-8", errors="replace")
    bad = text.count("\ufffd")
    good = len(text.encode("utf-8")) - len(text) - 2 * bad
    if good < 10 * bad:
        return None
    logger.warning("%s: UTF-8 with %d damaged places, shown as U+FFFD", name, bad)
    return text


def decode_legacy(data: bytes, name: str) -> str | None:
    """The text in the likeliest encoding that is not Unicode, or None if it is not text."""
    sample = data
    if len(data) > _SAMPLE_BYTES:
        end = data.rfind(b"\n", 0, _SAMPLE_BYTES)
        sample = data[: end if end > 0 else _SAMPLE_BYTES]
    for encoding in (_by_letters(sample), _by_statistics(sample), "cp1252", "latin-1"):
        text = _decodes(data, encoding) if encoding else None
        if text is not None and not control_heavy(text):
            logger.info("%s: read as %s", name, encoding)
            return text
    return None


def _decodes(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _by_statistics(sample: bytes) -> str | None:
    best = from_bytes(sample).best()
    return best.encoding if best is not None else None


@lru_cache(maxsize=1)
def _weights() -> tuple[tuple[str, dict[str, float]], ...]:
    """(encoding, weight of a letter), in the order of preference."""
    return tuple(
        (
            encoding,
            # A text all in capitals is rarer than a wrong encoding that gives one.
            {letter: share * weight for letters, weight in ((rare, 0.5), (common, 1.0))
             for small in letters for letter, share in ((small.upper(), 0.8), (small, 1.0))},
        )
        for encodings, common, rare in _LANGUAGES
        for encoding in encodings
    )  # fmt: skip


def _by_letters(sample: bytes) -> str | None:
    best, best_score = None, _GOOD_SCORE
    texts: dict[str, str | None] = {}
    for encoding, weights in _weights():
        if encoding not in texts:
            texts[encoding] = _decodes(sample, encoding)
        text = texts[encoding]
        if text is None:
            continue
        score = _letter_score(text, weights)
        if score > best_score + 1e-9:
            best, best_score = encoding, score
    return best


def _letter_score(text: str, weights: dict[str, float]) -> float:
    """The mean weight of the characters beyond ASCII; a capital inside a word costs one."""
    total, count, before = 0.0, 0, " "
    for character in text:
        foreign = character > "\x7f" and character not in _NEUTRAL
        if foreign:
            count += 1
            total += weights.get(character, 0.0)
        if (foreign or before > "\x7f") and character.isupper() and before.islower():
            total -= 1.0
        before = character
    return total / count if count else 1.0
