"""Readings that are killed at random moments, and what is left of them.

    python -m tests.killing FOLDER KILLS [SEED]

Two documents are read by processes that are killed, with their parsing children,
after a random time; whenever both are ready, everything begins again with other text. The memories
must be those of undisturbed readings, and nothing that a checkpoint has acknowledged may be lost.
Each process is forked from this one, so that the model is opened once.
"""

import contextlib
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from armt_core.document_model import DocumentModel
from ingest.pipeline import ingest_paths
from ingest.settings import open_reader
from storage.library import Library
from tests.test_ingest import diary, memory_of


def read(folder: Path, model: DocumentModel, paths: list[Path]) -> None:
    """A whole run of an ingest."""
    with Library(folder) as library:
        for report in ingest_paths(paths, library, model):
            assert report.outcome in ("added", "continued", "skipped", "reread"), report


def progress(folder: Path) -> dict[str, int]:
    """Segments that are kept of each document, by title; the library must be sound."""
    with Library(folder) as library:
        assert library.verify() == []
        return {document.title: document.segments_read for document in library.documents()}


def in_a_process(folder: Path, model: DocumentModel, paths: list[Path], limit: float) -> bool:
    """Whether the run ended by itself within `limit` seconds; else it is killed."""
    child = os.fork()
    if child == 0:
        os.setsid()  # its children are killed with it
        code = 1
        try:
            read(folder, model, paths)
            code = 0
        finally:
            os._exit(code)
    until = time.monotonic() + limit
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert status == 0, f"the reading failed with {status}"
            return True
        time.sleep(0.002)
    with contextlib.suppress(ProcessLookupError):  # killed before it had a group of its own
        os.killpg(child, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def memories(folder: Path, paths: list[Path]) -> dict[str, str]:
    with Library(folder) as library:
        return {p.stem: memory_of(library, library.document(p.stem).id) for p in paths}


def main(folder: Path, kills: int, seed: int = 1) -> int:
    """How many readings were completed between the kills."""
    torch.set_num_threads(1)  # a forked process would wait for ever for the others of a pool
    chance, model = random.Random(seed), open_reader()
    done, rounds = 0, 0
    while done < kills:
        place = folder / str(rounds)
        place.mkdir(parents=True)
        paths = [place / "first.txt", place / "second.txt"]
        for number, path in enumerate(paths):
            path.write_text(f"Round {rounds}.\n" + diary(250 + 150 * number), encoding="utf-8")
        began = time.monotonic()
        read(place / "undisturbed", model, paths)
        whole = time.monotonic() - began
        kept: dict[str, int] = {}
        complete = False
        while not complete and done < kills:
            complete = in_a_process(place / "library", model, paths, chance.uniform(0, whole))
            done += not complete
            now = progress(place / "library")
            assert all(now[title] >= segments for title, segments in kept.items()), (kept, now)
            kept = now
        read(place / "library", model, paths)
        assert memories(place / "library", paths) == memories(place / "undisturbed", paths)
        assert progress(place / "library") == progress(place / "undisturbed")
        rounds += 1
    return rounds


if __name__ == "__main__":
    rounds = main(Path(sys.argv[1]), int(sys.argv[2]), *map(int, sys.argv[3:]))
    said = f"{sys.argv[2]} kills in {rounds} readings: the same memories, nothing lost"
    sys.stdout.write(said + "\n")
