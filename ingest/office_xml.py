"""What pandoc passes over in OpenDocument, PowerPoint and FictionBook, put where it reads it.

It knows neither text in frames and shapes, nor fields (dates, references, variables), nor rows
within groups, nor shapes within groups, nor tables of FictionBook; all of that is text that a
reader of the page sees. What is no text goes: deletions, comments, hidden text, pictures, and
the numbers and footers of slides.
"""

from typing import Any

from lxml import etree

_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_DRAWN = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}*"
_HOSTS = (f"{_TEXT}p", f"{_TEXT}h")
_BLOCKS = (*_HOSTS, f"{_TEXT}list")
# What pandoc reads within a line. Everything else of the kind there is a field with a text.
_READ_IN_LINES = frozenset(
    "span a s tab line-break note note-citation note-body p h list list-item list-header sequence"
    " bookmark bookmark-start bookmark-end bookmark-ref reference-ref bibliography-mark"
    " soft-page-break reference-mark reference-mark-start reference-mark-end".split()
)
_NOT_SEEN = (
    "{*}tracked-changes", "{*}annotation", f"{_TEXT}hidden-text", f"{_TEXT}ruby-text",
)  # fmt: skip
_PRESENTED = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_FURNITURE = ("sldNum", "dt", "ftr", "hdr")


def mend_odt(tree: Any) -> None:
    """Changes a part of an OpenDocument text."""
    for element in list(tree.iter(*_NOT_SEEN)):
        _drop(element)
    for group in list(tree.iter("{*}table-rows", "{*}table-row-group", "{*}numbered-paragraph")):
        _unwrap(group)
    for drawn in list(tree.iter(_DRAWN)):
        _set_below(drawn)
    for host in tree.iter(*_HOSTS):
        for element in host.iterdescendants(f"{_TEXT}*"):
            if etree.QName(element).localname not in _READ_IN_LINES:
                element.tag = f"{_TEXT}span"


def mend_pptx(tree: Any) -> None:
    """Changes a part of a presentation."""
    for place in list(tree.iter("{*}ph")):
        if (
            place.get("type") in _FURNITURE
            and (shape := next(place.iterancestors("{*}sp"), None)) is not None
        ):
            _drop(shape)
    for choice in list(tree.iter("{*}AlternateContent")):
        if len(choice):  # the first is the best that there is
            choice[:] = list(choice[0])
        _unwrap(choice)
    for group in list(tree.iter("{*}grpSp")):
        _unwrap(group)
    for paragraph in tree.iter(f"{_PRESENTED}p"):
        _one_run(paragraph)


def mend_fb2(tree: Any) -> None:
    """Changes a FictionBook: a row of a table becomes a paragraph, pictures go."""
    for picture in tree.findall("{*}binary"):
        tree.remove(picture)
    for table in list(tree.iter("{*}table")):
        space = f"{{{etree.QName(table).namespace or ''}}}"
        for row in table.iter(f"{space}tr"):
            row.tag = f"{space}p"
            for cell in row:
                cell.tag, cell.tail = f"{space}emphasis", " "
        _unwrap(table)


def _one_run(paragraph: Any) -> None:
    """All text of a paragraph in one run: pandoc sets a space between two, also within words."""
    text = "".join(
        " " if element.tag == f"{_PRESENTED}br" else element.text or ""
        for element in paragraph.iter("{*}t", f"{_PRESENTED}br")
    )
    paragraph[:] = paragraph.findall(f"{_PRESENTED}pPr")
    run = etree.SubElement(paragraph, f"{_PRESENTED}r")
    etree.SubElement(run, f"{_PRESENTED}t").text = text


def _set_below(drawn: Any) -> None:
    """The paragraphs of a frame or shape, below the paragraph that it stands in."""
    blocks = [child for child in drawn if child.tag in _BLOCKS]
    outer = [drawn, *drawn.iterancestors(_DRAWN)][-1]
    at = next(outer.iterancestors(*_HOSTS), outer)
    for block in reversed(blocks):
        at.addnext(block)
        block.tail = None


def _unwrap(element: Any) -> None:
    """What it holds, in its place."""
    parent = element.getparent()
    at = parent.index(element)
    parent[at : at + 1] = list(element)


def _drop(element: Any) -> None:
    """Takes it out; the text that follows stays."""
    parent, before = element.getparent(), element.getprevious()
    if parent is None:
        return
    if element.tail and before is not None:
        before.tail = (before.tail or "") + element.tail
    elif element.tail:
        parent.text = (parent.text or "") + element.tail
    parent.remove(element)
