"""Opening a library: where it may live, migrations, backups, transactions."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from armt_core.errors import LibraryError, LibraryTooNew
from storage import Library, database, migrating
from storage.tables import Base
from tests.test_library_reading import begin, read

#: The newest migration, and the one that a newer Recollect would have.
NEWEST = max(path.name[:4] for path in (migrating.MIGRATIONS / "versions").glob("0*.py"))
NEXT = f"{int(NEWEST) + 1:04}"


@pytest.fixture
def next_schema(tmp_path, monkeypatch):
    """As if this Recollect had one migration more; undo with `monkeypatch.undo()`."""
    scripts = tmp_path / "scripts%20"
    shutil.copytree(migrating.MIGRATIONS, scripts)
    (scripts / "versions" / f"{NEXT}_next.py").write_text(
        "from alembic import op\n"
        "import sqlalchemy as sa\n"
        f"revision, down_revision, branch_labels, depends_on = '{NEXT}', '{NEWEST}', None, None\n"
        "def upgrade():\n"
        "    op.add_column('document', sa.Column('note', sa.String))\n"
    )
    real = migrating.migrate
    monkeypatch.setattr(
        "storage.store.migrate", lambda engine, file: real(engine, file, scripts=scripts)
    )
    return scripts


def test_a_folder_is_made_with_the_database_in_it_and_only_its_owner_can_read_it(tmp_path):
    with Library(tmp_path / "deep" / "library") as library:
        assert library.database == tmp_path / "deep" / "library" / "library.db"
    assert stat.S_IMODE((tmp_path / "deep" / "library" / "library.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "deep" / "library").stat().st_mode) == 0o700


def test_without_a_place_the_environment_decides_and_then_the_user_data_folder(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("RECOLLECT_LIBRARY", str(tmp_path / "mine"))
    assert database.database_file() == tmp_path / "mine" / "library.db"
    monkeypatch.delenv("RECOLLECT_LIBRARY")
    monkeypatch.setattr(database.platformdirs, "user_data_path", lambda name: tmp_path / name)
    assert database.database_file() == tmp_path / "recollect" / "library.db"
    assert not (tmp_path / "mine").exists() and not (tmp_path / "recollect").exists()


def test_a_sqlite_url_names_the_file_itself(tmp_path):
    with Library(f"sqlite:///{tmp_path}/my books.db") as library:
        assert library.database == tmp_path / "my books.db"
        assert library.originals.folder == tmp_path / "my books.db.originals"
    assert (tmp_path / "my books.db").stat().st_size > 0


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@host/db",
        "mysql+pymysql://host/db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///a.db?mode=ro",
        "sqlite+aiosqlite:///a.db",
    ],
)
def test_another_database_is_refused_with_words_and_without_its_password(url):
    with pytest.raises(LibraryError, match="only a folder or a file URL") as caught:
        Library(url)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_library_is_refused_and_stays_as_it_was(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(LibraryError, match="is a file, and a library is a folder"):
        Library(tmp_path / "notes.txt")

    (tmp_path / "library.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(LibraryError, match="not a database"):
        Library(tmp_path)
    assert (tmp_path / "library.db").read_bytes() == b"this is no database at all" * 100

    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE recipes(name)")
    connection.close()
    before = other.read_bytes()
    with pytest.raises(LibraryError, match="'recipes'"):
        Library(f"sqlite:///{other}")
    assert other.read_bytes() == before


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(tmp_path):
    with Library(tmp_path) as library, library._engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, parent: (
                    kind != "table" or not str(name).startswith("passage_words")
                ),
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_the_pragmas_that_keep_data_safe_are_on_in_every_connection(tmp_path):
    with Library(tmp_path) as library, library._reading() as one, library._reading() as two:
        for session in (one, two):
            values = [
                session.execute(text(f"PRAGMA {name}")).scalar()
                for name in ("journal_mode", "foreign_keys", "secure_delete", "synchronous")
            ]
            assert values == ["wal", 1, 1, 2]
            assert session.execute(text("PRAGMA busy_timeout")).scalar() == 30_000


def test_a_newer_database_is_refused_and_not_touched(tmp_path, next_schema, monkeypatch):
    Library(tmp_path / "library").close()
    monkeypatch.undo()
    before = (tmp_path / "library" / "library.db").read_bytes()
    with pytest.raises(LibraryTooNew, match=rf"schema is {NEXT}.*up to {NEWEST}.*Update Recollect"):
        Library(tmp_path / "library")
    assert (tmp_path / "library" / "library.db").read_bytes() == before


def test_an_older_database_is_copied_before_it_is_migrated(tmp_path, request):
    folder = tmp_path / "library"
    with Library(folder) as library:
        conversation = library.create_conversation("kept")
    request.getfixturevalue("next_schema")
    with Library(folder) as library:
        assert [c.id for c in library.conversations()] == [conversation.id]
        with library._reading() as session:
            assert session.execute(text("SELECT note FROM document")).all() == []
    copy = sqlite3.connect(folder / f"library.db.before-{NEXT}")
    assert copy.execute("SELECT version_num FROM alembic_version").fetchall() == [(NEWEST,)]
    assert copy.execute("SELECT title FROM conversation").fetchall() == [("kept",)]
    assert "note" not in [row[1] for row in copy.execute("PRAGMA table_info(document)")]
    copy.close()
    assert sorted(os.listdir(folder)) == ["library.db", f"library.db.before-{NEXT}"]


def test_memories_are_counted_in_a_library_that_did_not_count_them(tmp_path):
    folder = tmp_path / "library"
    with Library(folder) as library:
        for path in ("/a", "/b"):
            read(library, path, [f"One of {path}.", f"Two of {path}."])
        begin(library, "/c", ["Not read yet."])
        listed = library.documents()
        assert [document.snapshot_sha256 is None for document in listed] == [False, False, True]
    with sqlite3.connect(folder / "library.db") as older:
        for column in ("snapshot_bytes", "snapshot_sha256"):
            older.execute(f"ALTER TABLE version DROP COLUMN {column}")
        # What came later.
        for table, column in (("page", "no_picture"), ("version", "pages_no_picture")):
            older.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        older.execute("UPDATE alembic_version SET version_num = '0005'")
    older.close()
    with Library(folder) as library:
        assert library.documents() == listed


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path, request):
    folder = tmp_path / "library"
    with Library(folder) as library:
        library.create_conversation("kept")
    scripts = request.getfixturevalue("next_schema")
    with (scripts / "versions" / f"{NEXT}_next.py").open("a") as file:
        file.write("    raise ZeroDivisionError\n")
    with pytest.raises(ZeroDivisionError):
        Library(folder)
    connection = sqlite3.connect(folder / "library.db")
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(NEWEST,)]
    assert "note" not in [row[1] for row in connection.execute("PRAGMA table_info(document)")]
    assert connection.execute("SELECT title FROM conversation").fetchall() == [("kept",)]
    connection.close()


def test_several_threads_can_open_a_new_library_at_once(tmp_path):
    errors: list[BaseException] = []

    def open_it() -> None:
        try:
            with Library(tmp_path) as library:
                library.create_conversation("hello")
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Library(tmp_path) as library:
        assert (errors, len(library.conversations())) == ([], 6)


def test_a_write_transaction_takes_the_lock_before_it_reads(tmp_path):
    with Library(tmp_path) as library, library._writing() as session:
        session.execute(text("SELECT 1 FROM document"))
        other = sqlite3.connect(library.database, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


def test_a_reader_sees_one_state_while_another_writes(tmp_path):
    with Library(tmp_path) as library:
        with library._reading() as session:
            before = session.execute(text("SELECT count(*) FROM conversation")).scalar()
            library.create_conversation("new")
            after = session.execute(text("SELECT count(*) FROM conversation")).scalar()
        assert (before, after, len(library.conversations())) == (0, 0, 1)


def test_a_closed_library_says_so(tmp_path):
    library = Library(tmp_path)
    library.close()
    with pytest.raises(LibraryError, match="is closed"):
        library.documents()


def test_importing_the_package_creates_nothing(tmp_path):
    code = "import storage, os; print(sorted(os.listdir(os.environ['HOME'])))"
    root = Path(__file__).parent.parent
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(root)}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
