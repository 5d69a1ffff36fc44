"""The data folder: books, documents, questions over passages, and bAbI stories.

Its layout is that of `docs/training.md`; `python -m training fetch` makes one.
"""

import csv
import gzip
import json
import lzma
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from armt_core.errors import RecollectError
from training.data.splits import Split, split_of


class DataMissing(RecollectError):
    """A file of the data folder is not there, or holds something else."""

    code = "data_missing"


@dataclass(frozen=True)
class Span:
    """An answer: context[start : start + len(text)] == text."""

    text: str
    start: int


@dataclass(frozen=True)
class Question:
    """A question over one context; no answers: the context does not answer it."""

    title: str
    context: str
    question: str
    answers: tuple[Span, ...]


def books(data: Path, split: Split) -> list[str]:
    """The text of each book of the split, in the order of their names.

    Left out are books of collections that state no licence, as books/train-index.tsv (where
    there is one) names them in its column "source": weights that ship are not trained on them.
    """
    left_out = _without_licence(data / "books" / "train-index.tsv")
    with tarfile.open(_there(data / "books" / "train.tar.xz")) as archive:
        found = [
            (member.name, file.read().decode("utf-8"))
            for member in archive
            if member.isfile() and split_of(member.name) == split
            if Path(member.name).name not in left_out
            if (file := archive.extractfile(member)) is not None
        ]
    return [text for _, text in sorted(found)]


#: Collections of books that state no licence.
_NO_LICENCE = {"computationalstylistics/100_english_novels"}


def _without_licence(index: Path) -> set[str]:
    """The files of such collections; none where there is no index."""
    if not index.is_file():
        return set()
    with index.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["file"] for row in rows if row["source"] in _NO_LICENCE}


def documents(data: Path, split: Split) -> list[str]:
    """The text of each document under docs/ of the split."""
    texts = []
    for path in sorted((data / "docs").glob("*.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        texts += [row["text"] for row in rows if split_of(row["title"]) == split]
    if not texts:
        raise DataMissing(f"{data / 'docs'} holds no *.jsonl.xz with documents.")
    return texts


def questions(data: Path, name: str, split: Split) -> list[Question]:
    """The questions of the set `name` ("squad-articles"), in the order of the file."""
    path = data / "qa" / f"{name}.jsonl.gz"
    return [
        Question(
            row["title"],
            row["context"],
            row["question"],
            tuple(Span(a["text"], a["start"]) for a in row["answers"]),
        )
        for row in rows_of(path)
        if split_of(row["title"] or row["context"]) == split
    ]


_BABI_LINE = re.compile(r"(\d+) (.*)")


@dataclass(frozen=True)
class BabiQuestion:
    """What a story says up to a question, the question, and its answer."""

    facts: tuple[str, ...]
    question: str
    answer: str


def babi(data: Path, task: int, split: Split) -> list[BabiQuestion]:
    """The questions of bAbI task qa`task`: its train files, or for "dev" its valid files."""
    wanted = "train" if split == "train" else "valid"
    archives = sorted((data / "babi").glob("*.tar.xz"))
    if not archives:
        raise DataMissing(f"{data / 'babi'} holds no *.tar.xz with bAbI tasks.")
    name = re.compile(rf"en-valid(-10k)?/qa{task}_{wanted}\.txt$")
    for path in archives:
        with tarfile.open(path) as archive:
            texts = [
                file.read().decode("ascii")
                for member in archive
                if name.search(member.name) and (file := archive.extractfile(member)) is not None
            ]
        if texts:
            # The larger of the two sizes of the set, where both are there.
            return list(_stories(max(texts, key=len)))
    raise DataMissing(f"No archive in {data / 'babi'} holds qa{task}_{wanted}.txt.")


def _stories(text: str) -> Iterator[BabiQuestion]:
    facts: list[str] = []
    for line in text.splitlines():
        found = _BABI_LINE.match(line)
        if not found:
            raise DataMissing(f"Not a line of a bAbI file: {line!r}.")
        if found[1] == "1":
            facts = []
        if "\t" in found[2]:
            question, answer, *_ = found[2].split("\t")
            yield BabiQuestion(tuple(facts), question.strip(), answer.strip().lower())
        else:
            facts.append(found[2].strip())


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a .jsonl.gz file. Raises DataMissing if it is not there."""
    with gzip.open(_there(path), "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _there(path: Path) -> Path:
    if not path.is_file():
        raise DataMissing(f"{path} is not there; --data names the folder that holds it.")
    return path
