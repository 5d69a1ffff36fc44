"""PDFs for tests, made on the fly: by fpdf2 as a writer would, by hand for the rest."""

import io
from pathlib import Path

import fpdf
import pypdf


def pdf_bytes(*pages: str, title: str | None = None, width: float = 0) -> bytes:
    """One page a text; `width` in mm wraps lines there."""
    document = fpdf.FPDF()
    document.set_font("Helvetica", size=12)
    if title is not None:
        document.set_title(title)
    for text in pages:
        document.add_page()
        if text:
            document.multi_cell(width, text=text, align="L")
    return bytes(document.output())


def rewritten(data: bytes, change=lambda writer: None) -> bytes:
    """The PDF after `change(writer)`, a pypdf PdfWriter of it."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    change(writer)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def encrypted(data: bytes, password: str, algorithm: str = "AES-256") -> bytes:
    return rewritten(data, lambda writer: writer.encrypt(password, algorithm=algorithm))


def turned(data: bytes, degrees: int, crop: tuple[float, float, float, float] | None = None):
    """Every page shown turned clockwise, and cut to `crop` (left, bottom, right, top)."""

    def change(writer: pypdf.PdfWriter) -> None:
        for page in writer.pages:
            page.rotate(degrees)
            if crop:
                page.cropbox.lower_left = crop[:2]
                page.cropbox.upper_right = crop[2:]

    return rewritten(data, change)


def pdf_by_hand(objects: list[bytes]) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalog."""
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj" % number + body + b"endobj\n"
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return bytes(out) + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF"
        % (size, table, size, len(out))
    )


def pdf_of_codes(content: bytes, unicode_of: dict[bytes, bytes]) -> bytes:
    """A page that shows `content`, whose bytes mean the UTF-16 hex given for them."""
    pairs = b"\n".join(
        b"<%s> <%s>" % (code.hex().encode(), hex_) for code, hex_ in unicode_of.items()
    )
    cmap = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def"
        b" /CMapType 2 def 1 begincodespacerange <00> <FF> endcodespacerange"
        b" %d beginbfchar %s endbfchar endcmap end end" % (len(unicode_of), pairs)
    )
    shown = b"BT /F1 12 Tf 50 300 Td (%s) Tj 0 -14 Td (next) Tj ET" % content
    return pdf_by_hand(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 400]/Contents 4 0 R"
            b"/Resources<</Font<</F1 5 0 R>>>>>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(shown), shown),
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(cmap), cmap),
        ]
    )


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path
