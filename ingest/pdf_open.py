"""Opening a PDF with PDFium: passwords, and files that were cut short."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from armt_core.errors import ParseError, PasswordNeeded
from ingest.parsed import storable

logger = logging.getLogger(__name__)

_CATALOG = re.compile(rb"(\d{1,10})\s+\d{1,5}\s+obj\s*<<[^>]{0,2000}?/Type\s*/Catalog")


def open_pdf(path: Path, passwords: Sequence[str]) -> Any:
    """The document as pypdfium2 has it, opened with the first password that fits.

    PDFium itself rebuilds what it can of a damaged file; one that lacks its end is given
    a new one. Raises PasswordNeeded, or ParseError if it cannot be opened or has no page.
    """
    for password in (None, *passwords):
        try:
            return pdfium.PdfDocument(path, password=password)
        except pdfium.PdfiumError as error:
            if error.err_code == pdfium_c.FPDF_ERR_PASSWORD:
                continue
            mended = _with_new_end(path)
            if mended is None:
                raise ParseError(f"{storable(path.name)} cannot be opened: {error}") from error
            logger.warning("%s is cut short; reading what is left of it", path.name)
            return mended
    tried = "give one"
    if passwords:
        many = f"none of the {len(passwords)} passwords given opens"
        tried = ("the password given does not open" if len(passwords) == 1 else many) + " it"
    raise PasswordNeeded(f"{storable(path.name)} is encrypted and needs a password; {tried}")


def _with_new_end(path: Path) -> Any | None:
    """The document with a trailer in place of the lost one, if its catalog is still there.

    PDFium finds objects without their table, but not the first of them without a trailer.
    Encrypted files cannot be mended: what decrypts them was in the trailer.
    """
    data = path.read_bytes()
    catalogs = _CATALOG.findall(data)
    if not catalogs or b"/Encrypt" in data:
        return None
    table = data.rfind(b"\nxref")
    kept = data[:table] if table > 0 and b" obj" not in data[table:] else data
    end = b"\nendstream\nendobj\ntrailer\n<</Root %s 0 R/Size 1>>\n%%%%EOF\n" % catalogs[-1]
    try:
        return pdfium.PdfDocument(kept + end)
    except pdfium.PdfiumError as error:
        logger.info("%s cannot be mended: %s", path.name, error)
        return None
