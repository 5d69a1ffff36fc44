"""The text of a PDF page such that its offsets are PDFium's character indices.

`page_text(textpage)[i]` stands for PDFium's character i, so that the box of any stored
offset can be looked up with `textpage.get_charbox(i)`. It is the Unicode value that
PDFium gives for character i (FPDFText_GetUnicode), but for:

- PDFium's mark of a hyphen that divides a word at a line end (U+0002 there, U+FFFE in its
  text functions) is a soft hyphen, U+00AD; the rest of the word follows at once;
- two surrogates in a row are the character they encode and, at the second index, a word
  joiner (U+2060), which is invisible and keeps the count;
- NUL (no Unicode value), lone surrogates and noncharacters are U+FFFD.

Line ends are CR LF, two characters that PDFium makes up.
"""

import math
from collections import Counter
from typing import Any

import pypdfium2.raw as pdfium_c

SOFT_HYPHEN = "\u00ad"
_UNKNOWN = "\ufffd"
_FILLER = "\u2060"
_PRINTED = (pdfium_c.FPDF_ANNOT_WIDGET, pdfium_c.FPDF_ANNOT_FREETEXT)
_SAMPLES = 7  # characters that are asked which way the text runs


def load_page(pdf: Any, number: int) -> Any:
    """The `PdfPage` that stored offsets count on.

    What is filled into a form or typed onto a page stands in annotations, which PDFium
    does not count as text: pages that have such are flattened first (in memory).
    """
    page = pdf[number]
    if any(_annotation_kind(page, i) in _PRINTED for i in range(_annotation_count(page))):
        pdfium_c.FPDFPage_Flatten(page.raw, pdfium_c.FLAT_NORMALDISPLAY)
        page.close()
        page = pdf[number]
    return page


def _annotation_count(page: Any) -> int:
    count: int = pdfium_c.FPDFPage_GetAnnotCount(page.raw)
    return count


def _annotation_kind(page: Any, index: int) -> int:
    annotation = pdfium_c.FPDFPage_GetAnnot(page.raw, index)
    if not annotation:
        return pdfium_c.FPDF_ANNOT_UNKNOWN
    kind: int = pdfium_c.FPDFAnnot_GetSubtype(annotation)
    pdfium_c.FPDFPage_CloseAnnot(annotation)
    return kind


def is_drawn_on(page: Any) -> bool:
    """Whether a page holds anything but text: a picture, a line, a form."""
    return any(
        pdfium_c.FPDFPageObj_GetType(pdfium_c.FPDFPage_GetObject(page.raw, index))
        != pdfium_c.FPDF_PAGEOBJ_TEXT
        for index in range(pdfium_c.FPDFPage_CountObjects(page.raw))
    )


def load_textpage(page: Any) -> Any:
    """The `PdfTextPage` that stored offsets count in.

    PDFium puts the lines of a page in a wrong order when they appear to run downwards (a
    page turned on its side). It is told for a moment that the page stands upright, which
    changes no position.
    """
    textpage = page.get_textpage()
    rotation, text_turn = page.get_rotation(), _text_turn(textpage)
    if text_turn is None or (rotation + text_turn) % 360 != 90:
        return textpage
    textpage.close()
    page.set_rotation(-text_turn % 360)
    textpage = page.get_textpage()
    page.set_rotation(rotation)
    return textpage


def _text_turn(textpage: Any) -> int | None:
    """By how many degrees clockwise (0, 90, 180, 270) most characters are turned."""
    count = textpage.count_chars()
    angles = (
        pdfium_c.FPDFText_GetCharAngle(textpage.raw, index)
        for index in range(0, count, max(1, count // _SAMPLES))
    )
    turns = Counter(round(angle / (math.pi / 2)) * 90 % 360 for angle in angles if angle >= 0)
    return turns.most_common(1)[0][0] if turns else None


def page_text(textpage: Any) -> str:
    """The stored text of a page, from its pypdfium2 `PdfTextPage`."""
    count = textpage.count_chars()
    if count <= 0:
        return ""
    text: str = textpage.get_text_range()
    # PDFium's text leaves characters out (controls) and never adds any, and decoding it
    # joins surrogates: when the lengths agree, so do the indices.
    if len(text) == count:
        if "\ufffe" not in text:
            return text.replace("\0", _UNKNOWN)
        values = [ord(c) if c != "\ufffe" else _value(textpage, i) for i, c in enumerate(text)]
    else:
        values = [_value(textpage, i) for i in range(count)]
    return "".join(_characters(textpage, values))


def _value(textpage: Any, index: int) -> int:
    value: int = pdfium_c.FPDFText_GetUnicode(textpage.raw, index)
    return value


def _characters(textpage: Any, values: list[int]) -> list[str]:
    characters: list[str] = []
    for index, value in enumerate(values):
        if len(characters) > index:
            continue  # the second half of a pair
        if value in (0x2, 0xFFFE):
            is_hyphen = pdfium_c.FPDFText_IsHyphen(textpage.raw, index) == 1
            characters.append(SOFT_HYPHEN if is_hyphen else _UNKNOWN)
        elif 0xD800 <= value < 0xDC00 and index + 1 < len(values):
            low = values[index + 1]
            if 0xDC00 <= low < 0xE000:
                pair = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00)
                characters += [chr(pair), _FILLER]
            else:
                characters.append(_UNKNOWN)
        elif value == 0 or 0xD800 <= value < 0xE000 or value == 0xFFFF or value > 0x10FFFF:
            characters.append(_UNKNOWN)
        else:
            characters.append(chr(value))
    return characters
