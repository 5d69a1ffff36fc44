"""Which files go to the parser, and which there is nothing to do for."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from armt_core.document_model import DocumentModel
from armt_core.errors import LibraryError, PasswordNeeded
from ingest.child import ParserPool
from ingest.files import FoundFile
from ingest.ocr import Ocr
from ingest.parsed import ParsedDocument
from ingest.reports import FileReport, Outcome, report_of
from storage.library import Library
from storage.originals import file_sha256


@dataclass(frozen=True)
class Parsing:
    """A file on its way through the parser."""

    file: FoundFile
    sha256: str
    document: Future[ParsedDocument]
    again: bool  # though its bytes are known: pages of it can be read now


def submit(
    file: FoundFile,
    library: Library,
    model: DocumentModel,
    pool: ParserPool,
    *,
    passwords: Sequence[str],
    retry: bool,
    ocr: Ocr | None,
) -> "Parsing | FileReport":
    """Sends a file to the parser, unless there is nothing to do for it."""
    if file.refusal is not None:
        outcome: Outcome = "failed" if file.named else "skipped"
        return FileReport(str(file.path), outcome, reason=file.refusal)
    try:
        sha256 = file_sha256(file.path)
    except OSError as error:
        return FileReport(str(file.path), "failed", reason=f"It cannot be read: {error.strerror}.")
    known = library.find_version(sha256, model.fingerprint)
    again = False
    if known is not None and ocr is not None:
        # To draw once more what could not be drawn has to be asked for.
        again = known.pages_need_ocr > 0 or (retry and known.pages_no_picture > 0)
    if known is not None and known.state == "ready" and not again:
        try:
            library.add_alias(known.document_id, str(file.path.absolute()), sha256)
        except LibraryError as error:  # the others still go in
            return FileReport(str(file.path), "failed", reason=str(error))
        return replace(report_of(file.path, "skipped", known), reason="known already")
    if known is not None and known.state == "failed":
        opens_now = passwords and known.reason_code == PasswordNeeded.code
        if not (retry or opens_now):
            reason = f"The same bytes failed before (--retry-failed tries again): {known.reason}"
            return replace(report_of(file.path, "failed", known), reason=reason)
    return Parsing(file, sha256, pool.submit(file.path, passwords, ocr), again)
