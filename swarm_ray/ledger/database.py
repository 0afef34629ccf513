"""The SQLite file of a ledger: schema, durability settings, transactions, translated errors.

Decides that a commit is on disk when it returns (WAL, synchronous=FULL) and that a failed one
leaves nothing behind. It knows nothing about the meaning of a row.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

from swarm_ray.errors import (
    IntegrityError,
    InternalError,
    SwarmError,
    UsageError,
)
from swarm_ray.ledger.tables import (
    BUSY_TIMEOUT_S,
    SCHEMA,
    SCHEMA_VERSION,
    check_version,
    locked,
    write_failed,
)

FILE_NAME: Final = "ledger.sqlite3"


class SqliteDatabase:
    """Implements `tables.Database` with one SQLite file."""

    def __init__(self, connection: sqlite3.Connection, *, readonly: bool) -> None:
        self.connection = connection
        self.readonly = readonly
        self._failed = False

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """See `tables.Database`."""
        try:
            yield self.connection
        except sqlite3.Error as error:
            self._translate(error)

    @contextmanager
    def consistent(self) -> Iterator[sqlite3.Connection]:
        """See `tables.Database`."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                self._roll_back()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """See `tables.Database`."""
        if self._failed:
            raise write_failed("an earlier write failed in a way that only reopening clears")
        try:
            self.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._translate(error)
        try:
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            if isinstance(error, sqlite3.Error):
                self._translate(error)
            raise

    def forget_deleted(self) -> None:
        """Fold the write-ahead log, which may still hold deleted bytes, into the file."""
        with self.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def limit_pages(self, pages: int) -> None:
        """Let the file grow to so many pages of 4096 bytes and no further.

        A transaction beyond it raises `ledger.write_failed`, as on a full disk.
        """
        with self.reading() as connection:
            connection.execute(f"PRAGMA max_page_count={int(pages)}")

    def close(self) -> None:
        """Close the connection; SQLite folds the write-ahead log into the file."""
        self.connection.close()

    def _roll_back(self) -> None:
        if not self.connection.in_transaction:
            return
        try:
            self.connection.execute("ROLLBACK")
        except sqlite3.Error:
            # The file is as before, but this connection no longer knows what it holds.
            self._failed = True

    def _translate(self, error: sqlite3.Error) -> NoReturn:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_IOERR"):
            # After a failed fsync the system may drop the pages and report success next time.
            self._failed = True
        if name.startswith(("SQLITE_IOERR", "SQLITE_FULL", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
            raise write_failed(f"{error} ({name})") from error
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise locked() from error
        undecodable = str(error).startswith("Could not decode to UTF-8")
        if undecodable or name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise IntegrityError(
                "ledger.corrupt_file",
                f"the ledger file is damaged: {error}",
                hint="restore it from a copy",
            ) from error
        raise InternalError(
            "ledger.storage", f"{error} ({name or type(error).__name__})"
        ) from error


def open_database(folder: Path, *, create: bool, readonly: bool) -> SqliteDatabase:
    """Open the file of a ledger, making it when allowed.

    Raises:
        UsageError: `ledger.not_found`, `ledger.unknown_version`.
        IntegrityError: `ledger.corrupt_file`.
    """
    path = folder / FILE_NAME
    if not path.exists() and not (create and not readonly):
        raise UsageError(
            "ledger.not_found", f"there is no ledger in {folder}", hint="check SWARM_RAY_HOME"
        )
    if create and not readonly:
        folder.mkdir(parents=True, exist_ok=True)
    mode = "ro" if readonly else "rwc"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_TIMEOUT_S,
    )
    database = SqliteDatabase(connection, readonly=readonly)
    try:
        if readonly:
            with database.reading():
                connection.execute("PRAGMA query_only=ON")
        else:
            _prepare(database, folder)
        _check_version(database)
    except SwarmError:
        connection.close()
        raise
    return database


def _prepare(database: SqliteDatabase, folder: Path) -> None:
    with database.reading() as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA secure_delete=ON")
    with database.writing() as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            for statement in SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute("INSERT INTO meta VALUES ('schema', ?)", (str(SCHEMA_VERSION),))
    sync_folder(folder)


def _check_version(database: SqliteDatabase) -> None:
    with database.reading() as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            raise UsageError("ledger.not_found", "the ledger is just being made", hint="try again")
        check_version(connection)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
