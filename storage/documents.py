"""Which documents there are, and how one is named."""

from collections import namedtuple
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from armt_core.errors import AmbiguousName, UnknownDocument
from storage.claims import is_stale
from storage.records import MEMORY_ALONE, Askable, Document, Version
from storage.rows import existing_version, version_record
from storage.store import Store, folded, moment, storable
from storage.tables import AliasRow, DocumentRow, VersionRow

_COLUMNS = *VersionRow.__table__.c, DocumentRow.created_at, DocumentRow.updated_at
#: A version with its document's times. Of many, its fields are faster to read than a row's.
_Known: Any = namedtuple("_Known", [column.key for column in _COLUMNS])  # type: ignore[misc]


class Documents(Store):
    """Listing and naming."""

    def documents(self) -> list[Document]:
        """Every document in whatever state, by title."""
        kept = self.originals.kept()
        with self._reading() as session:
            return _records(session, true(), kept.__contains__)

    def document(self, name_or_id: str) -> Document:
        """A document by its id, else by its exact title, whatever the case.

        Raises UnknownDocument, or AmbiguousName with the ids of all that have the title.
        """
        name_or_id = storable(name_or_id)
        with self._reading() as session:
            if session.get(DocumentRow, name_or_id) is not None:
                return _records(session, DocumentRow.id == name_or_id, self._is_kept)[0]
            called = select(VersionRow.document_id).where(
                VersionRow.title_folded == folded(name_or_id)
            )
            # A title counts only if it is the one that the document shows.
            found = [
                document
                for document in _records(session, DocumentRow.id.in_(called), self._is_kept)
                if folded(document.title) == folded(name_or_id)
            ]
        if not found:
            raise UnknownDocument(f"No document has the id or title {name_or_id!r}.", "documents")
        if len(found) > 1:
            listed = "; ".join(
                f'{d.id} "{d.title}" ({", ".join(d.file_names)}, added {d.created_at:%Y-%m-%d})'
                for d in found
            )
            raise AmbiguousName(
                f"{len(found)} documents are called {name_or_id!r}; name one by its id: {listed}"
            )
        return found[0]

    def documents_by_id(self, ids: Sequence[str]) -> list[Document]:
        """Documents in the given order. Raises UnknownDocument."""
        with self._reading() as session:
            chosen = _records(session, DocumentRow.id.in_(ids), self._is_kept)
        found = {document.id: document for document in chosen}
        for name in ids:
            if name not in found:
                raise UnknownDocument(f"No document has the id {name!r}.", "documents")
        return [found[name] for name in ids]

    def _is_kept(self, sha256: str) -> bool:
        return self.originals.path(sha256) is not None

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
            VersionRow.fingerprint,
        )
        wanted = select(*columns).where(VersionRow.is_current)
        with self._reading() as session:
            rows = session.execute(
                wanted.order_by(VersionRow.title_folded, VersionRow.document_id)
            ).tuples()
            return list(map(Askable._make, rows))

    def titles(self) -> dict[str, str]:
        """The titles of all documents, by id."""
        # The serving version comes last, and stays.
        wanted = select(VersionRow.document_id, VersionRow.title).order_by(
            VersionRow.is_current, VersionRow.begun
        )
        with self._reading() as session:
            return {name: title for name, title in session.execute(wanted).tuples()}


def _records(
    session: Session, wanted: ColumnElement[bool], is_kept: Callable[[str], bool]
) -> list[Document]:
    """The documents that are wanted, by title; as many queries for all as for one.

    wanted: of DocumentRow. is_kept: whether the original with a SHA-256 is there.
    """
    versions = (
        select(*_COLUMNS)
        .join(DocumentRow, DocumentRow.id == VersionRow.document_id)
        .where(wanted)
        .order_by(VersionRow.document_id, VersionRow.begun.desc())
    )
    aliases = (
        select(AliasRow.document_id, AliasRow.path)
        .join(DocumentRow, DocumentRow.id == AliasRow.document_id)
        .where(wanted)
        .order_by(AliasRow.path)
    )
    paths: dict[str, list[str]] = {}
    for name, path in session.execute(aliases).tuples():
        paths.setdefault(name, []).append(path)
    found = []
    for name, rows in groupby(
        map(_Known._make, session.execute(versions)), attrgetter("document_id")
    ):
        own: list[Any] = list(rows)
        serving = own[0] if len(own) == 1 else next((v for v in own if v.is_current), own[0])
        document = _document(serving, own, tuple(paths.get(name, ())), is_kept)
        found.append((serving.title_folded, name, document))
    return [document for *_, document in sorted(found, key=itemgetter(0, 1))]


def _document(
    serving: Any,
    versions: Sequence[Any],
    aliases: tuple[str, ...],
    is_kept: Callable[[str], bool],
) -> Document:
    """serving, versions: of _Known; all of them, the last begun first."""
    update = versions[0] if versions[0].begun > serving.begun else None
    kept = sum(v.page_bytes + v.passage_bytes + v.snapshot_bytes for v in versions)
    kept += sum({v.sha256: v.size_bytes for v in versions if is_kept(v.sha256)}.values())
    return Document(
        id=serving.document_id,
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
        snapshot_sha256=serving.snapshot_sha256,
        bytes_kept=kept,
        original_kept=is_kept(serving.sha256),
        created_at=moment(serving.created_at),
        updated_at=moment(serving.updated_at),
        update_state=update.state if update else None,
        update_reason=update.reason if update else None,
        update_reason_code=update.reason_code if update else None,
        pages_need_ocr=serving.pages_need_ocr,
        pages_by_ocr=serving.pages_by_ocr,
        pages_no_picture=serving.pages_no_picture,
        ocr=serving.ocr,
        interrupted=_is_interrupted(serving),
        update_interrupted=update is not None and _is_interrupted(update),
    )


def _is_interrupted(version: Any) -> bool:
    return version.state in ("pending", "reading") and is_stale(version)


def _versions(session: Session, document_id: str) -> Sequence[VersionRow]:
    return session.scalars(
        select(VersionRow)
        .where(VersionRow.document_id == document_id)
        .order_by(VersionRow.begun.desc())
    ).all()
