"""Watched folders: whole files go in, bad ones do not stop the others, signals end it cleanly."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Queue

import pytest

from armt_core.errors import LibraryError, UsageError
from ingest.__main__ import main
from ingest.reports import FileReport
from ingest.watching import watch
from storage.claims import Claim
from storage.library import Library

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def library(tmp_path):
    with Library(tmp_path / "library") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def watched(folder, library, reader, *steps: Callable[[], object], **options) -> list[FileReport]:
    """What is reported when each step happens after a look; two quiet looks follow."""
    left = [*steps, still, still]

    def wait() -> bool:
        if not left:
            return True
        left.pop(0)()
        return False

    return list(watch([folder], library, reader, wait, **options))


def outcomes(reports: list[FileReport]) -> list[tuple[str, str]]:
    return [(Path(report.path).name, report.outcome) for report in reports]


def still() -> None:
    """Nothing happens."""


def text_of(library: Library, title: str) -> str:
    return library.page(library.document(title).id, 0).text


def append(path: Path, text: str) -> Callable[[], None]:
    def write() -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)

    return write


def test_what_is_there_and_what_comes_later_goes_in_once(folder, library, reader):
    (folder / "old.txt").write_text("It was here before.", encoding="utf-8")
    (folder / "deep").mkdir()
    reports = watched(
        folder, library, reader, append(folder / "deep" / "new.txt", "It came later.")
    )
    assert outcomes(reports) == [("old.txt", "added"), ("new.txt", "added")]
    assert [d.title for d in library.documents()] == ["new", "old"]


def test_a_file_that_grows_goes_in_when_it_has_stopped(folder, library, reader):
    path = folder / "log.txt"
    parts = ("One boat left. ", "Two boats left. ", "Three boats came back. ")
    reports = watched(folder, library, reader, *[append(path, part) for part in parts])
    assert outcomes(reports) == [("log.txt", "added")]
    assert text_of(library, "log") == "".join(parts)


def test_a_file_that_changed_is_read_again_and_one_taken_away_stays(folder, library, reader):
    path = folder / "a.txt"
    path.write_text("The ferry leaves at seven.", encoding="utf-8")

    def replace() -> None:  # of the same size, with the same time, as a copy may be
        time = path.stat().st_mtime_ns
        (folder / ".new").write_text("The ferry leaves at eight.", encoding="utf-8")
        os.utime(folder / ".new", ns=(time, time))
        (folder / ".new").replace(path)

    reports = watched(folder, library, reader, still, replace, still, still, path.unlink)
    assert outcomes(reports) == [("a.txt", "added"), ("a.txt", "reread")]
    assert text_of(library, "a") == "The ferry leaves at eight."


def test_bad_files_are_reported_once_and_the_others_go_in(folder, library, reader):
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 no more")
    (folder / "empty.txt").touch()
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / ".hidden.txt").write_text("Hidden.", encoding="utf-8")
    (folder / "good.txt").write_text("A good text.", encoding="utf-8")
    reports = watched(folder, library, reader, still, still, still)
    assert sorted(outcomes(reports)) == [
        ("bad.pdf", "failed"),
        ("empty.txt", "failed"),
        ("good.txt", "added"),
        ("picture.png", "skipped"),
    ]
    assert all(report.reason for report in reports if report.outcome != "added")


def test_a_bad_file_that_was_mended_goes_in(folder, library, reader):
    path = folder / "late.txt"
    path.touch()
    reports = watched(folder, library, reader, still, append(path, "Here it is."))
    assert outcomes(reports) == [("late.txt", "failed"), ("late.txt", "added")]


def test_what_another_process_reads_is_told_once_and_goes_in_when_that_ends(
    folder, library, reader
):
    path = folder / "shared.txt"
    path.write_text("Read by two.", encoding="utf-8")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    claim = Claim.new()
    version = library.begin_reading(
        str(path), sha256, reader.fingerprint, "shared", "text", 12, claim
    )
    reports = watched(
        folder, library, reader, still, still, still, lambda: library.release(version.id, claim)
    )
    assert [outcome for _, outcome in outcomes(reports)] == ["skipped", "added"]
    assert "is being read by process" in (reports[0].reason or "")


def test_what_the_library_cannot_take_is_told_once_and_goes_in_when_it_can(
    folder, library, reader, monkeypatch
):
    (folder / "a.txt").write_text("A full disk is emptied.", encoding="utf-8")

    def full(self, *arguments, **settings):
        raise LibraryError("database or disk is full")

    monkeypatch.setattr(Library, "begin_reading", full)
    reports = watched(folder, library, reader, still, still, still, monkeypatch.undo)
    assert [(r.outcome, r.reason) for r in reports] == [
        ("failed", "database or disk is full"), ("added", None),
    ]  # fmt: skip


def test_a_folder_that_is_away_for_a_time_is_waited_for(folder, library, reader, caplog):
    away = folder.with_name("away")
    (folder / "a.txt").write_text("On a stick.", encoding="utf-8")
    reports = watched(
        folder,
        library,
        reader,
        still,
        lambda: shutil.move(folder, away),
        still,
        still,
        lambda: shutil.move(away, folder),
        append(folder / "b.txt", "Added since."),
    )
    assert outcomes(reports) == [
        ("a.txt", "added"),
        ("a.txt", "skipped"),
        ("b.txt", "added"),
    ]
    assert caplog.text.count("is not there any more; waiting for it") == 1


def test_only_folders_are_watched(folder, library, reader, tmp_path, capsys):
    with pytest.raises(UsageError, match="only folders can be watched"):
        next(watch([folder / "missing"], library, reader, lambda: True))
    arguments = [str(folder / "missing"), "--watch", "--library", str(tmp_path / "other")]
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert main(arguments) == 2
    finally:
        signal.signal(signal.SIGTERM, before)
    assert "is no folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_command_cleanly_also_in_the_middle_of_a_reading(
    name, folder, library, tmp_path
):
    (folder / "short.txt").write_text("A short text.", encoding="utf-8")
    command = [sys.executable, "-m", "ingest", "--watch", str(folder), "--json", "--library"]
    child = subprocess.Popen(
        [*command, str(tmp_path / "library")],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        # What runs in the background of a shell has SIGINT ignored, and its children too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    lines: Queue[str] = Queue()
    assert child.stdout is not None
    threading.Thread(target=lambda: [lines.put(line) for line in child.stdout], daemon=True).start()
    try:
        first = json.loads(lines.get(timeout=90))
        assert (first["title"], first["outcome"]) == ("short", "added")
        words = " ".join(f"Boat {n} left the quay at {n * 7 % 60} past noon." for n in range(20000))
        (folder / "long.txt").write_text(words, encoding="utf-8")
        for _ in range(600):
            if any(d.title == "long" and d.segments_read for d in library.documents()):
                break
            threading.Event().wait(0.1)
        child.send_signal(getattr(signal, name))
        assert child.wait(60) == 0
    finally:
        child.kill()
    assert child.stderr is not None and "stopped; the next run goes on" in child.stderr.read()
    with pytest.raises(Empty):
        lines.get(timeout=0.5)
    document = library.document("long")
    assert document.state == "pending" and document.segments_read > 0
    assert document.segments_total is not None
    assert document.segments_read < document.segments_total and library.verify() == []
