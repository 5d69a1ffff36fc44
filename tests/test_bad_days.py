"""Days on which the disk is full, the library read-only, the clock wrong, a bit flipped:
each a clear error, and nothing that was read before is lost."""

import errno
import json
import os
import platform
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from app.__main__ import main as app_main
from armt_core.errors import BeingRead, DamagedSnapshot, LibraryError
from ingest.__main__ import main
from ingest.checkpoints import INTERVAL
from ingest.pipeline import ingest_paths, reread_document
from storage import claims, store
from storage.claims import Claim
from storage.library import Library
from storage.originals import Originals
from tests.test_ingest import diary, memory_of

TEXT = diary(500)  # more than two checkpoints
needs_posix = pytest.mark.skipif(os.name != "posix", reason="rights of files as on Unix")


@pytest.fixture
def library(tmp_path):
    with Library(tmp_path / "library") as opened:
        yield opened


@pytest.fixture
def long_text(tmp_path):
    path = tmp_path / "long.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, reader):
    """The hash of the memory of the long text, read in one go on a good day."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "long.txt").write_text(TEXT, encoding="utf-8")
    with Library(folder / "library") as library:
        (report,) = ingest(library, reader, folder / "long.txt")
        return memory_of(library, report.document_id)


def ingest(library, reader, *paths, **settings):
    return list(ingest_paths(paths, library, reader, **settings))


def read_half(library, reader, path):
    """A reading that was interrupted after two checkpoints."""

    def interrupt(path: Path, done: int, total: int) -> None:
        if done == 2 * INTERVAL + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(library, reader, path, progress=interrupt)
    assert library.document("long").segments_read == 2 * INTERVAL


def goes_on_to_the_same_memory(library, reader, path, undisturbed):
    """From the second checkpoint on."""
    (report,) = ingest(library, reader, path)
    assert report.outcome == "continued", report.reason
    assert report.segments_read == library.document("long").segments_read - 2 * INTERVAL
    assert memory_of(library, report.document_id) == undisturbed
    assert library.verify() == []


@contextmanager
def full_disk(library, more_pages):
    """SQLite finds the disk full once the database has grown by `more_pages` pages of 4 KiB."""

    def limit(connection, entry):
        now = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {now + more_pages}")

    library._engine.dispose()
    event.listen(library._engine, "connect", limit)
    try:
        yield
    finally:
        event.remove(library._engine, "connect", limit)
        library._engine.dispose()


@pytest.mark.parametrize("pages", [10, 700], ids=["at once", "after a checkpoint"])
def test_a_disk_that_fills_up_while_reading_is_told_and_the_next_run_goes_on(
    tmp_path, library, reader, long_text, undisturbed, pages
):
    small = tmp_path / "small.txt"
    small.write_text("The bell rings at nine.", encoding="utf-8")
    with full_disk(library, pages):
        first, second = ingest(library, reader, long_text, small)
    assert first.outcome == "failed" and "disk is full. Free some space" in (first.reason or "")
    assert second.outcome in ("added", "failed")
    document = library.document("long")
    assert document.state in ("pending", "reading") and document.reason is None
    reports = ingest(library, reader, long_text, small)
    assert all(r.outcome in ("added", "continued", "skipped") for r in reports), reports
    assert memory_of(library, document.id) == undisturbed
    assert library.verify() == []


def test_what_was_read_before_the_disk_was_full_is_not_read_again(
    library, reader, long_text, undisturbed
):
    read_half(library, reader, long_text)
    with full_disk(library, 2):
        (report,) = ingest(library, reader, long_text)
    assert report.outcome == "failed" and "disk is full" in (report.reason or "")
    goes_on_to_the_same_memory(library, reader, long_text, undisturbed)


def test_no_room_for_the_original_is_told_and_not_held_against_the_file(
    library, reader, long_text, undisturbed, monkeypatch
):
    read_half(library, reader, long_text)
    for _, place in list(library.originals.all()):
        place.unlink()

    def no_space(source, part):
        part.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Originals, "_copy", staticmethod(no_space))
        (report,) = ingest(library, reader, long_text)
    assert report.outcome == "failed" and "Free some space" in (report.reason or "")
    assert list(library.originals.all()) == []
    assert library.document("long").state == "pending"
    goes_on_to_the_same_memory(library, reader, long_text, undisturbed)


def test_a_document_deleted_while_it_is_read_leaves_the_others_alone(
    tmp_path, library, reader, long_text
):
    after = tmp_path / "z.txt"
    after.write_text("The bell rings at nine.", encoding="utf-8")

    def delete(path: Path, done: int, total: int) -> None:
        if path == long_text and done == INTERVAL + 1:
            library.delete(library.document("long").id)

    first, second = ingest(library, reader, long_text, after, progress=delete)
    assert first.outcome == "skipped" and "no longer in the library" in (first.reason or "")
    assert second.outcome == "added"
    assert [d.title for d in library.documents()] == ["z"] and library.verify() == []


@contextmanager
def without_rights(folder):
    """The folder and its files can be read and not written, by root neither."""
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}
    for path, mode in modes.items():
        path.chmod(mode & 0o777 & ~0o222 | 0o444 | (0o111 if path.is_dir() else 0))
    above = [p for p in folder.parents if p.stat().st_uid == os.geteuid() and p != p.parent]
    opened = {p: p.stat().st_mode for p in above if not p.stat().st_mode & 0o001}
    for path, mode in opened.items():
        path.chmod(mode | 0o011)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # nobody
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in {**modes, **opened}.items():
            if path.exists():
                path.chmod(mode)


@needs_posix
def test_a_read_only_library_is_refused_with_words_and_stays_as_it_was(
    tmp_path, reader, long_text, capsys
):
    folder = tmp_path / "library"
    long_text.write_text("The bell rings at nine.", encoding="utf-8")
    with Library(folder) as library:
        ingest(library, reader, long_text)
    before = (folder / "library.db").read_bytes()
    with without_rights(folder):
        with pytest.raises(LibraryError, match=r"cannot be opened.*Permission denied.*--library"):
            Library(folder)
        assert app_main(["documents", "--library", str(folder), "--json"]) == 1
        assert json.loads(capsys.readouterr().out)["error"]["code"] == "library"
        assert main([str(long_text), "--library", str(folder), "--json"]) == 1
        assert json.loads(capsys.readouterr().out)["error"]["code"] == "library"
    assert (folder / "library.db").read_bytes() == before
    with Library(folder) as library:
        assert ingest(library, reader, long_text)[0].outcome == "skipped"
        assert library.verify() == []


def test_a_library_that_becomes_read_only_while_reading_says_so(
    library, reader, long_text, undisturbed
):
    read_half(library, reader, long_text)

    def read_only(connection, entry):
        connection.execute("PRAGMA query_only = ON")

    library._engine.dispose()
    event.listen(library._engine, "connect", read_only)
    (report,) = ingest(library, reader, long_text)
    assert report.outcome == "failed"
    assert "a folder and files that can be written" in (report.reason or "")
    event.remove(library._engine, "connect", read_only)
    library._engine.dispose()
    goes_on_to_the_same_memory(library, reader, long_text, undisturbed)


def test_a_clock_that_is_set_back_changes_neither_claims_nor_which_version_is_newer(
    library, reader, long_text, undisturbed, monkeypatch
):
    real = time.time

    def set_clock(shift):
        monkeypatch.setattr(claims, "now", lambda: real() + shift)
        monkeypatch.setattr(store.time, "time", lambda: real() + shift)

    def set_back(path: Path, done: int, total: int) -> None:
        if done == INTERVAL + 1:  # between two checkpoints, a day and an hour
            set_clock(-90_000)
            version = library.versions(library.document("long").id)[0]
            with pytest.raises(BeingRead):
                library.begin_reading(
                    str(long_text), version.sha256, version.fingerprint, "x", "text", 1, Claim.new()
                )

    (report,) = ingest(library, reader, long_text, progress=set_back)
    assert report.outcome == "added"
    assert memory_of(library, report.document_id) == undisturbed
    long_text.write_text("The newest text has a kestrel in it.", encoding="utf-8")
    set_clock(-900_000)
    (report,) = ingest(library, reader, long_text)
    assert report.outcome == "reread"
    assert library.search_words("kestrel", 5) and not library.search_words("Orla", 5)
    assert library.verify() == []


def test_a_heartbeat_from_the_future_on_another_host_is_no_sign_of_life(library):
    away = replace(Claim.new(), host=platform.node() + "-other", token="away")
    given = ("/a", "a" * 64, "model", "a", "text", 1)
    version = library.begin_reading(*given, away)
    with sqlite3.connect(library.database) as database:
        database.execute("UPDATE version SET heartbeat_at = ?", [time.time() + 50])
    with pytest.raises(BeingRead):  # clocks differ a little
        library.begin_reading(*given, Claim.new())
    with sqlite3.connect(library.database) as database:
        database.execute("UPDATE version SET heartbeat_at = ?", [time.time() + 86_400])
    assert library.begin_reading(*given, Claim.new()).id == version.id


def test_a_newer_database_is_refused_by_every_command_and_not_touched(tmp_path, capsys, long_text):
    folder = tmp_path / "library"
    Library(folder).close()
    with sqlite3.connect(folder / "library.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    before = (folder / "library.db").read_bytes()
    commands = ((main, [str(long_text)]), (app_main, ["ask", "Who?"]), (app_main, ["verify"]))
    for run, words in commands:
        assert run([*words, "--library", str(folder), "--json"]) == 1
        error = json.loads(capsys.readouterr().out)["error"]
        assert error["code"] == "library_too_new" and "Update Recollect" in error["message"]
    assert (folder / "library.db").read_bytes() == before


def test_one_flipped_bit_of_a_memory_is_found_by_its_hash_and_mended_by_reread(
    library, reader, long_text
):
    long_text.write_text("The bell rings at nine.", encoding="utf-8")
    ingest(library, reader, long_text)
    document = library.document("long")
    good = library.latest_snapshot(document.version_id)
    assert good is not None
    damaged = bytearray(good.data)
    damaged[len(damaged) // 2] ^= 0x10
    with sqlite3.connect(library.database) as database:
        database.execute(
            "UPDATE snapshot SET data = ? WHERE segments_read = ?",
            [bytes(damaged), good.segments_read],
        )
    with pytest.raises(DamagedSnapshot, match=f"reread {document.id}"):
        library.latest_snapshot(document.version_id)
    (problem,) = library.verify()
    assert "long" in problem and f"reread {document.id}" in problem
    reread_document(document, library, reader)
    mended = library.latest_snapshot(library.document("long").version_id)
    assert mended is not None and mended.data == good.data
    assert library.verify() == []
