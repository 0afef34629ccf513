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
    Busy,
    IntegrityError,
    InternalError,
    StorageError,
    SwarmError,
    UsageError,
)

SCHEMA_VERSION: Final = 1
FILE_NAME: Final = "ledger.sqlite3"
BUSY_TIMEOUT_S: Final = 10.0

_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE epochs (
    role TEXT PRIMARY KEY, epoch INTEGER NOT NULL, owner TEXT NOT NULL,
    acquired_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE logs (
    log INTEGER PRIMARY KEY, log_id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    epoch INTEGER NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, frontier BLOB NOT NULL,
    state TEXT NOT NULL, indexed_size INTEGER NOT NULL, created_us INTEGER NOT NULL
);
CREATE TABLE entries (
    log INTEGER NOT NULL, seq INTEGER NOT NULL, leaf BLOB NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (log, seq)
) WITHOUT ROWID;
CREATE TABLE bodies (
    commitment BLOB PRIMARY KEY, tag TEXT NOT NULL, salt BLOB, data BLOB,
    place TEXT NOT NULL, size_bytes INTEGER NOT NULL, retention TEXT NOT NULL,
    run TEXT NOT NULL, created_us INTEGER NOT NULL, deleted_us INTEGER
);
CREATE INDEX bodies_by_run ON bodies (run);
CREATE TABLE snapshots (
    log INTEGER PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL,
    semantics INTEGER NOT NULL, digest BLOB NOT NULL, state BLOB NOT NULL
);
"""


class Database:
    """One connection to the file, used from one thread."""

    def __init__(self, connection: sqlite3.Connection, *, readonly: bool) -> None:
        self.connection = connection
        self.readonly = readonly
        self._failed = False

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection and translate its errors."""
        try:
            yield self.connection
        except sqlite3.Error as error:
            self._translate(error)

    @contextmanager
    def consistent(self) -> Iterator[sqlite3.Connection]:
        """Give the connection inside one read transaction: all reads see one state."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                self._roll_back()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection inside a transaction, durable when the block ends well.

        Raises:
            StorageError: `ledger.write_failed` (nothing was stored).
            Busy: `ledger.locked`.
        """
        if self._failed:
            raise _write_failed("an earlier write failed in a way that only reopening clears")
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
            raise _write_failed(f"{error} ({name})") from error
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise Busy(
                "ledger.locked",
                f"another process held the ledger for {BUSY_TIMEOUT_S} s",
                hint="try again",
            ) from error
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


def open_database(folder: Path, *, create: bool, readonly: bool) -> Database:
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
    database = Database(connection, readonly=readonly)
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


def _prepare(database: Database, folder: Path) -> None:
    with database.reading() as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA secure_delete=ON")
    with database.writing() as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            for statement in _SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute("INSERT INTO meta VALUES ('schema', ?)", (str(SCHEMA_VERSION),))
    sync_folder(folder)


def _check_version(database: Database) -> None:
    with database.reading() as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            raise UsageError("ledger.not_found", "the ledger is just being made", hint="try again")
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    found = row[0] if row else "none"
    if found != str(SCHEMA_VERSION):
        raise UsageError(
            "ledger.unknown_version",
            f"the ledger has schema {found}, this version reads {SCHEMA_VERSION}",
            hint="use the swarm_ray version that wrote it",
        )


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_failed(why: str) -> StorageError:
    return StorageError(
        "ledger.write_failed",
        f"the ledger could not be written: {why}",
        hint="free disk space or repair the disk, then resume",
    )
