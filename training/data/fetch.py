"""`python -m training fetch`: public sets from the Hugging Face hub into the data folder."""

import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from armt_core.errors import RecollectError, UsageError
from training.data.hub import SETS, HubRow, HubSet, Item

#: The version the tables of hub.py were checked with; needed by nothing else.
DATASETS = "datasets==5.2.0"
#: `datasets.load_dataset`, or what stands in for it: (hub name, configuration, split=,
#: streaming=True) -> the rows, in order.
Loader = Callable[..., Iterable[HubRow]]


class UnknownSet(UsageError):
    """No public set has this name."""

    code = "unknown_set"


class HubMissing(RecollectError):
    """The library that loads public sets is not installed."""

    code = "hub_missing"


class HubFailed(RecollectError):
    """A set could not be loaded, or holds something else than it did."""

    code = "hub_failed"


@dataclass(frozen=True)
class Fetched:
    """What became of a set: how many rows were written and how many could not be used.

    left_alone: its file was there already; then both counts are 0.
    """

    entry: HubSet
    path: Path
    rows: int
    skipped: int
    left_alone: bool = False

    def __str__(self) -> str:
        if self.left_alone:
            return f"{self.entry.name}: {self.path} is there and was left alone (--again replaces)"
        return (
            f"{self.entry.name}: {self.rows} rows written, {self.skipped} skipped, "
            f"{self.entry.licence}: {self.path}"
        )


def chosen(names: Sequence[str]) -> list[HubSet]:
    """The sets of these names; without names, all.

    Raises:
        UnknownSet: a name that is not in the table.
    """
    unknown = sorted(set(names) - set(SETS))
    if unknown:
        raise UnknownSet(f"Unknown set {', '.join(unknown)}; known are {', '.join(SETS)}.")
    return [SETS[name] for name in dict.fromkeys(names or SETS)]


def open_hub(importer: Callable[[str], Any] = import_module) -> Loader:
    """`datasets.load_dataset`, imported now: nothing else here needs the library.

    Raises:
        HubMissing: it is not installed.
    """
    try:
        loader: Loader = importer("datasets").load_dataset
    except ImportError as error:
        raise HubMissing(
            f"Fetching public sets needs the library `datasets` ({error}); "
            f"install it: pip install {DATASETS}"
        ) from error
    return loader


def fetch(
    entry: HubSet, data: Path, load: Loader, *, again: bool = False, most: int | None = None
) -> Fetched:
    """Loads one set, row by row, and writes its file under `data`.

    The rows go to a partial file that takes the name of the file at the end: a file that was
    there stays until the new one is whole. again: replace it. most: rows to take of each split,
    instead of what the table says.

    Raises:
        HubFailed: the hub cannot be reached, the set has other columns, or no row can be used.
        UsageError: `most` is not positive.
    """
    if most is not None and most < 1:
        raise UsageError(f"At least one row of a set has to be taken, not {most}.")
    path = data / entry.file
    if path.exists() and not again:
        return Fetched(entry, path, 0, 0, left_alone=True)
    rows = _Rows(entry, load, entry.most if most is None else most)
    with _whole(path) as partial:
        # disable=None: no bar where nobody watches.
        bar = tqdm(rows, desc=entry.name, unit=" rows", disable=None)
        _WRITERS[path.parent.name](partial, bar)
        if not rows.written:
            raise HubFailed(
                f"{entry.hub} has no row that can be used ({rows.skipped} skipped); {path} is "
                "not written."
            )
    return Fetched(entry, path, rows.written, rows.skipped)


class _Rows:
    """Our rows of a set, in its order; counts as they are taken."""

    def __init__(self, entry: HubSet, load: Loader, most: int | None) -> None:
        self.entry, self.load, self.most = entry, load, most
        self.written = self.skipped = 0

    def __iter__(self) -> Iterator[Item]:
        for split in self.entry.splits:
            # Closed here: a half-read stream that is left to the end of Python can keep it
            # from ending (threads of pyarrow).
            with closing(self._converted(split)) as items:
                for item in islice(items, self.most):
                    self.written += 1
                    yield item

    def _converted(self, split: str) -> Generator[Item, None, None]:
        for row in self._loaded(split):
            try:
                item = self.entry.convert(row, split)
            except KeyError as error:
                raise HubFailed(
                    f"{self.entry.hub} has no column {error} (any more); it has {sorted(row)}."
                ) from error
            if item is None:
                self.skipped += 1
            else:
                yield {**item, "source": self.entry.hub}

    def _loaded(self, split: str) -> Iterator[HubRow]:
        entry = self.entry
        try:
            yield from self.load(entry.hub, entry.configuration, split=split, streaming=True)
        except Exception as error:
            # Any: what a broken connection raises depends on the HTTP library behind
            # `datasets`, which has changed. Nothing of ours runs inside.
            raise HubFailed(
                f"{entry.hub} ({split}) could not be loaded: {error}. What was there before and "
                "the sets fetched so far are whole; the command without --again goes on."
            ) from error


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file to write beside `path`; it becomes `path` if nothing goes wrong, else it goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _write_questions(path: Path, rows: Iterable[Item]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write_documents(path: Path, rows: Iterable[Item]) -> None:
    with lzma.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write_books(path: Path, rows: Iterable[Item]) -> None:
    with tarfile.open(path, "w:xz") as archive:
        for row in rows:
            _add(archive, row["member"], row["text"])


def _write_stories(path: Path, rows: Iterable[Item]) -> None:
    # A member's length stands before it, and the rows of a task need not follow each other:
    # they are gathered first (8 MB for all of bAbI).
    texts: dict[str, list[str]] = {}
    for row in rows:
        texts.setdefault(row["member"], []).append(row["text"])
    with tarfile.open(path, "w:xz") as archive:
        for member in sorted(texts):
            _add(archive, member, "".join(texts[member]))


def _add(archive: tarfile.TarFile, member: str, text: str) -> None:
    content = text.encode("utf-8")
    header = tarfile.TarInfo(member)
    header.size = len(content)
    archive.addfile(header, io.BytesIO(content))


_WRITERS: dict[str, Callable[[Path, Iterable[Item]], None]] = {
    "qa": _write_questions,
    "docs": _write_documents,
    "books": _write_books,
    "babi": _write_stories,
}
