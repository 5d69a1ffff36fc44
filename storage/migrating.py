"""Bringing a database up to this version of Recollect, with a copy kept of what it was."""

import logging
import threading
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import OperationalError

from armt_core.errors import LibraryError, LibraryTooNew
from storage.database import BUSY_SECONDS, copy_database

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
_alembic_lock = threading.Lock()  # Alembic keeps the running migration in module globals.


def migrate(writing: Engine, database: Path, scripts: Path = MIGRATIONS) -> None:
    """Apply what is missing, in one transaction that only one process can be in.

    An existing older database is first copied to `<name>.before-<new revision>`. Raises
    LibraryTooNew if a newer Recollect wrote it, LibraryError if it is no library at all.
    """
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    known = ScriptDirectory.from_config(config)
    newest = known.get_current_head()
    with _alembic_lock, writing.begin() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        if current == newest:
            return
        if current is None:
            _refuse_foreign(connection, database)
        elif current not in {script.revision for script in known.walk_revisions()}:
            raise LibraryTooNew(
                f"{database} was written by a newer Recollect: its schema is {current}, and this "
                f"one knows up to {newest}. Update Recollect, or choose another library with "
                "--library or RECOLLECT_LIBRARY."
            )
        else:
            copy = backup_before(database, str(newest))
            copy_database(database, copy)
            log.info("Library %s: schema %s to %s, copy in %s", database, current, newest, copy)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def use_wal(engine: Engine) -> None:
    """Let readers read while one writes. The mode stays with the file.

    The switch needs the database for itself and does not wait for it by itself.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        raw = engine.raw_connection()
        try:
            mode = raw.cursor().execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except engine.dialect.loaded_dbapi.OperationalError as error:
            if time.monotonic() > until:
                raise OperationalError("PRAGMA journal_mode = WAL", None, error) from error
            mode = "busy"
        finally:
            raw.close()
        if mode == "wal":
            return
        if mode != "busy":
            raise LibraryError(
                f"{engine.url.database} cannot use a write-ahead log (it stays in mode {mode}): "
                "put the library on a local disk."
            )
        time.sleep(0.02)


def backup_before(database: Path, revision: str) -> Path:
    """Where the copy goes that is made before the database becomes `revision`."""
    return database.with_name(f"{database.name}.before-{revision}")


def backups(database: Path) -> list[Path]:
    """The copies that migrations have left."""
    return sorted(database.parent.glob(f"{database.name}.before-*"))


def _refuse_foreign(connection: Connection, database: Path) -> None:
    tables = inspect(connection).get_table_names()
    if tables:
        raise LibraryError(
            f"{database} is a database of something else (it has the table {tables[0]!r}): "
            "choose another library with --library or RECOLLECT_LIBRARY."
        )
