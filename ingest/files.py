"""Which files a list of paths means, and what their bytes are."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.pandoc_files import pandoc_refusal
from ingest.parse import SUPPORTED


@dataclass(frozen=True)
class FoundFile:
    """A file to ingest, or one left out and why.

    refusal: None for a file to read. named: it was given itself, not met in a folder.
    """

    path: Path
    named: bool
    refusal: str | None = None


def find_files(paths: Sequence[Path | str]) -> Iterator[FoundFile]:
    """Every file that `paths` name or hold, folders recursively and in order of name.

    In folders, hidden files and folders are passed over in silence, links that lead
    out of the folder and kinds that are not read here with a reason.
    """
    seen: set[Path] = set()
    for given in map(Path, paths):
        found = _in_folder(given) if given.is_dir() else iter([_named(given)])
        for file in found:
            key = file.path.absolute()
            if key not in seen:
                seen.add(key)
                yield file


def _named(path: Path) -> FoundFile:
    if not path.exists():
        return FoundFile(path, True, f"{path} does not exist.")
    if not path.is_file():
        return FoundFile(path, True, f"{path} is neither a file nor a folder.")
    return FoundFile(path, True, pandoc_refusal(path))


def _in_folder(root: Path) -> Iterator[FoundFile]:
    inside = root.resolve()
    for folder, names, files in os.walk(root, followlinks=False):
        names[:] = sorted(name for name in names if not name.startswith("."))
        # os.walk lists links to folders among the folders; they are not entered.
        for name in sorted(files):
            path = Path(folder, name)
            if name.startswith("."):
                continue
            # Path.resolve raises for a link that leads to itself.
            target = Path(os.path.realpath(path))
            if path.is_symlink() and not target.is_relative_to(inside):
                yield FoundFile(path, False, "it is a link that leads out of the folder")
            elif not path.is_file():
                yield FoundFile(path, False, "it is no regular file")
            elif path.suffix.lower() not in SUPPORTED:
                kinds = ", ".join(sorted(SUPPORTED))
                yield FoundFile(path, False, f"it is not of a kind that is read ({kinds})")
            else:
                yield FoundFile(path, False, pandoc_refusal(path))
