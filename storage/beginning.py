"""Which document a file is, and who reads it."""

import logging
import uuid

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from armt_core.errors import BeingRead, UnknownDocument
from storage.claims import Claim, is_stale, write_claim
from storage.records import Version
from storage.rows import serving, version_record
from storage.store import Store, folded, now, storable
from storage.tables import AliasRow, DocumentRow, PageRow, PassageRow, SnapshotRow, VersionRow

log = logging.getLogger(__name__)


class Beginning(Store):
    """The start of a reading: identity, aliases, claims."""

    def find_version(self, sha256: str, fingerprint: str) -> Version | None:
        """What is known of these bytes read by this model, in any state; a ready one first."""
        with self._reading() as session:
            row = session.scalar(
                select(VersionRow)
                .where(VersionRow.sha256 == sha256, VersionRow.fingerprint == fingerprint)
                .order_by(VersionRow.is_current.desc(), VersionRow.begun.desc())
                .limit(1)
            )
            return version_record(row) if row else None

    def begin_reading(
        self,
        path: str,
        sha256: str,
        fingerprint: str,
        title: str,
        format: str,
        size_bytes: int,
        claim: Claim,
        *,
        again: bool = False,
    ) -> Version:
        """Claim the reading of a file, new or left unfinished, and return its version.

        The same bytes at a second path are an alias of the same document; new bytes at a known
        path, or the same bytes with another fingerprint, are a new version of it, and the older
        one serves until `finish`. An unfinished version goes on where it stopped (look at
        `segments_read`) if nobody reads it; a failed one starts from nothing. Bytes that are
        ready already come back with state "ready" and nothing claimed, unless `again` asks for
        a new version beside them (to mend a damaged one).

        Raises BeingRead if a living process reads the same bytes with the same model.
        """
        path, title = storable(path), storable(title)
        with self._writing() as session:
            document_id = _document_of(session, path, sha256)
            _put_alias(session, document_id, path, sha256)
            same = list(
                session.scalars(
                    select(VersionRow)
                    .where(
                        VersionRow.document_id == document_id,
                        VersionRow.sha256 == sha256,
                        VersionRow.fingerprint == fingerprint,
                    )
                    .order_by(VersionRow.begun.desc())
                )
            )
            ready = next((row for row in same if row.is_current), None)
            if ready is not None and not again:
                return version_record(ready)
            version = next((row for row in same if not row.is_current), None)
            if version is None:
                version = VersionRow(
                    document_id=document_id, sha256=sha256, fingerprint=fingerprint
                )
                version.title, version.title_folded = title, folded(title)
                version.format, version.size_bytes = format, size_bytes
                session.add(version)
            else:
                _may_take(version, claim)
                if version.state == "failed":
                    version.title, version.title_folded = title, folded(title)
                    version.format, version.size_bytes = format, size_bytes
                    empty_version(session, version)
            write_claim(version, claim)
            with session.no_autoflush:
                version.begun = _next_turn(session, document_id)
            session.flush()
            return version_record(version)

    def add_alias(self, document_id: str, path: str, sha256: str | None = None) -> None:
        """Note that a document was seen at a path. A path belongs to one document: it moves.

        `sha256` are the bytes seen there; without it, those of the serving version. A failed or
        abandoned newer version whose bytes are at no path any more is forgotten. Raises
        UnknownDocument.
        """
        with self._writing() as session:
            seen = sha256 or serving(session, document_id).sha256
            if session.get(DocumentRow, document_id) is None:
                raise UnknownDocument(f"No document has the id {document_id!r}")
            _put_alias(session, document_id, storable(path), seen)


def empty_version(session: Session, version: VersionRow) -> None:
    """Drop what was read of a version; the row itself stays."""
    for table in (PassageRow, SnapshotRow, PageRow):
        session.execute(delete(table).where(table.version_id == version.id))
    version.reason = version.reason_code = version.segments_total = None
    version.pages = version.pages_without_text = version.page_bytes = 0
    version.pages_need_ocr = version.pages_by_ocr = version.pages_no_picture = 0
    version.ocr = None
    version.tokens = version.passage_bytes = version.segments_read = 0
    version.snapshot_bytes, version.snapshot_sha256 = 0, None
    version.unknown_ratio = 0.0


def _document_of(session: Session, path: str, sha256: str) -> str:
    """By the bytes, else by the path, else a new document."""
    known = session.scalar(
        select(VersionRow.document_id).where(VersionRow.sha256 == sha256).limit(1)
    ) or session.scalar(select(AliasRow.document_id).where(AliasRow.path == path))
    if known is not None:
        return known
    document = DocumentRow(id=uuid.uuid4().hex, created_at=now(), updated_at=now())
    session.add(document)
    session.flush()
    return document.id


def _put_alias(session: Session, document_id: str, path: str, sha256: str) -> None:
    session.merge(AliasRow(path=path, document_id=document_id, sha256=sha256))
    session.flush()
    _forget_vanished(session, document_id)


def _forget_vanished(session: Session, document_id: str) -> None:
    """A file that was changed and changed back leaves a version that nobody will finish."""
    versions = session.scalars(
        select(VersionRow).where(VersionRow.document_id == document_id)
    ).all()
    if not any(version.is_current for version in versions):
        return
    seen = set(session.scalars(select(AliasRow.sha256).where(AliasRow.document_id == document_id)))
    for version in versions:
        if not version.is_current and version.sha256 not in seen and is_stale(version):
            log.info('An unfinished version of "%s" is at no path any more', version.title)
            session.execute(delete(VersionRow).where(VersionRow.id == version.id))


def _may_take(version: VersionRow, claim: Claim) -> None:
    if version.state != "reading" or version.claim_token == claim.token or is_stale(version):
        return
    raise BeingRead(
        f'"{version.title}" ({version.document_id}) is being read by process '
        f"{version.claim_pid} on {version.claim_host}, {version.segments_read} of "
        f"{version.segments_total or 'unknown'} segments so far. Wait for it, "
        "or end that process and ingest again."
    )


def _next_turn(session: Session, document_id: str) -> int:
    last = session.scalar(
        select(func.max(VersionRow.begun)).where(VersionRow.document_id == document_id)
    )
    return (last or 0) + 1
