"""From rows to records, and the questions about rows that several parts ask."""

import json
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from armt_core.errors import ReadAnew, UnknownDocument
from storage.records import Page, Passage, Runs, State, Version
from storage.tables import PageRow, PassageRow, SnapshotRow, VersionRow


def version_record(row: VersionRow) -> Version:
    """The record of a version."""
    return Version(
        id=row.id,
        document_id=row.document_id,
        sha256=row.sha256,
        fingerprint=row.fingerprint,
        state=cast(State, row.state),
        reason=row.reason,
        reason_code=row.reason_code,
        is_current=row.is_current,
        title=row.title,
        format=row.format,
        size_bytes=row.size_bytes,
        pages=row.pages,
        pages_without_text=row.pages_without_text,
        tokens=row.tokens,
        segments_read=row.segments_read,
        segments_total=row.segments_total,
        unknown_ratio=row.unknown_ratio,
        pages_need_ocr=row.pages_need_ocr,
        pages_by_ocr=row.pages_by_ocr,
        pages_no_picture=row.pages_no_picture,
        ocr=row.ocr,
    )


def page_records(session: Session, version_id: int, number: int | None = None) -> list[Page]:
    """The pages of a version in order, or the one with this number."""
    wanted = select(PageRow).where(PageRow.version_id == version_id).order_by(PageRow.number)
    if number is not None:
        wanted = wanted.where(PageRow.number == number)
    return [
        Page(row.number, row.label, row.text, row.needs_ocr, row.by_ocr, row.no_picture)
        for row in session.scalars(wanted)
    ]


def select_passages() -> Select[*tuple[Any, ...]]:
    """Passages with what their record takes from version and page, in no order yet."""
    return (
        select(
            PassageRow.id,
            VersionRow.document_id,
            PassageRow.version_id,
            VersionRow.title,
            PassageRow.ordinal,
            PassageRow.page,
            PageRow.label.label("page_label"),
            PassageRow.start,
            PassageRow.end,
            PassageRow.text,
            PassageRow.runs,
            PassageRow.tokens,
        )
        .join(VersionRow, VersionRow.id == PassageRow.version_id)
        .outerjoin(
            PageRow,
            (PageRow.version_id == PassageRow.version_id) & (PageRow.number == PassageRow.page),
        )
    )


def passage_records(rows: Sequence[Row[*tuple[Any, ...]]]) -> list[Passage]:
    """The records of what `select_passages` found."""
    return [Passage(**{**row._mapping, "runs": runs_from(row.runs)}) for row in rows]


def runs_from(stored: str) -> Runs:
    """Runs as they were given."""
    return tuple((clean, page, length) for clean, page, length in json.loads(stored))


def runs_to(runs: Runs) -> str:
    """Runs as they are stored."""
    return json.dumps(runs, separators=(",", ":"))


def serving(session: Session, document_id: str) -> VersionRow:
    """The version that answers for a document: the ready one, else the one begun last.

    Raises UnknownDocument.
    """
    row = session.scalar(
        select(VersionRow)
        .where(VersionRow.document_id == document_id)
        .order_by(VersionRow.is_current.desc(), VersionRow.begun.desc())
        .limit(1)
    )
    if row is None:
        raise UnknownDocument(f"No document has the id {document_id!r}.", "documents")
    return row


def existing_version(session: Session, version_id: int) -> VersionRow:
    """The version; raises ReadAnew if it is gone."""
    row = session.get(VersionRow, version_id)
    if row is None:
        raise ReadAnew(
            f"Version {version_id} is not in the library: it was deleted or replaced by a "
            "newer one. Look the document up again."
        )
    return row


def count_snapshots(session: Session, version: VersionRow) -> None:
    """Set what a version says of its memories from the memories themselves."""
    session.flush()
    # With max(), SQLite takes the hash from that row.
    total, sha256, _ = session.execute(
        select(
            func.coalesce(func.sum(func.length(SnapshotRow.data)), 0),
            SnapshotRow.sha256,
            func.max(SnapshotRow.segments_read),
        ).where(SnapshotRow.version_id == version.id)
    ).one()
    version.snapshot_bytes, version.snapshot_sha256 = total, sha256
