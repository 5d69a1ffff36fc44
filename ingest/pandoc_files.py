"""Formats that pandoc reads: it makes HTML of them, and our own reader of HTML the text.

pandoc is a program of 160 MB, so it comes with an extra package and only where it is wanted.
It gets the bytes on its standard input and runs in its sandbox: it opens no other file and no
address. What can be checked is checked before: archives are unpacked and packed again as plain
XML, texts are decoded, FictionBook is read by lxml, which knows its encodings.
"""

import importlib.util
import logging
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lxml import etree

from armt_core.errors import LimitExceeded, ParseError, UnsupportedFormat
from ingest.faults import FAULTS, words_of
from ingest.html_files import first_heading, html_tree
from ingest.html_text import text_of
from ingest.limits import ParseLimits
from ingest.office_xml import mend_fb2, mend_odt, mend_pptx
from ingest.parsed import ParsedDocument, title_from_name
from ingest.rtf_text import utf8_rtf
from ingest.text_files import read_text
from ingest.xml_parts import plain_xml, stated_title, xml_only
from ingest.zipped import ZippedParts
from storage.records import Page

logger = logging.getLogger(__name__)

_ZIPPED = {  # the part that must be there, the one with the title, what is mended
    "odt": ("content.xml", "meta.xml", mend_odt),
    "pptx": ("ppt/presentation.xml", "docProps/core.xml", mend_pptx),
}
_TEXTS = {"ipynb": "ipynb", "org": "org", "tex": "latex"}  # and what pandoc calls them
PANDOC_FORMATS = frozenset((*_ZIPPED, *_TEXTS, "rtf", "fb2"))
"""What pandoc is asked to read, by suffix without its dot."""

PACKAGE = "pypandoc_binary==1.17"
_ODT_MANIFEST = "META-INF/manifest.xml"
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_NOT_READ = "Could not load"  # a part that is another file; the rest of the warnings is of looks
_MOST_WARNINGS = 20
_MOST_WORDS = 300  # characters of what pandoc says


def pandoc_refusal(path: Path) -> str | None:
    """Why a file of these formats cannot be read here: the package is missing. Else None."""
    if path.suffix.lower().removeprefix(".") not in PANDOC_FORMATS or _program() is not None:
        return None
    return (
        f"{path.name} needs pandoc, which is not installed here. "
        f"Install it with: python -m pip install {PACKAGE}"
    )


def parse_with_pandoc(path: Path, kind: str, limits: ParseLimits) -> ParsedDocument:
    """One page 0 without a label, of a presentation one a slide; the title from the properties,
    else the first heading.

    kind: one of PANDOC_FORMATS. Raises UnsupportedFormat if pandoc is not installed, ParseError if
    the file is damaged or holds no text, LimitExceeded if it needs more than the limits allow.
    """
    if refusal := pandoc_refusal(path):
        raise UnsupportedFormat(refusal)
    source, stated = _source(path, kind, limits)
    tree = html_tree(_html(source, _TEXTS.get(kind, kind), path.name, limits), path.name)
    if tree is not None:
        stated = stated or _title_block(tree, keep=kind in ("org", "tex"))
        stated = stated or first_heading(tree)
        _mend_notes(tree)
    pages = () if tree is None else _slides(tree) if kind == "pptx" else (text_of(tree),)
    if not any(text.strip() for text in pages):
        raise ParseError(f"{path.name} holds no text (pictures are none)")
    return ParsedDocument(
        stated or title_from_name(path),
        kind,
        tuple(Page(number, None, text) for number, text in enumerate(pages)),
    )


def _program() -> Path | None:
    """The pandoc of the package; another one on this machine would give another text."""
    found = importlib.util.find_spec("pypandoc")
    if found is None or found.origin is None:
        return None
    name = "pandoc.exe" if sys.platform == "win32" else "pandoc"
    program = Path(found.origin).parent / "files" / name
    return program if program.is_file() else None


def _source(path: Path, kind: str, limits: ParseLimits) -> tuple[bytes, str | None]:
    """What pandoc is given, and the title in the properties."""
    if kind in _ZIPPED:
        return _unzipped(path, kind, limits)
    if kind == "rtf":
        return utf8_rtf(path.read_bytes(), path.name), None
    if kind == "fb2":
        return _fiction_book(path), None
    text = read_text(path)
    if kind == "tex":  # pandoc drops the cell of a table that follows these
        text = text.replace("\\endlastfoot", "").replace("\\endfoot", "")
    return text.encode("utf-8", "replace"), None


def _unzipped(path: Path, kind: str, limits: ParseLimits) -> tuple[bytes, str | None]:
    needed, properties, mend = _ZIPPED[kind]
    with ZippedParts(path, kind.upper(), limits) as parts:
        if needed not in parts:
            raise ParseError(f"{path.name} is a zip archive, but no {kind.upper()} file")
        # OpenDocument encrypts its parts itself, so that the archive does not show it.
        if _ODT_MANIFEST in parts and b"encryption-data" in parts.read(_ODT_MANIFEST):
            raise ParseError(f"{path.name} is encrypted; save a copy of it without a password")
        try:
            packed = xml_only(parts, path.name, ("customXml/",), mend)
        except FAULTS as error:
            raise _damaged(path.name, words_of(error)) from error
        return packed.getvalue(), stated_title(parts, properties)


def _fiction_book(path: Path) -> bytes:
    try:
        tree = plain_xml(path.read_bytes(), path.name)
    except FAULTS as error:
        raise _damaged(path.name, words_of(error)) from error
    if etree.QName(tree).localname != "FictionBook":
        raise ParseError(f"{path.name} is XML, but no FictionBook")
    mend_fb2(tree)
    data: bytes = etree.tostring(tree, encoding="utf-8")
    return data


def _html(source: bytes, reader: str, name: str, limits: ParseLimits) -> str:
    program = _program()
    assert program is not None
    command = [
        *(str(program), "--sandbox", "--from", reader, "--to", "html", "--standalone"),
        *("--wrap=none", "--syntax-highlighting=none", "--variable=pagetitle:-"),
        f"--data-dir={program.parent}",  # not the user's own templates
        *("+RTS", f"-M{limits.memory_bytes // 2}", "-RTS"),  # its heap is copied to be collected
    ]
    try:
        done = subprocess.run(
            command,
            input=source,
            capture_output=True,
            check=False,
            timeout=limits.seconds,
            preexec_fn=_dying_with_us(),
        )
    except subprocess.TimeoutExpired as error:
        raise LimitExceeded(
            f"{name} took more than {limits.seconds:g} seconds and was given up"
        ) from error
    said = done.stderr.decode("utf-8", "replace")
    if "Heap exhausted" in said or "out of memory" in said:
        raise LimitExceeded(
            f"{name} needs more than {limits.memory_bytes / 2**20:,.0f} MiB of memory"
        )
    if done.returncode:
        raise _damaged(name, said or f"pandoc ended with {done.returncode}")
    missing = [line for line in said.splitlines() if _NOT_READ in line]
    for line in missing[:_MOST_WARNINGS]:
        logger.warning("%s: %s", name, line.removeprefix("[WARNING] ")[:_MOST_WORDS])
    return done.stdout.decode("utf-8", "replace")


def _dying_with_us() -> Callable[[], None] | None:
    """What the new process does first, so that it is killed when this one is (on Linux)."""
    if sys.platform != "linux":
        return None
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def _damaged(name: str, said: str) -> ParseError:
    said = " ".join(said.split())[:_MOST_WORDS]
    return ParseError(f"{name} is damaged, or not of the format that its name says: {said}")


def _title_block(tree: Any, keep: bool) -> str | None:
    """The title that pandoc sets above the text; unless `keep`, it is of the properties alone."""
    block = tree.find(".//header[@id='title-block-header']")
    if block is None:
        return None
    title = first_heading(block)
    if not keep:
        block.getparent().remove(block)
    return title


def _mend_notes(tree: Any) -> None:
    """[1] where a note is called, and no arrows that lead back there."""
    for link in list(tree.iter("a")):
        if link.get("role") == "doc-backlink":
            link.clear(keep_tail=True)
        elif link.get("role") == "doc-noteref":
            number = "".join(link.itertext())
            link.clear(keep_tail=True)
            link.text = f"[{number}]"


def _slides(tree: Any) -> tuple[str, ...]:
    """The text of each slide, which begins with a heading; "Slide 3" is no title but pandoc's."""
    slides: list[Any] = []
    for element in list(tree.find("body")):
        if element.tag == "h2" and element.get("id") == f"slide-{len(slides) + 1}":
            slides.append(etree.Element("div"))
            if text_of(element) == f"Slide {len(slides)}":
                continue
        if slides:
            slides[-1].append(element)
    return tuple(map(text_of, slides))
