"""Which documents there are, and how one is named."""

from collections.abc import Sequence
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from armt_core.errors import AmbiguousName, UnknownDocument
from storage.originals import Originals
from storage.records import Document, State, Version
from storage.rows import existing_version, version_record
from storage.store import Store, folded, moment, storable
from storage.tables import AliasRow, DocumentRow, SnapshotRow, VersionRow


class Documents(Store):
    """Listing and naming."""

    def documents(self) -> list[Document]:
        """Every document in whatever state, by title."""
        with self._reading() as session:
            ids = session.scalars(select(DocumentRow.id)).all()
            found = [self._document(session, document_id) for document_id in ids]
        return sorted(found, key=lambda document: (folded(document.title), document.id))

    def document(self, name_or_id: str) -> Document:
        """A document by its id, else by its exact title, whatever the case.

        Raises UnknownDocument, or AmbiguousName with the ids of all that have the title.
        """
        name_or_id = storable(name_or_id)
        with self._reading() as session:
            if session.get(DocumentRow, name_or_id) is not None:
                return self._document(session, name_or_id)
            ids = session.scalars(
                select(VersionRow.document_id)
                .where(VersionRow.title_folded == folded(name_or_id))
                .distinct()
            ).all()
            # A title counts only if it is the one that the document shows.
            found = [
                document
                for document in (self._document(session, document_id) for document_id in ids)
                if folded(document.title) == folded(name_or_id)
            ]
        if not found:
            raise UnknownDocument(
                f"No document has the id or title {name_or_id!r}; see: python -m app documents"
            )
        if len(found) > 1:
            listed = "; ".join(f'{d.id} "{d.title}" ({", ".join(d.aliases)})' for d in found)
            raise AmbiguousName(
                f"{len(found)} documents are called {name_or_id!r}; name one by its id: {listed}"
            )
        return found[0]

    def version(self, version_id: int) -> Version:
        """A version by its id. Raises LibraryError if it is gone."""
        with self._reading() as session:
            return version_record(existing_version(session, version_id))

    def versions(self, document_id: str) -> list[Version]:
        """All versions of a document, the last begun first; empty for an unknown one."""
        with self._reading() as session:
            return [version_record(row) for row in _versions(session, document_id)]

    def _document(self, session: Session, document_id: str) -> Document:
        versions = _versions(session, document_id)
        row = session.get_one(DocumentRow, document_id)
        serving = next((version for version in versions if version.is_current), versions[0])
        update = next((v for v in versions if v.begun > serving.begun), None)
        aliases = session.scalars(
            select(AliasRow.path).where(AliasRow.document_id == document_id).order_by(AliasRow.path)
        )
        return Document(
            id=document_id,
            version_id=serving.id,
            title=serving.title,
            format=serving.format,
            state=cast(State, serving.state),
            reason=serving.reason,
            reason_code=serving.reason_code,
            sha256=serving.sha256,
            fingerprint=serving.fingerprint,
            pages=serving.pages,
            pages_without_text=serving.pages_without_text,
            tokens=serving.tokens,
            segments_read=serving.segments_read,
            segments_total=serving.segments_total,
            unknown_ratio=serving.unknown_ratio,
            aliases=tuple(aliases),
            snapshot_sha256=session.scalar(
                select(SnapshotRow.sha256)
                .where(SnapshotRow.version_id == serving.id)
                .order_by(SnapshotRow.segments_read.desc())
                .limit(1)
            ),
            bytes_kept=_bytes_kept(session, versions, self.originals),
            original_kept=self.originals.path(serving.sha256) is not None,
            created_at=moment(row.created_at),
            updated_at=moment(row.updated_at),
            update_state=cast(State, update.state) if update else None,
            update_reason=update.reason if update else None,
            update_reason_code=update.reason_code if update else None,
            pages_need_ocr=serving.pages_need_ocr,
            pages_by_ocr=serving.pages_by_ocr,
            ocr=serving.ocr,
        )


def _versions(session: Session, document_id: str) -> Sequence[VersionRow]:
    return session.scalars(
        select(VersionRow)
        .where(VersionRow.document_id == document_id)
        .order_by(VersionRow.begun.desc())
    ).all()


def _bytes_kept(session: Session, versions: Sequence[VersionRow], originals: Originals) -> int:
    snapshots = session.scalar(
        select(func.sum(func.length(SnapshotRow.data))).where(
            SnapshotRow.version_id.in_([version.id for version in versions])
        )
    )
    text = sum(version.page_bytes + version.passage_bytes for version in versions)
    files = sum(originals.size(sha256) for sha256 in {version.sha256 for version in versions})
    return int(snapshots or 0) + text + files
