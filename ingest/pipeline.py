"""The way of a document: find, hash, known? skip, parse in a child process, read, report."""

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event, Lock

from armt_core.document_model import DocumentModel
from armt_core.errors import (
    BeingRead,
    LibraryError,
    LostClaim,
    RecollectError,
)
from ingest.batching import SideBySide, documents_at_once
from ingest.child import ParserPool
from ingest.files import find_files
from ingest.limits import ParseLimits
from ingest.ocr import Ocr
from ingest.parsed import ParsedDocument, legible_page
from ingest.reading import read_document
from ingest.reports import FileReport, Outcome, report_of
from ingest.submitting import Parsing, submit
from storage.claims import Claim
from storage.library import Library
from storage.records import Document, Version

log = logging.getLogger(__name__)

#: Called while a file is read: its path, segments done, segments in all.
FileProgress = Callable[[Path, int, int], None]


def ingest_paths(
    paths: Sequence[Path | str],
    library: Library,
    model: DocumentModel,
    *,
    workers: int = 1,
    passwords: Sequence[str] = (),
    retry_failed: bool = False,
    keep_originals: bool = True,
    ocr: Ocr | None = None,
    limits: ParseLimits | None = None,
    progress: FileProgress | None = None,
    at_once: int | None = None,
) -> Generator[FileReport]:
    """Reads files and folders into the library; a report for each file, as it is done.

    workers: child processes that parse ahead while the model reads. ocr: what reads pages
    that are pictures (of documents in the library too, if they still need it). at_once: documents
    that are read side by side (None: one on a CPU, several on a GPU). A file that fails
    is reported and recorded, and the others still go in; where the library could not be
    written it is reported alone, and the next run goes on. Raises LibraryError if the library
    cannot be read.
    """
    files = find_files(paths)
    ahead: deque[Parsing | FileReport] = deque()
    reader = SideBySide.of(model, at_once or documents_at_once(model))
    stop, one_at_a_time = Event(), Lock()

    def shown(path: Path, done: int, total: int) -> None:
        if stop.is_set():
            raise _Stopped
        if progress:
            with one_at_a_time:
                progress(path, done, total)

    reading: dict[Future[FileReport], str] = {}  # with the hash of the file's bytes
    with (
        ParserPool(workers, limits or ParseLimits()) as pool,
        ThreadPoolExecutor(reader.documents, thread_name_prefix="reader") as threads,
    ):
        try:
            file = next(files, None)
            while ahead or reading or file is not None:
                while file is not None and len(ahead) < workers + reader.documents:
                    ahead.append(
                        submit(
                            file,
                            library,
                            model,
                            pool,
                            passwords=passwords,
                            retry=retry_failed,
                            ocr=ocr,
                        )
                    )
                    file = next(files, None)
                # The same bytes twice: the second waits, and is then known already.
                while ahead and len(reading) < reader.documents:
                    item = ahead[0]
                    if isinstance(item, Parsing) and item.sha256 in reading.values():
                        break
                    ahead.popleft()
                    if isinstance(item, FileReport):
                        yield _logged(item)
                    else:
                        # `progress` runs there as if it were called here.
                        work = partial(_take_in, item, library, reader, keep_originals, shown)
                        future = threads.submit(copy_context().run, work)
                        reading[future] = item.sha256
                for future in wait(reading, return_when=FIRST_COMPLETED).done:
                    del reading[future]
                    yield _logged(future.result())
        finally:  # interrupted, or done with: the threads leave off at the next segment
            stop.set()
            for future in reading:
                future.cancel()


def _logged(report: FileReport) -> FileReport:
    log.info("%s: %s %s", report.path, report.outcome, report.reason or "")
    return report


class _Stopped(Exception):
    """Nobody waits for this reading any more; its claim is released, its checkpoints stay."""


def _take_in(
    item: Parsing,
    library: Library,
    model: SideBySide,
    keep_originals: bool,
    progress: FileProgress,
) -> FileReport:
    """What becomes of a file. Trouble of the library is told, and not held against the file."""
    try:
        return _outcome(item, library, model, keep_originals, progress)
    except (BeingRead, LostClaim) as error:
        return FileReport(str(item.file.path), "skipped", reason=str(error))
    except LibraryError as error:
        return FileReport(str(item.file.path), "failed", reason=str(error))


def _outcome(
    item: Parsing,
    library: Library,
    model: SideBySide,
    keep_originals: bool,
    progress: FileProgress,
) -> FileReport:
    path, started = item.file.path, time.perf_counter()
    parsed: ParsedDocument | None = None
    failure: RecollectError | None = None
    try:
        parsed = item.document.result()
    except RecollectError as error:
        failure = error
    claim = Claim.new()
    try:
        known = library.find_version(item.sha256, model.fingerprint)
        version = library.begin_reading(
            str(path.absolute()),
            item.sha256,
            model.fingerprint,
            parsed.title if parsed else path.stem,
            parsed.format if parsed else path.suffix.lower().lstrip(".") or "unknown",
            path.stat().st_size,
            claim,
            again=item.again,
        )
    except OSError as error:
        return FileReport(str(path), "failed", reason=f"It cannot be read: {error.strerror}.")
    if version.state == "ready":  # the same bytes came in by another path meanwhile
        return replace(report_of(path, "skipped", version), reason="known already")
    if failure is not None or parsed is None:
        library.fail(version.id, claim, str(failure), failure.code if failure else "parse")
        failed = library.version(version.id)
        return replace(report_of(path, "failed", failed), seconds=time.perf_counter() - started)
    return _read_claimed(
        item, parsed, version, known, claim, library, model, keep_originals, progress, started
    )


def _read_claimed(
    item: Parsing,
    parsed: ParsedDocument,
    version: Version,
    known: Version | None,
    claim: Claim,
    library: Library,
    model: SideBySide,
    keep_originals: bool,
    progress: FileProgress,
    started: float,
) -> FileReport:
    path = item.file.path
    others = [v for v in library.versions(version.document_id) if v.id != version.id]
    released = False
    try:
        if keep_originals:
            library.keep_original(item.sha256, path)
        with model.document():
            outcome = read_document(
                parsed,
                version,
                claim,
                library,
                model,
                lambda done, total: progress(path, done, total),
            )
        released = True
    except LibraryError:
        raise
    except RecollectError as error:
        library.fail(version.id, claim, str(error), error.code)
        released = True
        return replace(
            report_of(path, "failed", library.version(version.id)),
            seconds=time.perf_counter() - started,
        )
    finally:
        if not released:  # interrupted: anyone may go on from the last checkpoint
            _release(library, version, claim)
    went_on = known is not None and known.state != "ready" and known.segments_read > 0
    if outcome.continued_at or went_on:
        kind: Outcome = "continued"
    else:
        kind = "reread" if any(v.is_current for v in others) else "added"
    report = report_of(path, kind, outcome.version)
    if outcome.other_conditions is not None:
        remark = (
            f"continued a reading made with {outcome.other_conditions}, now {model.conditions}: "
            "not bit for bit the memory of one reading"
        )
        report = replace(report, reason="; ".join(filter(None, [report.reason, remark])))
    return replace(
        report,
        segments_read=outcome.segments_read,
        seconds=time.perf_counter() - started,
    )


def _release(library: Library, version: Version, claim: Claim) -> None:
    try:
        library.release(version.id, claim)
    except LibraryError as error:  # the claim of a process that has ended counts for nothing
        log.warning('"%s" stays claimed until this process ends: %s', version.title, error)


def reread_document(
    document: Document,
    library: Library,
    model: DocumentModel,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Version:
    """Reads a document's stored pages again, with this model.

    Mends a damaged memory and replaces one of another model; the old one serves until
    the new one is ready. A reading that was interrupted goes on from its last checkpoint.
    Raises BeingRead, LostClaim, LibraryError; for a document without stored pages too.
    """
    if document.memory_alone:
        raise LibraryError(
            f'"{document.title}" ({document.id}) was imported as a memory alone: there is no text '
            "to read again. Import it again, ingest the document itself, or delete it."
        )
    claim = Claim.new()
    pages = tuple(library.pages(document.id))
    if document.format == "pdf":  # an older parser may have stored what says nothing
        pages = tuple(map(legible_page, pages))
    if not pages and document.interrupted:
        raise LibraryError(
            f'The reading of "{document.title}" was interrupted before its text was stored. Add '
            "its file again, or delete it."
        )
    path = document.aliases[0] if document.aliases else document.title
    version = library.begin_reading(
        path,
        document.sha256,
        model.fingerprint,
        document.title,
        document.format,
        library.version(document.version_id).size_bytes,
        claim,
        again=True,
    )
    finished = False
    try:
        parsed = ParsedDocument(document.title, document.format, pages, document.ocr)
        outcome = read_document(parsed, version, claim, library, model, progress, inherit=False)
        finished = True
    finally:
        if not finished:
            _release(library, version, claim)
    return outcome.version
