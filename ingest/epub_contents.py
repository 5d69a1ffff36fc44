"""The table of contents of an EPUB: which chapter begins in which part."""

import logging
import posixpath
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from armt_core.errors import ParseError
from ingest.faults import FAULTS, words_of
from ingest.html_text import text_of
from ingest.xml_parts import xml_tree
from ingest.zipped import ZippedParts

logger = logging.getLogger(__name__)

_TYPE = "{http://www.idpf.org/2007/ops}type"
_NCX = "application/x-dtbncx+xml"
_LONGEST = 200


def chapter_labels(parts: ZippedParts, package: Any, package_name: str) -> dict[str, str]:
    """For each part in which a chapter begins, the first such chapter's name.

    From the navigation document (EPUB 3), else the NCX (EPUB 2); empty if neither can be
    read: a book without its contents is still a book.
    """
    folder = posixpath.dirname(package_name)
    items = package.findall(".//{*}manifest/{*}item")
    navigation = [i for i in items if "nav" in i.get("properties", "").split()]
    for item in navigation + [i for i in items if i.get("media-type") == _NCX]:
        name = posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
        try:
            tree = xml_tree(parts.read(name))
        except (ParseError, *FAULTS) as error:
            logger.info("the table of contents %s cannot be read: %s", name, words_of(error))
            continue
        labels: dict[str, str] = {}
        for target, label in _entries(tree):
            target = unquote(target.partition("#")[0])
            label = " ".join(label.split())[:_LONGEST]
            if target and label:
                part = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
                labels.setdefault(part, label)
        if labels:
            return labels
    return {}


def _entries(tree: Any) -> Iterator[tuple[str, str]]:
    """(address, chapter) in order, of either kind of table."""
    for point in tree.iter("{*}navPoint"):
        content = point.find("{*}content")
        if content is not None:
            yield content.get("src", ""), point.findtext("{*}navLabel/{*}text", "")
    tables = tree.findall(".//{*}nav")
    of_contents = [nav for nav in tables if nav.get(_TYPE) == "toc"] or tables[:1]
    for link in (link for nav in of_contents for link in nav.iter("{*}a")):
        yield link.get("href", ""), text_of(link)
