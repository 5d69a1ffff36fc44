"""Readings killed at random moments; reading, asking and deleting in one library at once."""

import os
import subprocess
import sys
import threading

import pytest

from app.answering import Answerer
from armt_core.errors import EmptyLibrary, LibraryError, UnknownDocument
from ingest.pipeline import ingest_paths
from storage.library import Library
from tests.fakes import CALIBRATION
from tests.test_ingest import ROOT, diary, memory_of


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks, as only Unix does")
def test_a_reading_killed_at_random_moments_ends_in_the_same_memory(tmp_path):
    """A hundred by hand: python -m tests.killing FOLDER 100."""
    command = [sys.executable, "-m", "tests.killing", str(tmp_path), "4"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "the same memories, nothing lost" in done.stdout


def test_one_reads_one_asks_and_one_deletes_in_the_same_library(tmp_path, reader):
    """Each with a connection of its own, as programs of their own have."""
    folder, paths = tmp_path / "library", []
    for number in range(12):
        paths.append(tmp_path / f"{number}.txt")
        paths[-1].write_text(f"Diary {number}.\n" + diary(40, 40 * number), encoding="utf-8")
    read, unexpected, told = threading.Event(), [], []

    def watched(work):
        def run():
            try:
                with Library(folder) as library:
                    work(library)
            except BaseException as error:  # noqa: BLE001 - shown below
                unexpected.append(error)

        return threading.Thread(target=run)

    def take_in(library):
        try:
            reports = list(ingest_paths(paths, library, reader))
        finally:
            read.set()
        assert {report.outcome for report in reports} <= {"added", "skipped"}, reports

    def ask(library):
        answerer, answers = Answerer(library, reader, CALIBRATION), 0
        while not read.wait(0.05) or not answers:  # a pause, or the reading hardly gets on
            try:
                answer = answerer.ask("How many boats did Orla count?")
                assert all(
                    citation.quote in f"Diary {citation.title}.\n{diary(480)}"
                    for citation in answer.nearest + answer.citations
                )
                answers += 1
            except EmptyLibrary:
                pass
            except (LibraryError, UnknownDocument) as error:
                told.append(str(error))

    def delete(library):
        while not read.wait(0.05):
            for document in library.askable():
                if int(library.titles().get(document.id, "1")) % 2 == 0:
                    library.delete(document.id)

    threads = [watched(work) for work in (take_in, ask, delete)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert unexpected == []
    assert all("deleted" in said or "No document" in said for said in told), told
    with Library(folder) as library:
        odd = [f"{number}" for number in range(1, 12, 2)]
        assert set(odd) <= {document.title for document in library.documents()}
        assert library.verify() == []
        with Library(tmp_path / "undisturbed") as undisturbed:
            (report,) = ingest_paths([paths[7]], undisturbed, reader)
            expected = memory_of(undisturbed, report.document_id)
        assert memory_of(library, library.document("7").id) == expected
