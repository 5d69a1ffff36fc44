"""PDFs that nobody should have to open, made by hand; small, whatever they unpack to."""

import zlib

from tests.pdf_makers import encrypted, pdf_by_hand, pdf_bytes, pdf_of_codes, turned

SHOWN = b"BT /F1 12 Tf 50 300 Td (some words) Tj ET"
_FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
_CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
_EMPTY_PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"


def one_page(
    content: bytes = SHOWN,
    of_stream: bytes = b"",
    of_page: bytes = b"",
    of_catalog: bytes = b"",
    font: bytes = _FONT,
) -> bytes:
    """A page that shows "some words", with whatever else is given for its objects."""
    return pdf_by_hand(
        [
            b"<</Type/Catalog/Pages 2 0 R%s>>" % of_catalog,
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 400]/Contents 4 0 R"
            b"/Resources<</Font<</F1 5 0 R>>>>%s>>" % of_page,
            b"<<%s/Length %d>>stream\n%s\nendstream" % (of_stream, len(content), content),
            font,
        ]
    )


def page_tree(kids: bytes, count: int, *others: bytes) -> bytes:
    return pdf_by_hand([_CATALOG, b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, count), *others])


def empty_pages(count: int) -> bytes:
    kids = b" ".join(b"%d 0 R" % (3 + number) for number in range(count))
    return page_tree(kids, count, *[_EMPTY_PAGE] * count)


def forms_in_forms(levels: int) -> bytes:
    """Each form shows the next ten times, the last one itself."""
    objects = [
        _CATALOG,
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R"
        b"/Resources<</XObject<</X 5 0 R>>>>>>",
        b"<</Length 5>>stream\n/X Do\nendstream",
    ]
    for number in range(5, 5 + levels):
        following = min(number + 1, 4 + levels)
        objects.append(
            b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>"
            b"/Length 60>>stream\n%s\nendstream" % (following, b"/X Do " * 10)
        )
    return pdf_by_hand(objects)


def japanese_without_its_font() -> bytes:
    """潮の時間, in a font that is not in the file."""
    text = "潮の時間".encode("utf-16-be").hex().encode()
    return one_page(
        b"BT /F1 12 Tf 50 300 Td <%s> Tj ET" % text,
        font=b"<</Type/Font/Subtype/Type0/BaseFont/KozMinPro/Encoding/UniJIS-UCS2-H"
        b"/DescendantFonts[<</Type/Font/Subtype/CIDFontType0/BaseFont/KozMinPro"
        b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Japan1)/Supplement 2>>>>]>>",
    )


def readable() -> dict[str, tuple[bytes, str]]:
    """By name: a file that only looks bad, and what stands on its first page."""
    script = b"/OpenAction<</S/JavaScript/JS(while\\(1\\){app.alert\\(1\\)})>>"
    fetch = b"/AA<</O<</S/JavaScript/JS(app.launchURL\\('http://192.0.2.1'\\))>>>>"
    truetype = b"<</Type/Font/Subtype/TrueType/BaseFont/NoSuchFont%s>>"
    broken_font = truetype % b"/FontDescriptor<</Type/FontDescriptor/FontFile2 4 0 R>>"
    hebrew = pdf_of_codes(b"cba", {b"a": b"05D0", b"b": b"05D1", b"c": b"05D2"})
    words = "some words"
    return {
        "javascript": (one_page(of_catalog=script, of_page=fetch), words),
        "starts a program": (one_page(of_catalog=b"/OpenAction<</S/Launch/F(/bin/sh)>>"), words),
        "no such font": (one_page(font=truetype % b""), words),
        "font is nothing": (one_page(font=b"null"), words),
        "font is broken": (one_page(font=broken_font), words),
        "endless page": (one_page(of_page=b"/MediaBox[0 0 1e9 1e9]"), words),
        "no size": (one_page(of_page=b"/MediaBox[0 0 0 0]/UserUnit 1e30"), words),
        "deep arrays": (one_page(of_page=b"/A " + b"[" * 100_000 + b"]" * 100_000), words),
        "labels in a circle": (one_page(of_catalog=b"/PageLabels<</Kids[1 0 R]>>"), words),
        "outline in a circle": (one_page(of_catalog=b"/Outlines 1 0 R"), words),
        "turned": (turned(pdf_bytes(words), 270), words),
        "hebrew": (hebrew, "אבג\r\nnext"),
        "japanese": (japanese_without_its_font(), "潮の時間"),
        "no password needed": (encrypted(pdf_bytes(words), ""), words),
    }


def without_text() -> dict[str, bytes]:
    """By name: files whose pages show no text."""
    return {
        "tree in a circle": page_tree(b"2 0 R 3 0 R", 2, _EMPTY_PAGE),
        "contents of themselves": page_tree(
            b"3 0 R", 1, b"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>", b"4 0 R"
        ),
        "brackets": one_page(b"BT /F1 12 Tf (" + b"(" * 1_000_000 + b") Tj ET"),
        "a negative count": page_tree(b"3 0 R", -3, _EMPTY_PAGE),
        "3000 empty pages": empty_pages(3000),
    }


def refused() -> dict[str, tuple[bytes, str]]:
    """By name: what must not go in, and the words of the reason (a pattern)."""
    flate = b"/Filter/FlateDecode"
    broke = r"broke the parser|MiB of memory|took more than"
    lines = b"(words words) Tj 0 -14 Td " * 1_000_000
    xref = b"trailer<</Root 1 0 R/Size 3/Prev 9>>\nstartxref\n9\n%%EOF"
    zeros = zlib.compress(zlib.compress(bytes(2**28), 1), 1)
    return {
        "100000 empty pages": (empty_pages(100_000), "100000 pages; 20000 are allowed"),
        "a count that lies": (
            page_tree(b"3 0 R", 10**6, b"<</Type/Pages/Kids[2 0 R]/Count 1000000>>"),
            "1000000 pages; 20000 are allowed",
        ),
        "a deep tree": (
            page_tree(
                b"3 0 R", 1, *(b"<</Type/Pages/Kids[%d 0 R]/Count 1>>" % n for n in range(4, 3000))
            ),
            "counts pages and has none",
        ),
        "no pages": (page_tree(b"", 0), "no pages"),
        "a table in a circle": (b"%PDF-1.4\n" + xref, "no pages"),
        "nothing": (b"", "0 bytes"),
        "no more than its name": (b"%PDF-1.7", "no pages"),
        "forms in forms": (forms_in_forms(25), broke),
        "a form in itself": (forms_in_forms(1), broke),
        "spaces": (one_page(zlib.compress(b" " * 2**28, 1), flate), broke),
        "zipped twice": (one_page(zeros, b"/Filter[/FlateDecode/FlateDecode]"), broke),
        "endless text": (one_page(zlib.compress(b"BT /F1 9 Tf " + lines + b"ET", 1), flate), broke),
        "locked": (encrypted(pdf_bytes("secret"), "a password"), "needs a password"),
        "cut in the middle": (pdf_bytes("x", "y")[:300], "no pages|cannot be"),
    }
