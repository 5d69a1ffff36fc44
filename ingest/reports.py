"""What became of a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from storage.records import Version

Outcome = Literal["added", "skipped", "continued", "reread", "failed"]

#: Above this share of tokens unknown to the vocabulary, a document counts as not readable.
MOST_UNKNOWN = 0.1


_OCR = "python -m ingest --ocr eng reads such pages, with tesseract"


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
    if version.pages_without_text:
        remarks.append(_without_text(version))
    if version.unknown_ratio > MOST_UNKNOWN:
        remarks.append(
            f"not readable by this model: {version.unknown_ratio:.0%} of its tokens are unknown "
            "to the vocabulary; word search still covers it"
        )
    return "; ".join(remarks) or None


def _without_text(version: Version) -> str:
    """How many pages have no text, and why, as far as that is known: a page of a text file is blank
    because its author left it so."""
    without, pages = version.pages_without_text, version.pages
    told = f"{without} of {pages} {'page' if pages == 1 else 'pages'} "
    told += "has no text" if without == 1 else "have no text"
    kinds = []
    if need := version.pages_need_ocr:
        kinds.append(f"{need} {'needs' if need == 1 else 'need'} OCR ({_OCR})")
    if version.pages_no_picture:
        kinds.append(f"{version.pages_no_picture} cannot be drawn (the file is damaged there)")
    return f"{told}: {', '.join(kinds)}" if kinds else told
