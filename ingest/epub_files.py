"""EPUB: a page a spine item, in reading order, labelled with its chapter.

The archive is read as the standard lays it out: META-INF/container.xml names the package,
whose spine names the parts. Parts are XHTML and read as XML, or as HTML where they are
not well-formed.
"""

import logging
import posixpath
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lxml import etree

from armt_core.errors import LimitExceeded, ParseError
from ingest.epub_contents import chapter_labels
from ingest.faults import FAULTS, words_of
from ingest.html_files import decoded_html, first_heading, html_tree
from ingest.html_text import text_of
from ingest.limits import ParseLimits
from ingest.parsed import ParsedDocument, title_from_name
from ingest.titles import good_title
from ingest.xml_parts import xml_tree
from ingest.zipped import ZippedParts
from storage.records import Page

logger = logging.getLogger(__name__)

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_TEXT_TYPES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "")


def parse_epub(path: Path, limits: ParseLimits) -> ParsedDocument:
    """The title and pages of a book; a part that is missing or damaged is a page without text, and
    a warning tells of it.

    Raises ParseError if no part can be read, or it is protected or holds no text, LimitExceeded if
    it is too large.
    """
    with ZippedParts(path, "EPUB", limits) as parts:
        try:
            package_name = _package_name(parts)
            package = xml_tree(parts.read(package_name))
        except FAULTS as error:
            said = words_of(error)
            raise ParseError(f"{path.name} is no EPUB file, or damaged: {said}") from error
        spine = _spine(package, package_name)
        if not spine:
            raise ParseError(f"{path.name} has no pages: its spine is empty")
        if len(spine) > limits.pages:
            raise LimitExceeded(f"{path.name} has {len(spine)} pages; {limits.pages} are allowed")
        if _protected(parts).intersection(name for name, _ in spine):
            raise ParseError(f"{path.name} is protected (DRM); its text cannot be read")
        labels = chapter_labels(parts, package, package_name)
        pages = _pages(path.name, parts, spine, labels, limits)
    if not any(page.text.strip() for page in pages):
        raise ParseError(f"{path.name} holds no text (pictures are none)")
    title = good_title(package.findtext(".//{http://purl.org/dc/elements/1.1/}title"))
    return ParsedDocument(title or title_from_name(path), "epub", tuple(pages))


def _package_name(parts: ZippedParts) -> str:
    root = xml_tree(parts.read(_CONTAINER)).find(".//{*}rootfile")
    name: str = "" if root is None else root.get("full-path", "")
    if name not in parts:
        raise ValueError(f"the package {name!r} is not there")
    return name


def _spine(package: Any, package_name: str) -> list[tuple[str, str]]:
    """(name in the archive, media type) of each part of the text, in order."""
    folder = posixpath.dirname(package_name)
    items = {
        item.get("id"): (
            posixpath.normpath(posixpath.join(folder, unquote(item.get("href", "")))),
            item.get("media-type", ""),
        )
        for item in package.iterfind(".//{*}manifest/{*}item")
    }
    wanted = (reference.get("idref") for reference in package.iterfind(".//{*}spine/{*}itemref"))
    return [items[name] for name in wanted if name in items]


def _protected(parts: ZippedParts) -> set[str]:
    """The parts that are encrypted."""
    if _ENCRYPTION not in parts:
        return set()
    try:
        tree = xml_tree(parts.read(_ENCRYPTION))
    except etree.LxmlError as error:
        logger.info("what is encrypted cannot be read: %s", words_of(error))
        return set()
    return {unquote(found.get("URI", "")) for found in tree.iterfind(".//{*}CipherReference")}


def _pages(
    name: str,
    parts: ZippedParts,
    spine: list[tuple[str, str]],
    labels: dict[str, str],
    limits: ParseLimits,
) -> list[Page]:
    pages: list[Page] = []
    lost: list[ParseError] = []
    characters, label = 0, None
    for number, (part, kind) in enumerate(spine):
        data = b""
        if kind in _TEXT_TYPES:
            try:
                data = parts.read(part)
            except ParseError as error:
                lost.append(error)
        tree = _tree(data, name) if data else None
        text = "" if tree is None else text_of(tree)
        characters += len(text)
        if characters > limits.characters:
            raise LimitExceeded(f"{name} has more than the {limits.characters} characters allowed")
        own = labels.get(part)
        if own is None and not labels and tree is not None:
            own = first_heading(tree)
        label = own or label  # a chapter may be several parts
        pages.append(Page(number, label, text))
    if lost and not characters:
        raise ParseError(f"{name} is damaged, and nothing of it can be read: {lost[0]}")
    if lost:
        logger.warning(
            "%s is damaged: %d of its %d parts cannot be read and are left out: %s",
            name,
            len(lost),
            len(spine),
            "; ".join(map(str, lost[:3])),
        )
    return pages


def _tree(data: bytes, name: str) -> Any | None:
    try:
        return xml_tree(data)
    except etree.LxmlError:
        return html_tree(decoded_html(data, name), name) if data.strip() else None
