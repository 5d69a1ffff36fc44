"""XML from strangers: no entity is expanded, no file or address opened."""

import io
import logging
from collections.abc import Callable
from typing import Any
from zipfile import ZipFile

from lxml import etree

from armt_core.errors import ParseError
from ingest.faults import FAULTS, words_of
from ingest.titles import good_title
from ingest.zipped import ZippedParts

logger = logging.getLogger(__name__)

_TITLE = ".//{http://purl.org/dc/elements/1.1/}title"


def xml_tree(data: bytes) -> Any:
    """The root element. Raises lxml.etree.LxmlError for what is no well-formed XML."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )
    return etree.fromstring(data, parser)


def plain_xml(data: bytes, name: str) -> Any:
    """As `xml_tree`, for what has no need of entities. Raises ParseError if it defines some."""
    tree = xml_tree(data)
    if tree.getroottree().docinfo.doctype:
        raise ParseError(f"{name} defines entities: that is not of this format")
    return tree


def xml_only(
    parts: ZippedParts, name: str, left_out: tuple[str, ...], mend: Callable[[Any], None]
) -> io.BytesIO:
    """An archive of the parts that are plain XML, for a converter: no pictures, no surprises.

    left_out: beginnings of the names of parts that hold no text. mend: changes each tree.
    Raises ParseError or lxml.etree.LxmlError.
    """
    out = io.BytesIO()
    with ZipFile(out, "w") as archive:
        for part in parts.names():
            if part.endswith((".xml", ".rels")) and not part.startswith(left_out):
                tree = plain_xml(parts.read(part), f"{name}, part {part!r}")
                mend(tree)
                archive.writestr(part, etree.tostring(tree, encoding="utf-8"))
    return out


def stated_title(parts: ZippedParts, part: str) -> str | None:
    """The title in the part that holds the properties, if it looks like one."""
    if part not in parts:
        return None
    try:
        return good_title(xml_tree(parts.read(part)).findtext(_TITLE))
    except (ParseError, *FAULTS) as error:
        logger.info("no title in the properties: %s", words_of(error))
        return None
