"""Parsing and drawing in child processes that can be stopped.

A file from anywhere may hang a parser, fill the memory or crash it. So it is opened in a
fresh Python that imports only the parsers, works on one file at a time and is replaced
once it has died or been killed; what it was doing becomes an error with words.

The child is started with `subprocess` rather than `multiprocessing`, which would first
import the parent's main module (with torch and the UI, or a script without a guard) in
the child. Nothing that it sends is unpickled.
"""

import json
import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from armt_core.errors import NoPicture, ParseError
from ingest.child_process import ChildProcess
from ingest.limits import ParseLimits
from ingest.parsed import ParsedDocument, storable
from storage.records import Page

if TYPE_CHECKING:
    from ingest.ocr import Ocr

logger = logging.getLogger(__name__)


class ParserPool:
    """Parses files and draws pages, `workers` at a time, each in its own child process.

    Children start when first needed (half a second) and stay for the next file. Close the
    pool, or use it as a context manager: that stops the children at once; what they were
    doing fails with ParseError and what was waiting is cancelled.
    """

    def __init__(self, workers: int = 1, limits: ParseLimits | None = None) -> None:
        limits = limits or ParseLimits()
        self._children = [ChildProcess(limits) for _ in range(max(1, workers))]
        self._closed = False
        self._threads = ThreadPoolExecutor(len(self._children), thread_name_prefix="parser")
        self._idle: SimpleQueue[ChildProcess] = SimpleQueue()
        for child in self._children:
            self._idle.put(child)

    def __enter__(self) -> "ParserPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(
        self, path: Path, passwords: Sequence[str] = (), ocr: "Ocr | None" = None
    ) -> "Future[ParsedDocument]":
        """`parse_file(path, passwords)` in a child; the future raises what it raises.

        With `ocr`, pages that need it are read from their pictures, each within the limits
        of a file; one that cannot be read still needs OCR, and a warning says why. One that
        cannot be drawn never will be read, and needs it no longer.
        """
        return self._threads.submit(self._parse, path, list(passwords), ocr)

    def draw(
        self,
        path: Path,
        page: int,
        password: str | None = None,
        boxes_for: tuple[int, int] | None = None,
        scale: float = 2.0,
    ) -> "Future[bytes]":
        """`draw_page(...)` in a child: PNG bytes; the future raises what it raises."""
        request = {"page": page, "password": password, "boxes_for": boxes_for, "scale": scale}
        return self._threads.submit(self._run, "draw", path, request)

    def close(self) -> None:
        """Stop the children."""
        self._closed = True
        for child in self._children:
            child.close()
        self._threads.shutdown(cancel_futures=True)

    def _parse(self, path: Path, passwords: list[str], ocr: "Ocr | None") -> ParsedDocument:
        answer = json.loads(self._run("parse", path, {"passwords": passwords}))
        pages = [Page(*page) for page in answer["pages"]]
        if ocr is not None:
            for number, page in enumerate(pages):
                if page.needs_ocr:
                    pages[number] = self._read_picture(path, page, passwords, ocr)
        engine = ocr.engine if ocr and any(page.by_ocr for page in pages) else None
        return ParsedDocument(answer["title"], answer["format"], tuple(pages), engine)

    def _read_picture(self, path: Path, page: Page, passwords: list[str], ocr: "Ocr") -> Page:
        request = {"page": page.number, "passwords": passwords, "languages": ocr.languages}
        try:
            text = self._run("ocr", path, request).decode()
        except NoPicture as error:
            logger.warning("Page %d of %s has no text: %s", page.number, path.name, error)
            return Page(page.number, page.label, "", no_picture=True)
        except ParseError as error:
            if self._closed:
                raise
            logger.warning("Page %d of %s still needs OCR: %s", page.number, path.name, error)
            return page
        return Page(page.number, page.label, text, by_ocr=True)

    def _run(self, task: str, path: Path, request: dict[str, Any]) -> bytes:
        child = self._idle.get()
        try:
            request = {"task": task, "path": str(path.absolute()), **request}
            return child.run(request, storable(path.name))
        finally:
            self._idle.put(child)


def parse_in_child(
    path: Path,
    passwords: Sequence[str] = (),
    limits: ParseLimits | None = None,
    ocr: "Ocr | None" = None,
) -> ParsedDocument:
    """As `ParserPool.submit`, in a child process of its own. Raises what it raises."""
    with ParserPool(1, limits) as pool:
        return pool.submit(path, passwords, ocr).result()


def draw_in_child(
    path: Path,
    page: int,
    password: str | None = None,
    boxes_for: tuple[int, int] | None = None,
    scale: float = 2.0,
    limits: ParseLimits | None = None,
) -> bytes:
    """`draw_page` in a child process of its own: PNG bytes. Raises what it raises."""
    with ParserPool(1, limits) as pool:
        return pool.draw(path, page, password, boxes_for, scale).result()
