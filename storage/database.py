"""Where a library lives and how its SQLite database is opened."""

import os
import sqlite3
from pathlib import Path

import platformdirs
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from armt_core.errors import LibraryError

FILE_NAME = "library.db"
BUSY_SECONDS = 30.0
_URL_PREFIX = "sqlite:///"


def database_file(location: str | Path | None = None) -> Path:
    """The database file of a library; nothing is created.

    `location` is a folder, a `sqlite:///` URL of a file, or None for the environment's
    RECOLLECT_LIBRARY and without it the user's data folder. Raises LibraryError for anything
    else.
    """
    if location is None:
        location = os.environ.get("RECOLLECT_LIBRARY") or platformdirs.user_data_path("recollect")
    text = str(location)
    if "://" not in text and not text.startswith("sqlite:"):
        folder = Path(text).expanduser()
        if folder.exists() and not folder.is_dir():
            raise LibraryError(
                f"{folder} is a file, and a library is a folder. To open a SQLite file give its "
                f"URL: {_URL_PREFIX}{folder}"
            )
        return (folder / FILE_NAME).absolute()
    name = text.removeprefix(_URL_PREFIX)
    if not text.startswith(_URL_PREFIX) or not name or name.startswith(":") or "?" in name:
        raise LibraryError(
            f"{_without_password(text)} cannot hold a library: only a folder or a file URL like "
            f"{_URL_PREFIX}/home/me/library.db can, without options. Other databases and "
            "databases in memory are not supported."
        )
    return Path(name).absolute()


def originals_folder(database: Path) -> Path:
    """Beside the database; two databases in one folder never share their originals."""
    name = "originals" if database.name == FILE_NAME else f"{database.name}.originals"
    return database.with_name(name)


def create_file(database: Path) -> None:
    """Make the folder and an empty file, readable by their owner alone, if they are missing."""
    try:
        database.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        database.touch(mode=0o600)
    except OSError as error:
        raise LibraryError(
            f"The library {database} cannot be opened or made: {error}. Choose another place "
            "with --library or RECOLLECT_LIBRARY."
        ) from error


def reading_engine(database: Path) -> Engine:
    """An engine whose transactions begin with BEGIN: each sees one unchanging state.

    The driver's own transaction handling is switched off, because it begins late and not
    for every statement; SQLAlchemy's begin event says BEGIN instead.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(database)),
        connect_args={"timeout": BUSY_SECONDS},
        # A connection to a file costs little, and a waiting thread would look like a hang.
        max_overflow=-1,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.execute("PRAGMA temp_store = MEMORY")
        # A checkpoint of the reading that is acknowledged must survive a power cut.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine


def writing_engine(engine: Engine) -> Engine:
    """The same connections, with transactions that take the write lock before they read.

    A transaction that began by reading and then writes would fail at once, without waiting,
    if another process wrote in between.
    """
    return engine.execution_options(begin="BEGIN IMMEDIATE")


def driver_connection(connection: Connection) -> sqlite3.Connection:
    """The sqlite3 connection below, for what SQLAlchemy has no words for."""
    below = connection.connection.driver_connection
    assert isinstance(below, sqlite3.Connection)
    return below


def copy_database(database: Path, target: Path) -> None:
    """A consistent copy of a database that may be in use, complete or not there at all."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    try:
        part.touch(mode=0o600)
        source = sqlite3.connect(database, timeout=BUSY_SECONDS)
        copy = sqlite3.connect(part)
        try:
            source.backup(copy)
            # One file, complete by itself: no WAL beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()
            source.close()
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise LibraryError(
            f"{database} cannot be copied to {target}: {error}. Free some space or choose "
            "another place."
        ) from error


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
