"""Parsing in child processes: limits, deaths, and that the next file still goes through."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from armt_core.errors import (
    LimitExceeded,
    ParseError,
    PasswordNeeded,
    QuoteNotSeen,
    UnsupportedFormat,
    UsageError,
)
from ingest import child_process
from ingest.child import ParserPool, draw_in_child, parse_in_child
from ingest.limits import ParseLimits
from ingest.parse import parse_file
from tests.hostile_pdfs import SHOWN, one_page
from tests.pdf_makers import encrypted, pdf_bytes, written

MIB = 2**20


@pytest.fixture
def hostile(monkeypatch):
    monkeypatch.setattr(child_process, "ENTRY", "tests.hostile_child")


def test_a_child_gives_the_same_document_as_the_calling_process(tmp_path):
    locked = encrypted(pdf_bytes("first page", "", title="A Title"), "secret")
    files = [
        written(tmp_path, "a.pdf", locked),
        written(tmp_path, "b.md", b"# Heading\n\ntext \xf0\x9f\x98\x80"),
        written(tmp_path, "c.txt", b"page one\fpage two"),
    ]
    with ParserPool(2) as pool:
        futures = [pool.submit(path, ["secret"]) for path in files]
        assert [f.result() for f in futures] == [parse_file(path, ["secret"]) for path in files]


def test_errors_come_back_as_what_they_were(tmp_path):
    cases = [
        ("locked.pdf", encrypted(pdf_bytes("x"), "secret"), PasswordNeeded),
        ("file.xyz", b"PK", UnsupportedFormat),
        ("empty.txt", b"", ParseError),
    ]
    with ParserPool(1) as pool:
        for name, data, kind in cases:
            path = written(tmp_path, name, data)
            with pytest.raises(kind) as here:
                parse_file(path)
            with pytest.raises(kind) as there:
                pool.submit(path).result()
            assert (type(there.value), str(there.value)) == (type(here.value), str(here.value))
        with pytest.raises(ParseError, match=r"missing\.txt cannot be opened: No such file"):
            pool.submit(tmp_path / "missing.txt").result()


def test_a_large_document_passes_through_the_pipe(tmp_path):
    text = "Ünïcode wörds. " * 1_000_000
    path = written(tmp_path, "large.txt", text.encode())
    assert parse_in_child(path).pages[0].text == text


@pytest.mark.skipif(sys.platform != "linux", reason="signals and RLIMIT_AS as Linux has them")
def test_files_that_break_their_child_are_errors_and_the_next_go_through(tmp_path, hostile):
    cases = [
        ("loops", LimitExceeded, "loops.txt took more than 2 seconds"),
        ("allocates", LimitExceeded, "allocates.txt needs more than 100 MiB of memory"),
        ("crashes", ParseError, "crashes.txt broke the parser (signal SIGSEGV)"),
        ("leaves", ParseError, "leaves.txt broke the parser (exit code 3)"),
        ("recurses", ParseError, "recurses.txt cannot be read"),
    ]
    good = written(tmp_path, "good.txt", b"good text")
    with ParserPool(1, ParseLimits(seconds=2, memory_bytes=100 * MIB)) as pool:
        for name, kind, words in cases:
            bad = pool.submit(written(tmp_path, f"{name}.txt", b"x"))
            after = pool.submit(good)
            with pytest.raises(kind) as raised:
                bad.result()
            assert type(raised.value) is kind
            assert words in str(raised.value)
            assert after.result().pages[0].text == "good text"


def test_a_child_that_was_killed_while_idle_is_replaced(tmp_path, hostile):
    path = written(tmp_path, "says its id.txt", b"x")
    with ParserPool(1) as pool:
        first = int(pool.submit(path).result().pages[0].text)
        assert int(pool.submit(path).result().pages[0].text) == first  # reused
        psutil.Process(first).kill()
        # Until all its threads are gone and a wait would find it; left for the pool to find.
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
        second = int(pool.submit(path).result().pages[0].text)
    assert second not in (first, os.getpid())
    assert not psutil.pid_exists(second)


def test_a_child_killed_at_work_is_an_error_for_that_file_alone(tmp_path, hostile):
    written(tmp_path, "loops.txt", b"x")
    good = written(tmp_path, "good.txt", b"good text")
    with ParserPool(1) as pool:
        pool.submit(good).result()
        at_work = pool.submit(tmp_path / "loops.txt")
        child = next(
            process
            for process in psutil.Process().children()
            if "hostile_child" in " ".join(process.cmdline())
        )
        time.sleep(0.2)
        child.kill()
        with pytest.raises(ParseError, match=r"loops\.txt broke the parser"):
            at_work.result()
        assert pool.submit(good).result().pages[0].text == "good text"


def test_leaving_the_pool_stops_what_is_under_way(tmp_path, hostile):
    path = written(tmp_path, "loops.txt", b"x")
    started = time.monotonic()
    with ParserPool(1) as pool:
        at_work, waiting = pool.submit(path), pool.submit(path)
        while not at_work.running():
            time.sleep(0.01)
    assert time.monotonic() - started < 30
    with pytest.raises(ParseError, match="closed"):
        at_work.result()
    assert waiting.cancelled() or isinstance(waiting.exception(), ParseError)


def test_the_child_is_light_and_what_a_library_prints_is_no_answer(tmp_path, hostile):
    """It loads neither torch nor transformers nor gradio."""
    with ParserPool(1) as pool:
        prints = pool.submit(written(tmp_path, "prints.txt", b"its text"))
        heavy = pool.submit(written(tmp_path, "lists modules.txt", b"x"))
        assert prints.result().pages[0].text == "its text"
        assert heavy.result().title == "[]"


def test_the_real_limits_hold_for_real_files(tmp_path):
    path = written(tmp_path, "large.txt", b"some words and more " * 2_000_000)
    with pytest.raises(LimitExceeded, match="took more than"):
        parse_in_child(path, limits=ParseLimits(seconds=0.01))
    if sys.platform == "linux":
        with pytest.raises(LimitExceeded, match="more than 16 MiB of memory"):
            parse_in_child(path, limits=ParseLimits(memory_bytes=16 * MIB))
    # The limit is the child's alone: here the same file goes through.
    assert len(parse_file(path).pages[0].text) == 40_000_000


def test_a_script_without_a_main_guard_can_use_children(tmp_path):
    path = written(tmp_path, "a.txt", b"its text")
    script = written(
        tmp_path,
        "script.py",
        b"import sys\nfrom pathlib import Path\nfrom ingest.child import parse_in_child\n"
        b"sys.stdout.write(parse_in_child(Path(sys.argv[1])).pages[0].text)\n",
    )
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    done = subprocess.run(
        [sys.executable, script, path],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "its text"


def test_pages_are_drawn_in_a_child_with_its_errors(tmp_path):
    path = written(tmp_path, "a.pdf", pdf_bytes("some words"))
    assert draw_in_child(path, 0, boxes_for=(0, 4), scale=0.5).startswith(b"\x89PNG")
    unseen = written(tmp_path, "b.pdf", one_page(SHOWN, of_page=b"/CropBox[0 0 1 1]"))
    with ParserPool(1, ParseLimits()) as pool:
        with pytest.raises(UsageError, match="has pages 0 to 0, not 3"):
            pool.draw(path, 3).result()
        with pytest.raises(QuoteNotSeen, match="does not show the quote"):
            pool.draw(unseen, 0, boxes_for=(0, 4)).result()


def test_limits_refuse_nonsense():
    with pytest.raises(UsageError, match="seconds must be above 0"):
        ParseLimits(seconds=0)
