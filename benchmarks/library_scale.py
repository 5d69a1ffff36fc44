"""Listing, searching and asking in a library of many documents.

    python -m benchmarks.library_scale --folder FOLDER [--documents 10000] [--passages 1000000]

The library is made up: words drawn as natural text draws them (Zipf), random vectors of the
model's width. Each question has TOPIC documents whose first passages hold its rare word and lie
near its vector; they have memories of full size. The memories of all others are a few
bytes, for nothing opens them (full ones would take 1.8 MB of disk each). Each call is timed the
first time, then as the median of several: by the clock, and the processor's time, which is less
where other programs are busy.

Axes: n passages, D width.
"""

import argparse
import hashlib
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.answering import Answerer
from app.as_json import document_json
from armt_core.document_model import DocumentModel
from armt_core.snapshot import snapshot_bytes
from benchmarks.results import print_table, run, write_result
from ingest.sentences import sentence_spans
from ingest.settings import open_reader
from storage.library import Library
from storage.tables import AliasRow, DocumentRow, PageRow, PassageRow, SnapshotRow, VersionRow
from training.stamp import machine

#: Words of a passage, its sentences, and distinct words of the library.
WORDS, SENTENCES, VOCABULARY = 60, 3, 50_000
#: Documents that a question is about.
TOPIC = 12
#: Of each question a common word and a rarer one; a third is its topic's alone.
_ASKED = (("w20x", "w900x"), ("w35x", "w4000x"), ("w90x", "w15000x"), ("w300x", "w2500x"))
QUESTIONS = [
    f"What did {common} say of {rarer} and topic{number}?"
    for number, (common, rarer) in enumerate(_ASKED)
]
_COMMIT_DOCUMENTS = 100


def main(arguments: list[str] | None = None) -> int:
    """1 if a warm call takes more processor time than --most."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.library_scale")
    parser.add_argument("--folder", type=Path, required=True, help="of the library; made if new")
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--most", type=float, default=0.5, help="seconds of a warm call")
    options = parser.parse_args(arguments)
    model = open_reader()
    before = _resident()
    with Library(options.folder) as library:
        if not library.documents():
            build(library, model, options.documents, options.passages)
        answerer = Answerer.open(library)
        rows, values = [], {}
        for name, call in _calls(library, answerer):
            first = _timed(call, 0)
            for run in range(1, len(QUESTIONS)):
                call(run)  # a question is warm once it was asked
            warm = [_timed(call, run) for run in range(options.runs)]
            wall, processor = (statistics.median(times) for times in zip(*warm, strict=True))
            values[name] = {
                "first_seconds": round(first[0], 3),
                "wall_seconds": round(wall, 3),
                "processor_seconds": round(processor, 3),
            }
            rows.append([name, *(f"{s:.3f}" for s in (*first, wall, processor)), _mb(_resident())])
    size = sum(file.stat().st_size for file in options.folder.rglob("*") if file.is_file())
    print(f"{machine()}; {options.documents:,} documents, {options.passages:,} passages")
    print(f"library of {size / 1e9:.2f} GB; memory of the model alone {_mb(before)} MB")
    print_table(["what", "first s", "its CPU s", "warm s", "its CPU s", "memory MB"], rows)
    result = {
        "documents": options.documents,
        "passages": options.passages,
        "library_bytes": size,
        "model_bytes": before,
        "most_bytes": _resident(),
        "calls": values,
    }
    write_result("library_scale", result)
    return int(any(call["processor_seconds"] > options.most for call in values.values()))


def _calls(library: Library, answerer: Answerer) -> Iterator[tuple[str, Callable[[int], object]]]:
    def asked(run: int) -> str:
        return QUESTIONS[run % len(QUESTIONS)]

    model = answerer.model.fingerprint
    yield "list", lambda run: [document_json(found, model) for found in library.documents()]
    yield "search by words", lambda run: answerer.search(asked(run), method="words")
    yield "search", lambda run: answerer.search(asked(run))
    yield "search as of a page", lambda run: answerer.search(asked(run), as_of_page=0)
    yield "ask", lambda run: answerer.ask(asked(run))


def _timed(call: Callable[[int], object], run: int) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    call(run)
    return time.perf_counter() - wall, time.process_time() - processor


def _resident() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f}"


def build(library: Library, model: DocumentModel, documents: int, passages: int) -> None:
    """Fills an empty library through its tables, as reading leaves them."""
    random = np.random.default_rng(7)
    chances = 1 / (np.arange(VOCABULARY) + 3.0)
    spread = (chances / chances.sum()).cumsum()
    vectors = [model.vector(question) for question in QUESTIONS]
    _, memory = model.read("The memory of a document.", model.model.empty_memory())
    memories = (snapshot_bytes(memory, model.fingerprint), b"small")
    for first in range(0, documents, _COMMIT_DOCUMENTS):
        rows: dict[Any, list[dict[str, Any]]] = {
            t: [] for t in (DocumentRow, VersionRow, AliasRow, PageRow, PassageRow, SnapshotRow)
        }
        for number in range(first, min(documents, first + _COMMIT_DOCUMENTS)):
            count = passages * (number + 1) // documents - passages * number // documents
            topic = number % (documents // len(QUESTIONS) + 1)
            about = number // (documents // len(QUESTIONS) + 1) if topic < TOPIC else None
            texts = _texts(random, spread, count)
            near = random.standard_normal((count, model.config.hidden_size), dtype=np.float32)
            if about is not None:
                texts[0] = f"It was topic{about} that mattered. {texts[0]}"
                near[0] = vectors[about] * 40 + near[0]
            near /= np.linalg.norm(near, axis=1, keepdims=True)
            _add(rows, number + 1, texts, near.astype("<f2"), memories[about is None], model)
            _put_original(library, number + 1, texts)
        with library._writing() as session:
            for table, values in rows.items():
                session.execute(table.__table__.insert(), values)
        if first % 1000 == 0:
            print(f"{first:,} of {documents:,} documents made", file=sys.stderr)


def _texts(random: np.random.Generator, spread: NDArray[np.float64], count: int) -> list[str]:
    numbers = np.searchsorted(spread, random.random((count, WORDS))).tolist()
    step = WORDS // SENTENCES
    return [
        " ".join(
            " ".join(f"w{word}x" for word in line[start : start + step]).capitalize() + "."
            for start in range(0, WORDS, step)
        )
        for line in numbers
    ]


def _content(number: int, texts: list[str]) -> tuple[bytes, str]:
    """What the file of a document held, and its SHA-256."""
    content = f"Report {number}\n{texts[0]}".encode()
    return content, hashlib.sha256(content).hexdigest()


def _put_original(library: Library, number: int, texts: list[str]) -> None:
    """A file a document, so that listing has files to look at."""
    content, sha256 = _content(number, texts)
    folder = library.originals.folder / sha256[:2]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / sha256).write_bytes(content)


def _add(
    rows: dict[Any, list[dict[str, Any]]],
    number: int,
    texts: list[str],
    vectors: NDArray[np.float16],
    memory: bytes,
    model: DocumentModel,
) -> None:
    """The rows of one ready document whose passages are its pages."""
    name, title = f"{number:032x}", f"Report {number:06}"
    sha256 = _content(number, texts)[1]
    rows[DocumentRow].append({"id": name, "created_at": 1.7e9, "updated_at": 1.7e9 + number})
    size = sum(map(len, texts))
    rows[VersionRow].append(
        {
            "id": number, "document_id": name, "sha256": sha256,
            "fingerprint": model.fingerprint, "begun": 1, "is_current": True, "state": "ready",
            "title": title, "title_folded": title.casefold(), "format": "text",
            "size_bytes": size, "pages": len(texts), "page_bytes": size,
            "tokens": 80 * len(texts), "passage_bytes": 2 * size, "segments_read": len(texts),
            "segments_total": len(texts), "unknown_ratio": 0.0,
        }
    )  # fmt: skip
    rows[AliasRow].append({"path": f"/{title}.txt", "document_id": name, "sha256": sha256})
    for page, (text, vector) in enumerate(zip(texts, vectors, strict=True)):
        # Sentences near their passage's vector: its own, turned a little.
        sentences = np.stack([np.roll(vector, n) for n in range(len(sentence_spans(text)))])
        rows[PageRow].append(
            {"version_id": number, "number": page, "label": None, "text": text, "needs_ocr": False}
        )
        rows[PassageRow].append(
            {
                "version_id": number, "ordinal": page, "page": page, "start": 0, "end": len(text),
                "tokens": 80, "text": text, "runs": json.dumps([[0, 0, len(text)]]),
                "memory_vector": vector.tobytes(), "sentence_vectors": sentences.tobytes(),
                "beta": 0.5, "gamma": 0.5, "change": 1.0,
            }
        )  # fmt: skip
    rows[SnapshotRow].append(
        {
            "version_id": number, "segments_read": len(texts),
            "sha256": hashlib.sha256(memory).hexdigest(), "fingerprint": model.fingerprint,
            "conditions": "cpu", "data": memory,
        }
    )  # fmt: skip


if __name__ == "__main__":
    run(main)
