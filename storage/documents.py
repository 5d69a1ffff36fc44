"""Which documents there are, and how one is named."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select, true
from sqlalchemy.orm import Session

from armt_core.errors import AmbiguousName, UnknownDocument
from storage.claims import is_stale
from storage.records import MEMORY_ALONE, Askable, Document, Version
from storage.rows import existing_version, version_record
from storage.store import Store, folded, moment, storable
from storage.tables import AliasRow, DocumentRow, SnapshotRow, VersionRow


class Documents(Store):
    """Listing and naming."""

    def documents(self) -> list[Document]:
        """Every document in whatever state, by title."""
        sizes = self.originals.sizes()
        with self._reading() as session:
            return _records(session, true(), sizes.get)

    def document(self, name_or_id: str) -> Document:
        """A document by its id, else by its exact title, whatever the case.

        Raises UnknownDocument, or AmbiguousName with the ids of all that have the title.
        """
        name_or_id = storable(name_or_id)
        with self._reading() as session:
            if session.get(DocumentRow, name_or_id) is not None:
                return _records(session, DocumentRow.id == name_or_id, self.originals.size)[0]
            called = select(VersionRow.document_id).where(
                VersionRow.title_folded == folded(name_or_id)
            )
            # A title counts only if it is the one that the document shows.
            found = [
                document
                for document in _records(session, DocumentRow.id.in_(called), self.originals.size)
                if folded(document.title) == folded(name_or_id)
            ]
        if not found:
            raise UnknownDocument(
                f"No document has the id or title {name_or_id!r}; see: python -m app documents"
            )
        if len(found) > 1:
            listed = "; ".join(
                f'{d.id} "{d.title}" ({", ".join(d.file_names)}, added {d.created_at:%Y-%m-%d})'
                for d in found
            )
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

    def askable(self) -> list[Askable]:
        """The documents that are ready, by title; with what decides whom a question goes to."""
        columns = (
            VersionRow.document_id,
            VersionRow.id,
            VersionRow.pages,
            VersionRow.unknown_ratio,
            VersionRow.format == MEMORY_ALONE,
        )
        wanted = select(*columns).where(VersionRow.is_current)
        with self._reading() as session:
            rows = session.execute(
                wanted.order_by(VersionRow.title_folded, VersionRow.document_id)
            ).tuples()
            return [Askable(*row) for row in rows]

    def titles(self) -> dict[str, str]:
        """The titles of all documents, by id."""
        # The serving version comes last, and stays.
        wanted = select(VersionRow.document_id, VersionRow.title).order_by(
            VersionRow.is_current, VersionRow.begun
        )
        with self._reading() as session:
            return {name: title for name, title in session.execute(wanted).tuples()}


def _records(
    session: Session, wanted: ColumnElement[bool], size_of: Callable[[str], int | None]
) -> list[Document]:
    """The documents that are wanted, by title; as many queries for all as for one.

    size_of: bytes of an original by its SHA-256, None if it is not kept.
    """
    chosen = select(DocumentRow.id).where(wanted)

    def rows(columns: Sequence[Any], of: Any, *order: Any) -> dict[Any, list[Row[Any]]]:
        """By the first column."""
        found: dict[Any, list[Row[Any]]] = {}
        for row in session.execute(select(*columns).where(of.in_(chosen)).order_by(*order)):
            found.setdefault(row[0], []).append(row)
        return found

    version = VersionRow.__table__.c
    versions = rows([version.document_id, *version], version.document_id, version.begun.desc())
    aliases = rows([AliasRow.document_id, AliasRow.path], AliasRow.document_id, AliasRow.path)
    # With max(), SQLite takes the other columns from that row: the hash is the last memory's.
    memories = session.execute(
        select(
            SnapshotRow.version_id,
            func.sum(func.length(SnapshotRow.data)),
            SnapshotRow.sha256,
            func.max(SnapshotRow.segments_read),
        )
        .where(
            SnapshotRow.version_id.in_(
                select(VersionRow.id).where(VersionRow.document_id.in_(chosen))
            )
        )
        .group_by(SnapshotRow.version_id)
    )
    snapshots = {row[0]: (int(row[1]), row[2]) for row in memories}
    found = []
    for row in session.execute(select(DocumentRow.__table__).where(wanted)):
        own = versions[row.id]
        serving = next((version for version in own if version.is_current), own[0])
        paths = tuple(alias.path for alias in aliases.get(row.id, ()))
        document = _document(row, serving, own, paths, snapshots, size_of)
        found.append((serving.title_folded, row.id, document))
    return [document for *_, document in sorted(found, key=lambda item: item[:2])]


def _document(
    row: Row[Any],
    serving: Row[Any],
    versions: Sequence[Row[Any]],
    aliases: tuple[str, ...],
    snapshots: Mapping[int, tuple[int, str]],
    size_of: Callable[[str], int | None],
) -> Document:
    """versions: all, the last begun first. snapshots: bytes of all that a version has, and the
    hash of its last, by the version's id."""
    update = versions[0] if versions[0].begun > serving.begun else None
    kept = 0
    for version in versions:
        kept += version.page_bytes + version.passage_bytes
        if version.id in snapshots:
            kept += snapshots[version.id][0]
    for sha256 in {version.sha256 for version in versions}:
        kept += size_of(sha256) or 0
    return Document(
        id=row.id,
        version_id=serving.id,
        title=serving.title,
        format=serving.format,
        state=serving.state,
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
        aliases=aliases,
        snapshot_sha256=snapshots[serving.id][1] if serving.id in snapshots else None,
        bytes_kept=kept,
        original_kept=size_of(serving.sha256) is not None,
        created_at=moment(row.created_at),
        updated_at=moment(row.updated_at),
        update_state=update.state if update else None,
        update_reason=update.reason if update else None,
        update_reason_code=update.reason_code if update else None,
        pages_need_ocr=serving.pages_need_ocr,
        pages_by_ocr=serving.pages_by_ocr,
        ocr=serving.ocr,
        interrupted=_is_interrupted(serving),
    )


def _is_interrupted(version: Row[Any]) -> bool:
    return version.state in ("pending", "reading") and is_stale(version)


def _versions(session: Session, document_id: str) -> Sequence[VersionRow]:
    return session.scalars(
        select(VersionRow)
        .where(VersionRow.document_id == document_id)
        .order_by(VersionRow.begun.desc())
    ).all()
