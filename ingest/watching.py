"""Folders that are watched: new and changed files go in once they have stopped growing.

By looking again and again: what a system tells of changes differs between systems, is lost on
network folders, and says nothing of whether a file is complete.
"""

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from armt_core.document_model import DocumentModel
from armt_core.errors import UsageError
from ingest.files import FoundFile, find_files
from ingest.pipeline import ingest_paths
from ingest.reports import FileReport
from storage.library import Library

log = logging.getLogger(__name__)

#: Between two looks. A file that is the same in both has stopped growing.
SECONDS = 2.0

_Look = tuple[int, int, int, int]
"""What changes when a file does: size, times of content and of attributes, place on the disk."""


@dataclass
class _Seen:
    """What the looks at the folders have shown, by path."""

    last: dict[Path, _Look] = field(default_factory=dict)
    done: dict[Path, _Look] = field(default_factory=dict)
    told: dict[Path, _Look] = field(default_factory=dict)
    away: set[Path] = field(default_factory=set)

    def settled(self, folders: Sequence[Path]) -> list[FoundFile]:
        """Looks once more: the files that have stopped growing and are not done with."""
        found = [(file, _look(file.path)) for folder in folders for file in self._files(folder)]
        looks = {file.path: look for file, look in found if look is not None}
        before, self.last = self.last, looks
        self.done = {path: look for path, look in self.done.items() if path in looks}
        return [
            file
            for file, look in found
            if look is not None and look == before.get(file.path) != self.done.get(file.path)
        ]

    def is_news(self, report: FileReport) -> bool:
        """Notes what became of a file; whether it is to be told.

        What is not the file's own trouble (another process is reading it, the library cannot be
        written) is looked at again, and told of once.
        """
        path = Path(report.path)
        look = self.last[path]
        if report.document_id is None:
            told, self.told[path] = self.told.get(path), look
            return told != look
        self.done[path] = look
        self.told.pop(path, None)
        return True

    def _files(self, folder: Path) -> Iterator[FoundFile]:
        """What is in the folder; nothing while it is away, as a disk may be for a time."""
        if folder.is_dir():
            self.away.discard(folder)
            yield from find_files([folder])
        elif folder not in self.away:
            self.away.add(folder)
            log.warning("%s is not there any more; waiting for it", folder)


def watch(
    folders: Sequence[Path],
    library: Library,
    model: DocumentModel,
    wait: Callable[[], bool],
    **options: Any,
) -> Generator[FileReport]:
    """Reads files of folders into the library as they come; a report for each, as it is done.

    A file goes in when two looks in a row find it the same, and again when it has changed. One
    that fails is reported, and tried again when it has changed. One that another process is
    reading, or that the library cannot take now, is reported once and tried again at every look.
    What is taken away stays in the library. wait: called between looks; True ends the watch.
    options: as of `ingest_paths`.
    Raises UsageError for what is no folder, LibraryError if the library cannot be written.
    """
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder; only folders can be watched.")
    seen = _Seen()
    while True:
        settled = seen.settled(folders)
        for file in settled:
            if file.refusal is not None:
                seen.done[file.path] = seen.last[file.path]
                yield FileReport(str(file.path), "skipped", reason=file.refusal)
        paths = [file.path for file in settled if file.refusal is None]
        if paths:
            with closing(ingest_paths(paths, library, model, **options)) as reports:
                yield from (report for report in reports if seen.is_news(report))
        if wait():
            return


def _look(path: Path) -> _Look | None:
    """None: it is gone, or cannot be looked at."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
