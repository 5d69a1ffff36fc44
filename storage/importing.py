"""A memory that comes in without its text."""

import hashlib
import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from armt_core.errors import LibraryError
from storage.records import MEMORY_ALONE, NewSnapshot
from storage.rows import count_snapshots
from storage.store import Store, folded, now, storable
from storage.tables import DocumentRow, SnapshotRow, VersionRow

_REMARK = "imported: a memory alone, without text to search or cite"


class Importing(Store):
    """Taking in memories."""

    def add_memory(self, title: str, tokens: int, snapshot: NewSnapshot) -> tuple[str, bool]:
        """A ready document that is this memory and nothing else: its id, and whether it is new.

        A memory that the library holds already, as the last of a document, stays where it is;
        if its bytes are damaged there, they are mended. Raises LibraryError for a memory in
        which nothing is written.
        """
        if snapshot.segments_read < 1:
            raise LibraryError(f'The memory of "{title}" has read nothing; there is none to add.')
        sha256 = hashlib.sha256(snapshot.data).hexdigest()
        with self._writing() as session:
            known = _held(session, sha256)
            if known is not None:
                version, row = known
                if hashlib.sha256(row.data).hexdigest() != sha256:
                    row.data = snapshot.data
                    count_snapshots(session, version)
                return version.document_id, False
            document = DocumentRow(id=uuid.uuid4().hex, created_at=now(), updated_at=now())
            session.add(document)
            session.flush()
            version = VersionRow(
                document_id=document.id,
                # The bytes that came in are those of the memory. Those of the document would
                # make its file pass for known, should it be ingested one day.
                sha256=sha256,
                fingerprint=snapshot.fingerprint,
                begun=1,
                is_current=True,
                state="ready",
                reason=_REMARK,
                format=MEMORY_ALONE,
                size_bytes=len(snapshot.data),
                tokens=tokens,
                segments_read=snapshot.segments_read,
                segments_total=snapshot.segments_read,
            )
            version.title = storable(title)
            version.title_folded = folded(version.title)
            session.add(version)
            session.flush()
            session.add(
                SnapshotRow(
                    version_id=version.id,
                    segments_read=snapshot.segments_read,
                    sha256=sha256,
                    fingerprint=snapshot.fingerprint,
                    conditions=snapshot.conditions,
                    data=snapshot.data,
                )
            )
            count_snapshots(session, version)
            return document.id, True


def _held(session: Session, sha256: str) -> tuple[VersionRow, SnapshotRow] | None:
    """The serving version whose last memory has these bytes."""
    found = session.execute(
        select(VersionRow, SnapshotRow)
        .join(SnapshotRow, SnapshotRow.version_id == VersionRow.id)
        .where(
            VersionRow.is_current,
            SnapshotRow.sha256 == sha256,
            SnapshotRow.segments_read == VersionRow.segments_read,
        )
        .limit(1)
    ).first()
    return None if found is None else (found[0], found[1])
