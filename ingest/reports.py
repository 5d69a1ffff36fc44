"""What became of a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from storage.records import Version

Outcome = Literal["added", "skipped", "continued", "reread", "failed"]

#: Above this share of tokens unknown to the vocabulary, a document counts as not readable.
MOST_UNKNOWN = 0.1


@dataclass(frozen=True)
class FileReport:
    """What became of one file.

    added: a document new to the library. continued: read on from an earlier state of it
    (a reading that had stopped, or a file that grew). reread: a known document read from
    its beginning (changed bytes, or another model). segments_read: by this run alone.
    """

    path: str
    outcome: Outcome
    document_id: str | None = None
    title: str | None = None
    reason: str | None = None
    pages: int = 0
    pages_without_text: int = 0
    tokens: int = 0
    segments_read: int = 0
    seconds: float = 0.0


def report_of(path: Path, outcome: Outcome, version: Version) -> FileReport:
    """The report of a file that is now `version`, with what is worth knowing of it."""
    return FileReport(
        str(path),
        outcome,
        document_id=version.document_id,
        title=version.title,
        reason=version.reason or _remark(version),
        pages=version.pages,
        pages_without_text=version.pages_without_text,
        tokens=version.tokens,
    )


def _remark(version: Version) -> str | None:
    """What is worth knowing of a document that went in."""
    remarks = []
    if version.pages_by_ocr:
        remarks.append(
            f"{version.pages_by_ocr} of {version.pages} pages were read by OCR ({version.ocr}), "
            "which makes mistakes"
        )
    # A page of a text file is blank because its author left it so.
    blank = version.pages_without_text - version.pages_need_ocr - version.pages_no_picture
    if version.pages_need_ocr:
        remarks.append(
            f"{version.pages_need_ocr} of {version.pages} pages have no text: needs OCR "
            "(python -m ingest --ocr eng reads them, with tesseract)"
        )
    if version.pages_no_picture:
        remarks.append(
            f"{version.pages_no_picture} of {version.pages} pages have no text and cannot be drawn"
            ": the file is damaged there"
        )
    if blank:
        remarks.append(f"{blank} of {version.pages} pages have no text")
    if version.unknown_ratio > MOST_UNKNOWN:
        remarks.append(
            f"not readable by this model: {version.unknown_ratio:.0%} of its tokens are unknown "
            "to the vocabulary; word search still covers it"
        )
    return "; ".join(remarks) or None
