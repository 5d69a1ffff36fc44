"""Writing down what the model reads. Only the process that holds the claim may."""

import hashlib
import logging
from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from armt_core.errors import LibraryError
from storage.beginning import empty_version
from storage.checks import bytes_of, check_order, check_width, passage_row, row_bytes
from storage.claims import Claim, drop_claim, owned
from storage.records import NewPassage, NewSnapshot, Page, Version
from storage.rows import count_snapshots, page_records, version_record
from storage.store import Store, folded, storable
from storage.tables import PageRow, PassageRow, SnapshotRow, VersionRow

log = logging.getLogger(__name__)


class Readings(Store):
    """From the parsed pages to the last checkpoint.

    Every call takes the claim given to `begin_reading`, refreshes its heartbeat, and raises
    LostClaim if another process has taken over or the version is gone; then nothing is changed.
    """

    def heartbeat(self, version_id: int, claim: Claim) -> None:
        """Say that the reader lives; needed at least every 60 seconds."""
        with self._writing() as session:
            owned(session, version_id, claim)

    def set_parsed(
        self,
        version_id: int,
        claim: Claim,
        title: str,
        pages: Sequence[Page],
        segments_total: int,
        unknown_ratio: float,
        ocr: str | None = None,
    ) -> Version:
        """Store the pages, replacing those there. Returns the version.

        `ocr` names what read the pages that were read by OCR.

        If passages were read from other pages than these, they and their snapshots are dropped
        and `segments_read` is 0 again. Raises LibraryError for pages that are not numbered 0,
        1, 2, ... or hold what is no Unicode text.
        """
        if [page.number for page in pages] != list(range(len(pages))):
            raise LibraryError(
                f"Pages must be numbered 0 to {len(pages) - 1} in order, "
                f"not {[page.number for page in pages][:10]}"
            )
        size = sum(bytes_of(page) for page in pages)
        with self._writing() as session:
            version = owned(session, version_id, claim)
            stored = page_records(session, version_id)
            if stored != list(pages) or version.segments_total != segments_total:
                if version.segments_read:
                    log.warning('"%s" was parsed differently; it is read anew', version.title)
                empty_version(session, version)
                _add_pages(session, version_id, pages)
            version.title = storable(title)
            version.title_folded = folded(version.title)
            version.pages, version.page_bytes = len(pages), size
            version.pages_without_text = sum(not page.text.strip() for page in pages)
            version.pages_need_ocr = sum(page.needs_ocr for page in pages)
            version.pages_by_ocr = sum(page.by_ocr for page in pages)
            version.pages_no_picture = sum(page.no_picture for page in pages)
            version.ocr = ocr if version.pages_by_ocr else None
            version.segments_total, version.unknown_ratio = segments_total, unknown_ratio
            session.flush()
            return version_record(version)

    def checkpoint(
        self,
        version_id: int,
        claim: Claim,
        passages: Sequence[NewPassage],
        snapshot: NewSnapshot,
        keep: Collection[int] | None = None,
    ) -> None:
        """Add passages and the memory after them, in one transaction.

        The passages continue those stored, and the snapshot has read exactly all of them. Of
        the older snapshots only those whose `segments_read` is in `keep` stay (None: all); the
        new one always does. Raises LibraryError for passages out of order or outside their
        page, OtherModel for a snapshot with another fingerprint than the version.
        """
        with self._writing() as session:
            version = owned(session, version_id, claim)
            check_order(version, passages, snapshot)
            pages = _page_texts(session, version_id, {passage.page for passage in passages})
            rows = [passage_row(version_id, passage, pages) for passage in passages]
            check_width(session, version_id, rows)
            if rows:
                session.execute(insert(PassageRow), rows)
            session.execute(
                delete(SnapshotRow).where(
                    SnapshotRow.version_id == version_id,
                    SnapshotRow.segments_read == snapshot.segments_read,
                )
            )
            session.add(
                SnapshotRow(
                    version_id=version_id,
                    segments_read=snapshot.segments_read,
                    sha256=hashlib.sha256(snapshot.data).hexdigest(),
                    fingerprint=snapshot.fingerprint,
                    conditions=snapshot.conditions,
                    data=snapshot.data,
                )
            )
            session.flush()
            if keep is not None:
                session.execute(
                    delete(SnapshotRow).where(
                        SnapshotRow.version_id == version_id,
                        SnapshotRow.segments_read.not_in({*keep, snapshot.segments_read}),
                    )
                )
            count_snapshots(session, version)
            version.segments_read = snapshot.segments_read
            version.tokens += sum(passage.tokens for passage in passages)
            version.passage_bytes += sum(map(row_bytes, rows))

    def rewind(self, version_id: int, claim: Claim, segments: int) -> None:
        """Go back to the state after `segments` segments: what was read beyond is dropped.

        Raises LibraryError if there is no snapshot of that state (0 segments need none).
        """
        with self._writing() as session:
            version = owned(session, version_id, claim)
            at = select(SnapshotRow.id).where(
                SnapshotRow.version_id == version_id, SnapshotRow.segments_read == segments
            )
            if segments and session.scalar(at) is None:
                raise LibraryError(
                    f'"{version.title}" has no memory after {segments} segments to go back to'
                )
            session.execute(
                delete(PassageRow).where(
                    PassageRow.version_id == version_id, PassageRow.ordinal >= segments
                )
            )
            session.execute(
                delete(SnapshotRow).where(
                    SnapshotRow.version_id == version_id, SnapshotRow.segments_read > segments
                )
            )
            count_passages(session, version)
            count_snapshots(session, version)

    def fail(self, version_id: int, claim: Claim, reason: str, code: str) -> None:
        """Give up, for people to see why: state "failed". The claim ends."""
        with self._writing() as session:
            version = owned(session, version_id, claim)
            version.state, version.reason, version.reason_code = "failed", storable(reason), code
            drop_claim(version)

    def release(self, version_id: int, claim: Claim) -> None:
        """Stop for now: state "pending"; any process may go on at once. The claim ends."""
        with self._writing() as session:
            version = owned(session, version_id, claim)
            version.state = "pending"
            drop_claim(version)


def count_passages(session: Session, version: VersionRow) -> None:
    """Set what a version says of its passages from the passages themselves."""
    rows = session.execute(
        select(
            PassageRow.tokens,
            PassageRow.text,
            PassageRow.runs,
            func.length(PassageRow.memory_vector),
            func.coalesce(func.length(PassageRow.plain_vector), 0),
            func.coalesce(func.length(PassageRow.sentence_vectors), 0),
        ).where(PassageRow.version_id == version.id)
    ).all()
    version.segments_read = len(rows)
    version.tokens = sum(row[0] for row in rows)
    version.passage_bytes = sum(len(r[1].encode()) + len(r[2]) + sum(r[3:]) for r in rows)


def _add_pages(session: Session, version_id: int, pages: Sequence[Page]) -> None:
    if pages:
        session.execute(
            insert(PageRow),
            [
                {
                    "version_id": version_id,
                    "number": page.number,
                    "label": page.label,
                    "text": page.text,
                    "needs_ocr": page.needs_ocr,
                    "by_ocr": page.by_ocr,
                    "no_picture": page.no_picture,
                }
                for page in pages
            ],
        )


def _page_texts(session: Session, version_id: int, numbers: set[int]) -> dict[int, str]:
    found = session.execute(
        select(PageRow.number, PageRow.text).where(
            PageRow.version_id == version_id, PageRow.number.in_(numbers)
        )
    )
    return {number: text for number, text in found}
