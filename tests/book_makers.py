"""DOCX and EPUB files for tests, made by hand: only what the formats ask for."""

import io
from urllib.parse import unquote
from zipfile import ZIP_DEFLATED, ZipFile

_TYPES = b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def zipped(parts: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def paragraph(text: str, style: str = "", properties: str = "") -> str:
    style = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    run = f"<w:rPr>{properties}</w:rPr>" if properties else ""
    return f'<w:p>{style}<w:r>{run}<w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def word_table(rows: list[list[str]]) -> str:
    cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in cells) + "</w:tbl>"


def docx_bytes(
    body: str, title: str | None = None, prolog: str = "", **others: bytes | str
) -> bytes:
    """`body` is WordprocessingML with the prefix w; `others` are parts of word/, by stem."""
    parts: dict[str, bytes | str] = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" '
        f'Type="{_OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'{prolog}<w:document xmlns:w="{_WORD}" xmlns:r="{_OFFICE}">'
        f"<w:body>{body}</w:body></w:document>",
    }
    if title is not None:
        parts["docProps/core.xml"] = (
            '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/'
            f'core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}'
            "</dc:title></cp:coreProperties>"
        )
    parts |= {f"word/{stem}.xml": data for stem, data in others.items()}
    return zipped(parts)


def chapter(body: str, head: str = "<title/>") -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head>{head}</head><body>{body}</body></html>"
    )


def epub_bytes(
    chapters: dict[str, bytes | str],
    title: str = "A Book of Tides",
    contents: dict[str, str] | None = None,
    old_contents: dict[str, str] | None = None,
    **others: bytes | str,
) -> bytes:
    """`chapters` by name, in the order of the spine; `contents` gives names to addresses.

    `old_contents` makes an NCX of EPUB 2 of them. `others` are parts of META-INF/, by stem.
    """
    items = [f'<item id="c{i}" href="{name}" media-type="application/xhtml+xml"/>'
             for i, name in enumerate(chapters)]  # fmt: skip
    parts: dict[str, bytes | str] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:'
        'container"><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
    }
    if contents is not None:
        items.append('<item id="nav" href="nav.xhtml" properties="nav" '
                     'media-type="application/xhtml+xml"/>')  # fmt: skip
        links = "".join(f'<li><a href="{to}">{name}</a></li>' for to, name in contents.items())
        parts["OEBPS/nav.xhtml"] = chapter(
            f'<nav xmlns:epub="http://www.idpf.org/2007/ops" epub:type="toc"><ol>{links}</ol></nav>'
        )
    if old_contents is not None:
        items.append('<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>')
        points = "".join(
            f'<navPoint><navLabel><text>{name}</text></navLabel><content src="{to}"/></navPoint>'
            for to, name in old_contents.items()
        )
        parts["OEBPS/toc.ncx"] = (
            f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>{points}</navMap></ncx>'
        )
    spine = "".join(f'<itemref idref="c{i}"/>' for i in range(len(chapters)))
    parts["OEBPS/book.opf"] = (
        '<package xmlns="http://www.idpf.org/2007/opf" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata><dc:title>{title}</dc:title></metadata>"
        f"<manifest>{''.join(items)}</manifest><spine>{spine}</spine></package>"
    )
    parts |= {f"META-INF/{stem}.xml": data for stem, data in others.items()}
    return zipped(parts | {f"OEBPS/{unquote(name)}": data for name, data in chapters.items()})
