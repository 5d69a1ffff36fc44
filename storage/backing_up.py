"""A consistent copy of a library, originals included, while others go on using it."""

import contextlib
import json
import logging
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from armt_core.errors import LibraryError
from storage.database import FILE_NAME, copy_database, originals_folder
from storage.originals import Originals, sha256_of
from storage.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backup:
    """What a backup holds. folder: opens as a library. problems: originals that it lacks because
    they are damaged, in words."""

    folder: Path
    documents: int
    originals: int
    size: int
    problems: tuple[str, ...]


class BackingUp(Store):
    """Backups."""

    def backup(self, target: str | Path) -> Backup:
        """Copy the library as it is at one moment into a new folder, itself a library.

        The folder is there when it is complete and not before; only its owner can read it. What
        is written meanwhile is not in it, and an original that is deleted meanwhile neither.
        Raises LibraryError if the folder exists or cannot be written; then nothing is left.
        """
        folder = Path(target).absolute()
        part = folder.with_name(folder.name + ".part")
        for place in (folder, part):
            if place.exists():
                left = " (a backup that was cut off left it: delete it)" if place == part else ""
                raise LibraryError(f"{place} exists already{left}; name a folder that does not.")
        try:
            part.mkdir(mode=0o700)
            copy_database(self.database, part / FILE_NAME)
            documents, hashes = _contents(part / FILE_NAME)
            copied, problems = self._copy_originals(hashes, originals_folder(part / FILE_NAME))
            size = sum(file.stat().st_size for file in part.rglob("*") if file.is_file())
            part.rename(folder)
            self._note(folder)
        except BaseException as error:
            shutil.rmtree(part, ignore_errors=True)
            if isinstance(error, OSError):
                raise LibraryError(
                    f"The library cannot be copied to {folder}: {error}. Free some space or "
                    "choose another place."
                ) from error
            raise
        return Backup(folder, documents, copied, size, tuple(problems))

    def backups_with(self, document_id: str) -> list[Path]:
        """The backups of this library that still hold a document, or cannot be read to see.

        Known are those that lie where `backup` wrote them.
        """
        if not self._notes.exists():
            return []
        noted = dict.fromkeys(self._notes.read_text(encoding="utf-8").splitlines())
        folders = [Path(json.loads(line)) for line in noted]
        return [folder for folder in folders if _may_hold(folder / FILE_NAME, document_id)]

    @property
    def _notes(self) -> Path:
        """Where backups were written: a path a line, as JSON."""
        return self.database.with_name(f"{self.database.name}.backups")

    def _note(self, folder: Path) -> None:
        self._notes.touch(mode=0o600)
        with self._notes.open("a", encoding="utf-8") as file:
            file.write(json.dumps(str(folder)) + "\n")

    def _copy_originals(self, hashes: list[str], folder: Path) -> tuple[int, list[str]]:
        """How many were copied, and which are damaged. Those never kept are no problem."""
        copies, copied, problems = Originals(folder), 0, []
        for sha256 in hashes:
            place = self.originals.path(sha256)
            if place is None:
                continue
            try:
                if sha256_of(place) == sha256:
                    copies.put(place, sha256)
                    copied += 1
                else:
                    problems.append(f"{place} is damaged and not copied. Ingest its file again.")
            except (OSError, LibraryError):
                if place.exists():
                    raise  # else it was deleted with its document meanwhile
        return copied, problems


def _contents(database: Path) -> tuple[int, list[str]]:
    """Documents of a copy, and the SHA-256 of the files they were read from."""
    with contextlib.closing(sqlite3.connect(database)) as copy:
        (documents,) = copy.execute("SELECT count(*) FROM document").fetchone()
        hashes = copy.execute("SELECT DISTINCT sha256 FROM version ORDER BY sha256").fetchall()
    return documents, [sha256 for (sha256,) in hashes]


def _may_hold(database: Path, document_id: str) -> bool:
    if not database.exists():
        return False
    try:
        with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as copy:
            found = copy.execute("SELECT 1 FROM document WHERE id = ?", [document_id]).fetchone()
    except sqlite3.Error as error:
        log.warning("%s cannot be read: %s", database, error)
        return True
    return found is not None
