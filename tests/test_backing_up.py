"""Backups: a library of their own, of one moment, whole or not there."""

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from app.__main__ import main
from armt_core.errors import LibraryError
from ingest.pipeline import ingest_paths
from storage.database import copy_database
from storage.library import Library

TEXTS = {"ferry": "The ferry leaves at seven.", "bees": "The hive holds forty thousand bees."}


@pytest.fixture
def library(tmp_path, reader):
    """Two texts; of the second no original is kept."""
    with Library(tmp_path / "library") as library:
        for name, text in TEXTS.items():
            (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
            list(
                ingest_paths(
                    [tmp_path / f"{name}.txt"], library, reader, keep_originals=name == "ferry"
                )
            )
        yield library


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_backup_is_a_library_with_documents_memories_originals_and_conversations(
    library, tmp_path
):
    library.create_conversation("kept")
    made = library.backup(tmp_path / "copy")
    library.create_conversation("later")
    library.delete(library.document("ferry").id)
    sha256 = {name: None for name in TEXTS}
    with Library(made.folder) as restored:
        assert [c.title for c in restored.conversations()] == ["kept"]
        assert [d.title for d in restored.documents()] == ["bees", "ferry"]
        for document in restored.documents():
            sha256[document.title] = document.sha256
            assert [p.text for p in restored.passages(document.id)] == [TEXTS[document.title]]
            assert restored.latest_snapshot(document.version_id) is not None
        original = restored.original_path(sha256["ferry"])
        assert original.read_text() == TEXTS["ferry"]
        assert original.is_relative_to(tmp_path / "copy")
        assert restored.original_path(sha256["bees"]) is None and restored.verify() == []
        assert restored.search_words("ferry", 5)
    assert (made.documents, made.originals, made.problems) == (2, 1, ())
    assert made.size > 2 * 1_700_000


def test_a_backup_is_complete_by_itself_and_its_owners_alone(library, tmp_path):
    sha256 = library.document("ferry").sha256
    made = library.backup(tmp_path / "copy")
    assert files(made.folder) == {"library.db", f"originals/{sha256[:2]}/{sha256}"}
    if os.name == "posix":
        assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700
        for name in files(made.folder):
            assert stat.S_IMODE((made.folder / name).stat().st_mode) == 0o600


def test_a_backup_of_a_database_by_url_is_a_folder_too(tmp_path, reader):
    (tmp_path / "a.txt").write_text("A text.", encoding="utf-8")
    with Library(f"sqlite:///{tmp_path}/books.db") as library:
        list(ingest_paths([tmp_path / "a.txt"], library, reader))
        library.backup(tmp_path / "copy")
    with Library(tmp_path / "copy") as restored:
        assert restored.documents()[0].original_kept and restored.verify() == []


def test_a_backup_overwrites_nothing_and_leaves_nothing_when_it_fails(
    library, tmp_path, monkeypatch
):
    (tmp_path / "there").mkdir()
    with pytest.raises(LibraryError, match="exists already; name a folder"):
        library.backup(tmp_path / "there")
    with pytest.raises(LibraryError, match="cannot be copied to"):
        library.backup(tmp_path / "missing" / "copy")
    (tmp_path / "copy.part").mkdir()
    with pytest.raises(LibraryError, match="a backup that was cut off left it: delete it"):
        library.backup(tmp_path / "copy")
    (tmp_path / "copy.part").rmdir()

    def full(self, source, sha256):
        raise LibraryError("no space left")

    monkeypatch.setattr("storage.originals.Originals.put", full)
    with pytest.raises(LibraryError, match="no space left"):
        library.backup(tmp_path / "copy")
    assert not (tmp_path / "copy").exists() and not (tmp_path / "copy.part").exists()


def test_a_backup_is_of_one_moment_while_others_write_and_delete(library, tmp_path, monkeypatch):
    """What is deleted between the copy of the database and that of the originals is passed over."""
    written, started = threading.Event(), threading.Event()

    def write():
        with Library(tmp_path / "library") as other:
            for number in range(1000):
                other.create_conversation(f"{number}")
                started.set()
                if written.is_set():
                    return

    def copy_and_delete(database, target):
        copy_database(database, target)
        library.delete(library.document("ferry").id)

    monkeypatch.setattr("storage.backing_up.copy_database", copy_and_delete)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert started.wait(30)
        made = library.backup(tmp_path / "copy")
    finally:
        written.set()
        writer.join()
    assert (made.documents, made.originals, made.problems) == (2, 0, ())
    with Library(made.folder) as restored:
        numbers = sorted(int(c.title) for c in restored.conversations())
        assert numbers == list(range(len(numbers))) and restored.verify() == []


def test_a_damaged_original_is_named_and_the_rest_is_copied(library, tmp_path, capsys):
    original = library.original_path(library.document("ferry").sha256)
    original.write_text("damaged")
    made = library.backup(tmp_path / "copy")
    assert made.originals == 0 and made.documents == 2
    (problem,) = made.problems
    assert str(original) in problem and "damaged" in problem
    arguments = ["--library", str(tmp_path / "library")]
    assert main(["backup", str(tmp_path / "again"), *arguments]) == 1
    assert f"error: {problem}" in capsys.readouterr().err


def test_the_command_makes_a_backup_and_says_how_to_use_it(library, tmp_path, capsys):
    arguments = ["--library", str(tmp_path / "library")]
    assert main(["backup", str(tmp_path / "copy"), "--json", *arguments]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["bytes"] > 1_700_000 and {k: v for k, v in value.items() if k != "bytes"} == {
        "folder": str(tmp_path / "copy"),
        "documents": 2,
        "originals": 1,
        "problems": [],
    }
    assert main(["backup", str(tmp_path / "copy"), "--json", *arguments]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "library"
    assert main(["verify", "--library", str(tmp_path / "copy")]) == 0
    assert main(["backup", str(tmp_path / "other"), *arguments]) == 0
    assert "It is a library: python -m app documents --library" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["backup", "--help"])
    help_ = " ".join(capsys.readouterr().out.split())
    for said in ("itself a library", "--library F", "To restore it, end all programs"):
        assert said in help_
