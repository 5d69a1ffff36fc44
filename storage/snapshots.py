"""Reading the memories that checkpoints kept. No byte leaves unchecked."""

import hashlib

from sqlalchemy import func, select

from armt_core.errors import DamagedSnapshot
from storage.records import MEMORY_ALONE, Snapshot, SnapshotInfo
from storage.rows import existing_version
from storage.store import Store
from storage.tables import SnapshotRow


class Snapshots(Store):
    """The snapshots of a version; their bytes are checked against their SHA-256."""

    def latest_snapshot(self, version_id: int) -> Snapshot | None:
        """The memory after the most segments, or None. Raises DamagedSnapshot, LibraryError."""
        return self._snapshot(version_id, None)

    def snapshot_at_or_before(self, version_id: int, segments: int) -> Snapshot | None:
        """The last memory that has read at most `segments` segments, or None.

        Raises DamagedSnapshot, LibraryError.
        """
        return self._snapshot(version_id, segments)

    def snapshots(self, version_id: int) -> list[SnapshotInfo]:
        """What there is, by segments read; the bytes stay where they are."""
        with self._reading() as session:
            rows = session.execute(
                select(SnapshotRow.segments_read, SnapshotRow.sha256, func.length(SnapshotRow.data))
                .where(SnapshotRow.version_id == version_id)
                .order_by(SnapshotRow.segments_read)
            )
            return [SnapshotInfo(*row) for row in rows]

    def _snapshot(self, version_id: int, segments: int | None) -> Snapshot | None:
        with self._reading() as session:
            version = existing_version(session, version_id)
            wanted = select(SnapshotRow).where(SnapshotRow.version_id == version_id)
            if segments is not None:
                wanted = wanted.where(SnapshotRow.segments_read <= segments)
            row = session.scalar(wanted.order_by(SnapshotRow.segments_read.desc()).limit(1))
            if row is None:
                return None
            if hashlib.sha256(row.data).hexdigest() != row.sha256:
                alone = version.format == MEMORY_ALONE
                mend = "Import its file again, which mends it, or delete the document."
                raise DamagedSnapshot(
                    f'The memory of "{version.title}" ({version.document_id}) after '
                    f"{row.segments_read} segments is damaged: its bytes do not match their "
                    f"SHA-256. {mend if alone else 'Read the document again.'}",
                    "" if alone else f"reread {version.document_id}",
                )
            return Snapshot(
                version_id,
                row.segments_read,
                row.sha256,
                row.fingerprint,
                row.data,
                row.conditions,
            )
