"""The tables of a ledger and what it needs of a database that holds them.

Decides the schema once, and the SQL that SQLite and PostgreSQL both speak: `?` stands for a
parameter, `BLOB` for bytes. It opens nothing.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from swarm_ray.errors import Busy, StorageError, UsageError

SCHEMA_VERSION: Final = 1
BUSY_TIMEOUT_S: Final = 10.0

SCHEMA: Final = """
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


class Cursor(Protocol):
    """The answer to a statement."""

    @property
    def rowcount(self) -> int:
        """Number of rows that were changed."""

    def fetchone(self) -> Any:
        """Return the next row, None when there is none."""

    def fetchall(self) -> list[Any]:
        """Return all rows."""


class Connection(Protocol):
    """A connection inside or outside a transaction."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Cursor:
        """Carry out one statement."""

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Cursor:
        """Carry out a statement once for each row."""


class Database(Protocol):
    """One connection to the tables, used from one thread."""

    def reading(self) -> AbstractContextManager[Connection]:
        """Give the connection and translate its errors."""

    def consistent(self) -> AbstractContextManager[Connection]:
        """Give the connection inside one read transaction: all reads see one state."""

    def writing(self) -> AbstractContextManager[Connection]:
        """Give the connection inside a transaction of the only writer, durable when the block
        ends well.

        Raises:
            StorageError: `ledger.write_failed` (nothing was stored).
            Busy: `ledger.locked`.
        """

    def forget_deleted(self) -> None:
        """Overwrite what is still held of deleted rows, as far as the database can."""

    def close(self) -> None:
        """Close the connection."""


def check_version(connection: Connection) -> None:
    """Refuse tables of another version. Raises `ledger.unknown_version`."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    found = row[0] if row else "none"
    if found != str(SCHEMA_VERSION):
        raise UsageError(
            "ledger.unknown_version",
            f"the ledger has schema {found}, this version reads {SCHEMA_VERSION}",
            hint="use the swarm_ray version that wrote it",
        )


def write_failed(why: str) -> StorageError:
    """Return the error of a ledger that does not take what is written."""
    return StorageError(
        "ledger.write_failed",
        f"the ledger could not be written: {why}",
        hint="free disk space or repair the disk, then resume",
    )


def locked() -> Busy:
    """Return the error of a ledger that another process does not let go."""
    return Busy(
        "ledger.locked",
        f"another process held the ledger for {BUSY_TIMEOUT_S} s",
        hint="try again",
    )
