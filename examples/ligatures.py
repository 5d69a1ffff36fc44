"""Ligatures in a PDF that uses the standard fonts.

The fonts hold the glyphs fi and fl, but the encoding that fpdf2 writes has no place for them.
Two characters that the text does not need are given up, and the finished file says which
glyphs they stand for, so that a program that extracts the text meets U+FB01 and U+FB02.
"""

from __future__ import annotations

import io

from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject

LIGATURES = {"fi": "\u00de", "fl": "\u00fe"}
"""What stands for a ligature in the text while fpdf2 sets it (Thorn and thorn, as wide)."""


def name_ligatures(content: bytes) -> bytes:
    """``content`` with an encoding that maps the stand-ins to the glyphs fi and fl."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(content)))
    differences = ArrayObject()
    for letters, stand_in in LIGATURES.items():
        differences += [NumberObject(ord(stand_in)), NameObject(f"/{letters}")]
    encoding = writer._add_object(
        DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Encoding"),
                NameObject("/BaseEncoding"): NameObject("/WinAnsiEncoding"),
                NameObject("/Differences"): differences,
            }
        )
    )
    for page in writer.pages:
        for font in page["/Resources"]["/Font"].values():  # type: ignore[index]
            font.get_object()[NameObject("/Encoding")] = encoding
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()
