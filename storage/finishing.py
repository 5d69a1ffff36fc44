"""The two moments at which versions meet: taking over from an older one, and replacing it."""

import hashlib
import logging
import uuid
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import delete, insert, literal, select, update
from sqlalchemy.orm import Session

from armt_core.errors import LibraryError, OtherModel
from storage.claims import Claim, drop_claim, owned
from storage.originals import file_sha256
from storage.readings import count_passages
from storage.rows import count_snapshots, existing_version
from storage.store import Store, now
from storage.tables import AliasRow, DocumentRow, PageRow, PassageRow, SnapshotRow, VersionRow

log = logging.getLogger(__name__)

_COPIED = (
    PassageRow.ordinal,
    PassageRow.page,
    PassageRow.start,
    PassageRow.end,
    PassageRow.tokens,
    PassageRow.text,
    PassageRow.runs,
    PassageRow.memory_vector,
    PassageRow.plain_vector,
    PassageRow.sentence_vectors,
    PassageRow.beta,
    PassageRow.gamma,
    PassageRow.change,
)


class Finishing(Store):
    """Inheriting from an older version, finishing, and keeping the original."""

    def inherit(self, version_id: int, claim: Claim, from_version_id: int, segments: int) -> int:
        """Take over what an older version has read of the first `segments` segments, which must
        be the same in both, and return where the reading goes on.

        That is the `segments_read` of the older version's last undamaged snapshot within them:
        its passages up to there, with their vectors, and its snapshots are copied; 0 if there is
        none. Call it after `set_parsed` and before the first checkpoint. Raises LostClaim,
        OtherModel for another fingerprint, LibraryError if the pages are not the same there.
        """
        with self._writing() as session:
            version = owned(session, version_id, claim)
            older = existing_version(session, from_version_id)
            if older.fingerprint != version.fingerprint:
                raise OtherModel(
                    f"Version {older.id} was read by the model {older.fingerprint} and version "
                    f"{version.id} is for {version.fingerprint}: read it from the start"
                )
            if version.segments_total is None or version.segments_read:
                raise LibraryError(
                    f'"{version.title}" can inherit only after set_parsed and before the first '
                    f"checkpoint; it has {version.segments_read} segments"
                )
            copied = _copy_snapshots(session, older, version, min(segments, version.segments_total))
            _check_same_text(session, older, version, copied)
            session.execute(
                insert(PassageRow).from_select(
                    ["version_id", *(column.key for column in _COPIED)],
                    select(literal(version_id), *_COPIED)
                    .where(PassageRow.version_id == older.id, PassageRow.ordinal < copied)
                    .order_by(PassageRow.ordinal),
                )
            )
            count_passages(session, version)
            if version.segments_read != copied:
                raise LibraryError(
                    f"Version {older.id} has a memory after {copied} segments and only "
                    f"{version.segments_read} passages.",
                    "verify",
                )
            return copied

    def finish(self, version_id: int, claim: Claim) -> None:
        """Make the version ready and current, and delete the versions begun before it.

        Their passages, snapshots and originals that nothing else needs go too. If a copy of the
        older bytes still lies at another path, that version becomes a document of its own
        instead. Raises LostClaim; LibraryError if segments or the final memory are missing.
        """
        copies = self._copies_of_older(version_id)  # before: files may be large
        with self._writing() as session:
            version = owned(session, version_id, claim)
            _check_complete(session, version)
            before = set(_hashes(session))
            _part_from_copies(session, version, copies)
            session.execute(
                delete(VersionRow).where(
                    VersionRow.document_id == version.document_id, VersionRow.begun < version.begun
                )
            )
            version.state, version.is_current = "ready", True
            version.reason = version.reason_code = None
            drop_claim(version)
            session.execute(
                update(DocumentRow)
                .where(DocumentRow.id == version.document_id)
                .values(updated_at=now())
            )
            session.flush()
            unneeded = before - set(_hashes(session))
        for sha256 in unneeded:
            self.originals.delete(sha256)

    def _copies_of_older(self, version_id: int) -> set[str]:
        """The paths at which the bytes of the version that this one replaces still lie."""
        with self._reading() as session:
            version = session.get(VersionRow, version_id)
            older = None if version is None else _older(session, version)
            if older is None:
                return set()
            paths, sha256 = [alias.path for alias in _seen_at(session, older)], older.sha256
        return {path for path in paths if _holds(path, sha256)}

    def keep_original(self, sha256: str, path: str | Path) -> None:
        """Copy the file that was read into the library, whole or not at all.

        Call it after `begin_reading`. Raises LibraryError if nothing in the library has these
        bytes, or if the file no longer has them.
        """
        with self._reading() as session:
            if sha256 not in _hashes(session):
                raise LibraryError(
                    f"Nothing in the library has the SHA-256 {sha256}: begin reading"
                )
        self.originals.put(Path(path), sha256)

    def original_path(self, sha256: str) -> Path | None:
        """Where the original lies, or None if it was not kept."""
        return self.originals.path(sha256)


def _hashes(session: Session) -> list[str]:
    return list(session.scalars(select(VersionRow.sha256).distinct()))


def _copy_snapshots(session: Session, older: VersionRow, version: VersionRow, segments: int) -> int:
    """Copy the undamaged ones, one in memory at a time; returns the highest `segments_read`."""
    highest = 0
    found = session.scalars(
        select(SnapshotRow.id)
        .where(SnapshotRow.version_id == older.id, SnapshotRow.segments_read <= segments)
        .order_by(SnapshotRow.segments_read)
    ).all()
    session.execute(delete(SnapshotRow).where(SnapshotRow.version_id == version.id))
    for snapshot_id in found:
        row = session.get_one(SnapshotRow, snapshot_id)
        if hashlib.sha256(row.data).hexdigest() != row.sha256:
            log.warning(
                'The memory of "%s" after %d segments is damaged and is made again',
                older.title,
                row.segments_read,
            )
        else:
            highest = row.segments_read
            session.execute(
                insert(SnapshotRow).values(
                    version_id=version.id,
                    segments_read=row.segments_read,
                    sha256=row.sha256,
                    fingerprint=row.fingerprint,
                    conditions=row.conditions,
                    data=row.data,
                )
            )
        session.expunge(row)
    count_snapshots(session, version)
    return highest


def _check_same_text(
    session: Session, older: VersionRow, version: VersionRow, segments: int
) -> None:
    """A passage that is taken over must still be an exact quote of its page."""
    places = session.execute(
        select(PassageRow.ordinal, PassageRow.page, PassageRow.start, PassageRow.end)
        .where(PassageRow.version_id == older.id, PassageRow.ordinal < segments)
        .order_by(PassageRow.ordinal)
    ).all()
    number, was, now_is = -1, "", ""
    for ordinal, page, start, end in places:
        if page != number:
            number = page
            was = session.get_one(PageRow, (older.id, page)).text
            found = session.get(PageRow, (version.id, page))
            now_is = found.text if found else ""
        if was[start:end] != now_is[start:end]:
            raise LibraryError(
                f'"{version.title}" has changed within its first {segments} segments: segment '
                f"{ordinal} (page {page}, characters {start} to {end}) is not the same. "
                "Inherit less."
            )


def _check_complete(session: Session, version: VersionRow) -> None:
    final = session.scalar(
        select(SnapshotRow.id).where(
            SnapshotRow.version_id == version.id,
            SnapshotRow.segments_read == version.segments_read,
        )
    )
    missing_memory = final is None and version.segments_read > 0
    if version.segments_total != version.segments_read or missing_memory:
        raise LibraryError(
            f'"{version.title}" cannot be finished: {version.segments_read} of '
            f"{version.segments_total} segments are read"
            + (", and the final memory is missing" if missing_memory else "")
        )


def _older(session: Session, version: VersionRow) -> VersionRow | None:
    """The version of other bytes that this one replaces."""
    return session.scalar(
        select(VersionRow).where(
            VersionRow.document_id == version.document_id,
            VersionRow.is_current,
            VersionRow.sha256 != version.sha256,
        )
    )


def _seen_at(session: Session, older: VersionRow) -> Sequence[AliasRow]:
    """Where the bytes of a version were seen."""
    return session.scalars(
        select(AliasRow).where(
            AliasRow.document_id == older.document_id, AliasRow.sha256 == older.sha256
        )
    ).all()


def _holds(path: str, sha256: str) -> bool:
    try:
        return Path(path).is_file() and file_sha256(Path(path)) == sha256
    except (OSError, ValueError):  # it is gone, or no path of this system
        return False


def _part_from_copies(session: Session, version: VersionRow, at: set[str]) -> None:
    """Look after the paths that the older bytes were seen at.

    Where they still are (`at`), the older version lives on as its own document; where they are no
    more (the file was moved or changed), the path is forgotten.
    """
    older = _older(session, version)
    if older is None:
        return
    aliases = _seen_at(session, older)
    copies = [alias for alias in aliases if alias.path in at]
    for alias in aliases:
        if alias not in copies:
            session.delete(alias)
    if copies:
        document = DocumentRow(id=uuid.uuid4().hex, created_at=now(), updated_at=now())
        session.add(document)
        session.flush()
        older.document_id = document.id
        for alias in copies:
            alias.document_id = document.id
        log.info('"%s" is still at %s: it is its own document now', older.title, copies[0].path)
    session.flush()
