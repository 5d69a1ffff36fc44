"""The open database that every part of the library works on."""

import logging
import sqlite3
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from armt_core.errors import LibraryError
from storage.database import (
    create_file,
    database_file,
    originals_folder,
    reading_engine,
    writing_engine,
)
from storage.migrating import migrate, use_wal
from storage.originals import Originals

log = logging.getLogger(__name__)

_CHECK = "Check the disk and the library."


class Store:
    """A database file, its originals, and one session a call.

    Safe to use from several threads, and beside other processes that opened the same
    library. A failing call changes nothing.
    """

    def __init__(self, location: str | Path | None = None) -> None:
        """Open a library, made first if missing and brought up to date if old.

        Raises LibraryError for a place that cannot hold one, LibraryTooNew for one that a
        newer Recollect wrote.
        """
        self.database = database_file(location)
        self.originals = Originals(originals_folder(self.database))
        create_file(self.database)
        self._engine: Engine = reading_engine(self.database)
        self._writer: Engine = writing_engine(self._engine)
        self._closed = False
        try:
            with self._in_words():
                migrate(self._writer, self.database)
                use_wal(self._engine)
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Let go of the files; every later call raises LibraryError."""
        self._closed = True
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        """A session that sees one unchanging state."""
        with self._in_words(), Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        """A session that holds the write lock, and is kept whole or not at all."""
        with (
            self._in_words(),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        if self._closed:
            raise LibraryError("The library is closed; open it again.")
        try:
            yield
        except DBAPIError as error:
            advice = _advice(error.orig)
            # Where it is, the terminal is told; the error may be read by visitors of a page.
            log.warning("Trouble with the library %s", self.database)
            raise LibraryError(
                f"The library cannot be used: {error.orig}. {advice or _CHECK}",
                "" if advice else "verify",
            ) from error

    def _flush_log(self) -> None:
        """Move the write-ahead log into the database and empty it, so that what was deleted
        (and overwritten with zeros) is in neither."""
        with self._in_words():
            raw = self._engine.raw_connection()
            try:
                busy = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            except self._engine.dialect.loaded_dbapi.Error as error:
                log.warning("The write-ahead log of %s is not emptied: %s", self.database, error)
                return
            finally:
                raw.close()
        if busy:
            log.warning(
                "The write-ahead log of %s is in use and may hold deleted text until the last "
                "program that has the library open closes it",
                self.database,
            )


def _advice(error: BaseException | None) -> str:
    """What to do about an error of SQLite; nothing where that is not known."""
    # Only errors that come from SQLite itself have a code; the low byte is its kind.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return "Free some space; what was written before is kept, and reading goes on from there."
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return (
            "It needs a folder and files that can be written, also to be asked: change that, or "
            "choose another library with --library or RECOLLECT_LIBRARY."
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "Another program keeps it locked: close that, and try again."
    return ""


def now() -> float:
    """Seconds since 1970; for people to read, and for claims of other hosts."""
    return time.time()


def moment(seconds: float) -> datetime:
    """The time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def folded(title: str) -> str:
    """What two titles share that differ only in case or in how accents are composed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", title).casefold())


def storable(text: str) -> str:
    """A path or title that SQLite can hold: what UTF-8 cannot say becomes backslash codes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
