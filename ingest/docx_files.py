"""DOCX: one page 0, through mammoth, which makes HTML of it.

What was deleted with changes tracked is left out and what was inserted is in. Comments,
headers and footers are no text; notes stand at the end. Where pages end is not in the file.
mammoth is given the parts that hold text alone, without pictures, after lxml has read them:
so entities, absurd nesting and links to elsewhere never reach it.
"""

import logging
from pathlib import Path
from typing import Any

import mammoth
from lxml import etree

from armt_core.errors import ParseError
from ingest.faults import FAULTS, words_of
from ingest.html_files import first_heading, html_tree
from ingest.html_text import text_of
from ingest.limits import ParseLimits
from ingest.parsed import ParsedDocument, title_from_name
from ingest.xml_parts import stated_title, xml_only
from ingest.zipped import ZippedParts
from storage.records import Page

logger = logging.getLogger(__name__)

_PROPERTIES = "docProps/core.xml"
_NOT_THE_TEXT = ("docProps/", "customXml/")
_HIDDEN = etree.XPath(
    "//*[local-name()='r'][*[local-name()='rPr']/*[local-name()='vanish']"
    "[not(@*[local-name()='val'][.='0' or .='false' or .='off'])]]"
)
_STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh"


def parse_docx(path: Path, limits: ParseLimits) -> ParsedDocument:
    """One page 0 without a label; the title from the properties, else the first heading.

    Raises ParseError if it is damaged, encrypted or holds no text, LimitExceeded if it
    unpacks to too much.
    """
    with ZippedParts(path, "DOCX", limits) as parts:
        if "[Content_Types].xml" not in parts:
            raise ParseError(f"{path.name} is a zip archive, but no DOCX file")
        stated = stated_title(parts, _PROPERTIES)
        tree = html_tree(_html(parts, path.name), path.name)
    text = "" if tree is None else text_of(_without_ways_back(tree))
    if tree is None or not text.strip():
        raise ParseError(f"{path.name} holds no text (pictures are none)")
    title = stated or first_heading(tree) or title_from_name(path)
    return ParsedDocument(title, "docx", (Page(0, None, text),))


def _html(parts: ZippedParts, name: str) -> str:
    try:
        result = mammoth.convert_to_html(
            xml_only(parts, name, _NOT_THE_TEXT, _mend),
            style_map=_STYLES,
            # Styles that come with the file could make its text disappear.
            include_embedded_style_map=False,
            external_file_access=False,
            convert_image=lambda image: [],
        )
    except FAULTS as error:
        logger.info("%s: %r", name, error)
        raise ParseError(f"{name} is no DOCX file, or damaged: {words_of(error)}") from error
    html: str = result.value
    return html


def _mend(tree: Any) -> None:
    """Without pictures, hidden text and links."""
    for element in (*_HIDDEN(tree), *tree.iter("{*}blip", "{*}imagedata")):
        element.getparent().remove(element)
    for link in tree.iter("{*}hyperlink"):
        link.attrib.clear()  # where it leads is no text, and may be missing


def _without_ways_back(tree: Any) -> Any:
    """Without the arrows that lead from a note back to where it is called."""
    for link in tree.iter("a"):
        if link.get("href", "").startswith(("#footnote-ref-", "#endnote-ref-")):
            link.clear(keep_tail=True)
    return tree
