"""Checking a library: the file, the hashes, and that every passage lies in its page."""

import hashlib
from collections.abc import Callable, Iterator
from functools import partial

from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from storage.checks import passage_problem
from storage.originals import Originals, sha256_of
from storage.records import MEMORY_ALONE
from storage.rows import runs_from
from storage.store import Store
from storage.tables import PageRow, PassageRow, SnapshotRow, VersionRow

#: What mends a version, in words.
_Again = Callable[[VersionRow], str]
_RESTORE = "Restore a backup, or ingest into a new library."


class Verifying(Store):
    """Verification."""

    def verify(self, options: str = "") -> list[str]:
        """Every problem found, each saying what to do; an empty list means that all is well.
        options: of the commands that are named."""
        with self._reading() as session:
            try:
                problems = list(_database(session))
                if problems:
                    return problems  # Checking further would read the damaged pages.
                problems = list(_contents(session, self.originals, partial(_again, options)))
            except DatabaseError as error:
                return [f"The database cannot be read to its end: {error.orig}. {_RESTORE}"]
        with self._writing() as session:
            return problems + list(_words(session))


def _again(options: str, version: VersionRow) -> str:
    if version.format == MEMORY_ALONE:
        return f"Import its file again (python -m app import F{options}), or delete it."
    return f"Run: python -m app reread {version.document_id}{options}"


def _database(session: Session) -> Iterator[str]:
    found = session.scalars(text("PRAGMA integrity_check")).all()
    if found != ["ok"]:
        yield from (f"The database is damaged: {problem}. {_RESTORE}" for problem in found)
        return
    for row in session.execute(text("PRAGMA foreign_key_check")):
        yield f"Row {row[1]} of table {row[0]} belongs to nothing in {row[2]}. {_RESTORE}"


def _contents(session: Session, originals: Originals, again: _Again) -> Iterator[str]:
    yield from _snapshots(session, again)
    versions = session.scalars(select(VersionRow).order_by(VersionRow.id)).all()
    for version in versions:
        if version.format != MEMORY_ALONE:
            yield from _passages(session, version, again)
        yield from _completeness(session, version, again)
    yield from _originals(originals, {version.sha256 for version in versions})


def _words(session: Session) -> Iterator[str]:
    try:
        # rank 1: compare the index with the passages, not only with itself.
        session.execute(
            text("INSERT INTO passage_words(passage_words, rank) VALUES('integrity-check', 1)")
        )
    except DatabaseError as error:
        session.rollback()
        yield (
            f"The word index does not match the passages ({error.orig}): word search may miss "
            f"some. {_RESTORE}"
        )


def _snapshots(session: Session, again: _Again) -> Iterator[str]:
    for number in session.scalars(select(SnapshotRow.id).order_by(SnapshotRow.id)).all():
        row = session.get_one(SnapshotRow, number)
        if hashlib.sha256(row.data).hexdigest() != row.sha256:
            version = session.get_one(VersionRow, row.version_id)
            yield (
                f"{_name(version)}: the memory after {row.segments_read} segments is damaged. "
                f"{again(version)}"
            )
        session.expunge(row)


def _passages(session: Session, version: VersionRow, again: _Again) -> Iterator[str]:
    pages = {
        number: page_text
        for number, page_text in session.execute(
            select(PageRow.number, PageRow.text).where(PageRow.version_id == version.id)
        )
    }
    if sorted(pages) != list(range(version.pages)):
        yield (
            f"{_name(version)}: {len(pages)} of {version.pages} pages are stored. {again(version)}"
        )
    ordinals = []
    for ordinal, page, start, end, read, runs in session.execute(
        select(
            PassageRow.ordinal,
            PassageRow.page,
            PassageRow.start,
            PassageRow.end,
            PassageRow.text,
            PassageRow.runs,
        )
        .where(PassageRow.version_id == version.id)
        .order_by(PassageRow.ordinal)
    ):
        ordinals.append(ordinal)
        problem = passage_problem(
            pages.get(page), page=page, start=start, end=end, text=read, runs=runs_from(runs)
        )
        if problem:
            yield f"{_name(version)}, passage {ordinal}: {problem}. {again(version)}"
    if ordinals != list(range(version.segments_read)):
        yield (
            f"{_name(version)}: {len(ordinals)} of {version.segments_read} passages are stored. "
            f"{again(version)}"
        )


def _completeness(session: Session, version: VersionRow, again: _Again) -> Iterator[str]:
    if version.state != "ready" or not version.segments_read:
        return
    final = select(SnapshotRow.id).where(
        SnapshotRow.version_id == version.id, SnapshotRow.segments_read == version.segments_read
    )
    if session.scalar(final) is None:
        yield f"{_name(version)}: the final memory is missing. {again(version)}"


def _originals(originals: Originals, hashes: set[str]) -> Iterator[str]:
    for sha256, place in originals.all():
        if place.name != sha256:
            yield f"{place} was left by a copy that was cut off. Delete it."
        elif sha256 not in hashes:
            yield f"{place} belongs to no document. Delete it."
        elif sha256_of(place) != sha256:
            yield f"{place} is damaged: its SHA-256 is not its name. Ingest the file again."


def _name(version: VersionRow) -> str:
    return f'"{version.title}" ({version.document_id})'
