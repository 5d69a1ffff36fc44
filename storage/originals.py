"""The files that were read, kept by the SHA-256 of their bytes beside the database."""

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from armt_core.errors import LibraryError

_CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """The hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Originals:
    """A folder `ab/<sha256>` that is made when the first file comes in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, source: Path, sha256: str) -> Path:
        """Copy a file in: all of it or nothing, also when the power goes.

        Raises LibraryError if the bytes copied are not those of `sha256` (the file changed
        while it was read) or cannot be written.
        """
        target = self._place(sha256)
        part = target.with_name(f"{sha256}.part-{uuid.uuid4().hex}")
        try:
            if target.exists() and sha256_of(target) == sha256:
                return target
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            found = self._copy(source, part)
            if found != sha256:
                raise LibraryError(
                    f"{source} changed while it was being read: its SHA-256 was {sha256} and is "
                    f"now {found}. Ingest it again."
                )
            part.replace(target)
            _sync_folder(target.parent)
        except OSError as error:
            raise LibraryError(
                f"{source} cannot be copied to {self.folder}: {error}. Free some space or make "
                "the folder writable; or ingest with --no-originals."
            ) from error
        finally:
            part.unlink(missing_ok=True)
        return target

    def path(self, sha256: str) -> Path | None:
        """Where the file lies, or None."""
        place = self._place(sha256)
        return place if place.is_file() else None

    def kept(self) -> set[str]:
        """The SHA-256 of every file kept."""
        found: set[str] = set()
        for folder in self.folder.glob("??"):
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                found.update(os.listdir(folder))
        return found

    def delete(self, sha256: str) -> None:
        """Remove the file and what a killed copy of it may have left."""
        for left in self._place(sha256).parent.glob(f"{sha256}*"):
            left.unlink(missing_ok=True)

    def all(self) -> Iterator[tuple[str, Path]]:
        """Every file kept, as (the SHA-256 in its name, its path), in order."""
        for place in sorted(self.folder.glob("??/*")):
            yield place.name.partition(".")[0], place

    def _place(self, sha256: str) -> Path:
        if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
            raise LibraryError(f"{sha256!r} is not a SHA-256: 64 lower-case hexadecimal digits")
        return self.folder / sha256[:2] / sha256

    @staticmethod
    def _copy(source: Path, part: Path) -> str:
        digest = hashlib.sha256()
        with source.open("rb") as reader, open(part, "xb", opener=_private) as writer:
            while chunk := reader.read(_CHUNK):
                digest.update(chunk)
                writer.write(chunk)
            writer.flush()
            os.fsync(writer.fileno())
        return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of the bytes. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
