"""Pages and passages of a document, and the vectors of its passages.

Axes: n passages, D width.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from armt_core.errors import LibraryError, ReadAnew
from storage.records import Page, Passage, PassageNote, PassageVectors
from storage.rows import existing_version, page_records, passage_records, select_passages, serving
from storage.store import Store
from storage.tables import PageRow, PassageRow, VersionRow

Kind = Literal["memory", "plain"]
_BATCH = 500


class Passages(Store):
    """What the serving version of a document holds. Unknown ids raise UnknownDocument.

    `upto_page` (0-based, inclusive) leaves out what lies on later pages. While a document has
    no ready version yet, this is what has been read so far.
    """

    def pages(self, document_id: str) -> list[Page]:
        """All pages, in order."""
        with self._reading() as session:
            return page_records(session, serving(session, document_id).id)

    def page(self, document_id: str, number: int) -> Page:
        """One page by its 0-based number. Raises LibraryError if there is none."""
        with self._reading() as session:
            return _one_page(session, serving(session, document_id), number)

    def page_of(self, version_id: int, number: int) -> Page:
        """One page of one version, current or not. Raises ReadAnew if the version is gone,
        LibraryError if it has no such page."""
        with self._reading() as session:
            return _one_page(session, existing_version(session, version_id), number)

    def pages_of(self, version_id: int) -> list[Page]:
        """All pages of one version, current or not. Raises ReadAnew if it is gone."""
        with self._reading() as session:
            existing_version(session, version_id)
            return page_records(session, version_id)

    def passages(self, document_id: str, upto_page: int | None = None) -> list[Passage]:
        """Passages in reading order."""
        with self._reading() as session:
            wanted = select_passages().where(
                PassageRow.version_id == serving(session, document_id).id
            )
            if upto_page is not None:
                wanted = wanted.where(PassageRow.page <= upto_page)
            return passage_records(session.execute(wanted.order_by(PassageRow.ordinal)).all())

    def passages_of(self, version_id: int) -> list[Passage]:
        """Passages of one version, current or not, in order. Raises ReadAnew if it is gone."""
        with self._reading() as session:
            existing_version(session, version_id)
            wanted = select_passages().where(PassageRow.version_id == version_id)
            return passage_records(session.execute(wanted.order_by(PassageRow.ordinal)).all())

    def passage(self, passage_id: int) -> Passage:
        """One passage. Raises ReadAnew if it is gone."""
        return self.passages_by_id([passage_id])[0]

    def passages_by_id(self, ids: Sequence[int]) -> list[Passage]:
        """Passages in the given order. Raises ReadAnew naming those that are gone."""
        found: dict[int, Passage] = {}
        with self._reading() as session:
            for first in range(0, len(ids), _BATCH):
                batch = [int(number) for number in ids[first : first + _BATCH]]
                rows = session.execute(select_passages().where(PassageRow.id.in_(batch))).all()
                found.update({passage.id: passage for passage in passage_records(rows)})
        gone = [int(number) for number in ids if int(number) not in found]
        if gone:
            raise ReadAnew(
                f"Passages {gone[:10]} are not in the library: their document was deleted or "
                "replaced by a newer version. Ask again."
            )
        return [found[int(number)] for number in ids]

    def notes(self, document_id: str) -> list[PassageNote]:
        """How each passage met the memory, in reading order; those read before this was noted are
        left out."""
        with self._reading() as session:
            version_id = serving(session, document_id).id
            wanted = (
                select(
                    PassageRow.id,
                    PassageRow.page,
                    PageRow.label,
                    PassageRow.start,
                    PassageRow.end,
                    func.coalesce(PassageRow.beta, 0.0),
                    func.coalesce(PassageRow.gamma, 0.0),
                    func.coalesce(PassageRow.change, 0.0),
                )
                .join(
                    PageRow,
                    (PageRow.version_id == PassageRow.version_id)
                    & (PageRow.number == PassageRow.page),
                )
                .where(PassageRow.version_id == version_id, PassageRow.change.is_not(None))
                .order_by(PassageRow.ordinal)
            )
            return [PassageNote(*row) for row in session.execute(wanted).tuples()]

    def segments_upto_page(self, document_id: str, page: int) -> int:
        """How many passages lie on the pages up to and including `page`."""
        with self._reading() as session:
            count = session.scalar(
                select(func.count())
                .select_from(PassageRow)
                .where(
                    PassageRow.version_id == serving(session, document_id).id,
                    PassageRow.page <= page,
                )
            )
            return int(count or 0)

    def vectors(
        self, document_id: str, kind: Kind = "memory", upto_page: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        """Passage ids (n,) and vectors (n, D) in reading order; (0,) and (0, 0) if there are none.

        "memory": in the light of all that came before. "plain": of the passage alone; only those
        that `set_plain_vectors` has brought (see `missing_plain`).
        """
        column = _column(kind)
        with self._reading() as session:
            wanted = select(PassageRow.id, column).where(
                PassageRow.version_id == serving(session, document_id).id, column.is_not(None)
            )
            if upto_page is not None:
                wanted = wanted.where(PassageRow.page <= upto_page)
            rows = session.execute(wanted.order_by(PassageRow.ordinal)).all()
        ids = np.array([row[0] for row in rows], dtype=np.int64)
        if not rows:
            return ids, np.zeros((0, 0), dtype=np.float16)
        stored = np.frombuffer(b"".join(row[1] for row in rows), dtype="<f2")
        return ids, stored.reshape(len(rows), -1).astype(np.float16)

    def vectors_of(
        self, version_ids: Sequence[int], width: int, kind: Kind = "memory"
    ) -> Iterator[PassageVectors]:
        """The vectors of many versions that have `width` numbers, some versions at a time.

        No text is loaded. Versions that are gone, or have none of that width, are left out.
        """
        column = _column(kind)
        for first in range(0, len(version_ids), _BATCH):
            wanted = (
                select(PassageRow.version_id, PassageRow.page, column)
                .where(
                    PassageRow.version_id.in_(version_ids[first : first + _BATCH]),
                    func.length(column) == 2 * width,
                )
                .order_by(PassageRow.version_id, PassageRow.ordinal)
            )
            with self._reading() as session:
                rows = session.execute(wanted).all()
            stored = np.frombuffer(b"".join(row[2] for row in rows), dtype="<f2")
            yield PassageVectors(
                np.array([row[0] for row in rows], dtype=np.int64),
                np.array([row[1] for row in rows], dtype=np.int64),
                stored.reshape(-1, width).astype(np.float16),
            )

    def sentence_vectors(self, ids: Sequence[int]) -> dict[int, NDArray[np.float16]]:
        """The vectors (n, D) of the n sentences of passages, by id; those without are left out."""
        found: dict[int, NDArray[np.float16]] = {}
        width = func.length(PassageRow.memory_vector) // 2
        with self._reading() as session:
            for first in range(0, len(ids), _BATCH):
                batch = [int(number) for number in ids[first : first + _BATCH]]
                wanted = select(PassageRow.id, width, PassageRow.sentence_vectors).where(
                    PassageRow.id.in_(batch), PassageRow.sentence_vectors.is_not(None)
                )
                for number, D, stored in session.execute(wanted):
                    found[number] = np.frombuffer(stored, dtype="<f2").reshape(-1, D)
        return found

    def missing_plain(self, document_id: str) -> list[Passage]:
        """The passages that have no plain vector yet, in reading order."""
        with self._reading() as session:
            wanted = select_passages().where(
                PassageRow.version_id == serving(session, document_id).id,
                PassageRow.plain_vector.is_(None),
            )
            return passage_records(session.execute(wanted.order_by(PassageRow.ordinal)).all())

    def set_plain_vectors(
        self, document_id: str, ids: Sequence[int] | NDArray[np.int64], vectors: NDArray[Any]
    ) -> None:
        """Keep the plain vectors (n, D), float16, of passages (n,) of this document.

        Passages that are gone meanwhile are passed over. Raises LibraryError for other shapes.
        """
        if vectors.dtype != np.float16 or vectors.ndim != 2 or len(vectors) != len(ids):
            raise LibraryError(
                f"{len(ids)} passages need float16 vectors of shape ({len(ids)}, D); these are "
                f"{vectors.dtype} of shape {vectors.shape}"
            )
        with self._writing() as session:
            version = serving(session, document_id)
            width = session.scalar(
                select(func.length(PassageRow.memory_vector))
                .where(PassageRow.version_id == version.id)
                .limit(1)
            )
            if width is not None and len(ids) and width != 2 * vectors.shape[1]:
                raise LibraryError(
                    f'The vectors of "{version.title}" have {width // 2} numbers, and these '
                    f"{vectors.shape[1]}"
                )
            stored = set(
                session.scalars(
                    select(PassageRow.id).where(
                        PassageRow.version_id == version.id, PassageRow.plain_vector.is_(None)
                    )
                )
            )
            for number, vector in zip(ids, vectors.astype("<f2"), strict=True):
                session.execute(
                    update(PassageRow)
                    .where(PassageRow.id == int(number), PassageRow.version_id == version.id)
                    .values(plain_vector=vector.tobytes())
                )
            added = len(stored.intersection(int(number) for number in ids))
            session.execute(
                update(VersionRow)
                .where(VersionRow.id == version.id)
                .values(passage_bytes=VersionRow.passage_bytes + added * 2 * vectors.shape[1])
            )


def _one_page(session: Session, version: VersionRow, number: int) -> Page:
    found = page_records(session, version.id, number)
    if not found:
        raise LibraryError(
            f'"{version.title}" has no page {number}: pages are counted from 0 and it has '
            f"{version.pages}"
        )
    return found[0]


def _column(kind: str) -> Any:
    columns = {"memory": PassageRow.memory_vector, "plain": PassageRow.plain_vector}
    if kind not in columns:
        raise LibraryError(f"Vectors are of kind 'memory' or 'plain', not {kind!r}")
    return columns[kind]
