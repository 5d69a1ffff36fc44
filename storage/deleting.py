"""Deleting a document so that its text is really gone from the library's files."""

import logging

from sqlalchemy import ColumnElement, String, cast, delete, func, select, text

from armt_core.errors import UnknownDocument
from storage.migrating import backups
from storage.records import Extent
from storage.store import Store
from storage.tables import DocumentRow, MessageRow, PassageRow, SnapshotRow, VersionRow

log = logging.getLogger(__name__)


class Deleting(Store):
    """Deletion."""

    def extent(self, document_id: str) -> Extent:
        """What `delete` would remove. Raises UnknownDocument for anything but a document's id."""
        with self._reading() as session:
            if session.get(DocumentRow, document_id) is None:
                raise UnknownDocument(f"No document has the id {document_id!r}.", "documents")
            versions = select(VersionRow.id).where(VersionRow.document_id == document_id)

            def rows(table: type[PassageRow] | type[SnapshotRow]) -> int:
                wanted = select(func.count()).where(table.version_id.in_(versions))
                return session.scalar(wanted) or 0

            messages = select(func.count()).where(_names(document_id))
            return Extent(rows(PassageRow), rows(SnapshotRow), session.scalar(messages) or 0)

    def delete(self, document_id: str) -> None:
        """Delete a document: versions, pages, passages, words, memories, originals, and the
        messages of conversations that name it (an answer quotes it).

        What is freed is overwritten with zeros, the word index is rewritten, the write-ahead log
        emptied, and copies from before a migration are removed, for they hold the text too. A
        process that is reading the document gets LostClaim. Copies made with `backup` are not
        touched (`backups_with` names them). Raises UnknownDocument for anything but a document's
        id.
        """
        with self._writing() as session:
            if session.get(DocumentRow, document_id) is None:
                raise UnknownDocument(f"No document has the id {document_id!r}.", "documents")
            of_document = select(VersionRow.sha256).where(VersionRow.document_id == document_id)
            hashes = set(session.scalars(of_document))
            session.execute(delete(MessageRow).where(_names(document_id)))
            session.execute(delete(DocumentRow).where(DocumentRow.id == document_id))
            # Deletions only mark words; merging the whole index drops them.
            session.execute(text("INSERT INTO passage_words(passage_words) VALUES('optimize')"))
            hashes -= set(session.scalars(select(VersionRow.sha256)))
        for sha256 in hashes:
            self.originals.delete(sha256)
        for copy in backups(self.database):
            log.info("Removing %s: it may hold the deleted text", copy)
            copy.unlink(missing_ok=True)
        self._flush_log()


def _names(document_id: str) -> ColumnElement[bool]:
    """Messages that name a document."""
    return cast(MessageRow.content, String).contains(document_id, autoescape=True)
