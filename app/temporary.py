"""Where a server keeps what passes through it: one folder, gone with the server however it ends."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX = "recollect-"
#: Locked for as long as the process lives that made the folder; a kill unlocks it.
_LOCK = "lock"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder for this process. What servers that were killed have left is removed first."""
    parent = Path(tempfile.gettempdir())
    for left in parent.glob(f"{_PREFIX}*"):
        if _is_ours(left):
            _remove_if_dead(left)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    lock = FileLock(folder / _LOCK)
    try:
        with lock:
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    """Whether it is a folder of a server of this user; anyone can give such a name."""
    if folder.is_symlink() or not (folder / _LOCK).is_file():
        return False
    return os.name != "posix" or folder.stat().st_uid == os.getuid()


def _remove_if_dead(folder: Path) -> None:
    try:
        with FileLock(folder / _LOCK, timeout=0):
            pass
    except Timeout:
        return  # its server lives
    shutil.rmtree(folder, ignore_errors=True)
