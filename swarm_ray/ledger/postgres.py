"""The tables of a ledger on a PostgreSQL server, so that a coordinator can come back elsewhere.

Decides that a commit is durable on the server when it returns (`synchronous_commit`), that one
writer is at work at a time (a lock on the table of epochs), and that a lost connection is a failed
write: whether a commit just before was stored, the next coordinator reads from the log. Each
tenant has a schema of its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NoReturn

from swarm_ray.errors import IntegrityError, InternalError, UsageError
from swarm_ray.ledger.tables import (
    BUSY_TIMEOUT_S,
    SCHEMA,
    SCHEMA_VERSION,
    Cursor,
    check_version,
    locked,
    write_failed,
)

if TYPE_CHECKING:
    import psycopg

CONNECT_TIMEOUT_S: Final = 5
SILENCE_MS: Final = 5_000
"""How long a server may leave what was sent to it unacknowledged."""
_BEGIN: Final = (
    f"BEGIN; SET LOCAL lock_timeout = {int(BUSY_TIMEOUT_S * 1000)};"
    " LOCK TABLE epochs IN EXCLUSIVE MODE"
)
_OPTIONS: Final = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENCE_MS,
}


class _Session:
    """Speaks our SQL to a psycopg connection."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self.connection = connection

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Cursor:
        # Only a query gains from binary answers, and only without them may there be two commands.
        binary = sql.startswith("SELECT")
        return self.connection.execute(_spoken(sql), values or None, binary=binary)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Cursor:
        cursor = self.connection.cursor()
        cursor.executemany(_spoken(sql), rows)
        return cursor


class PostgresDatabase:
    """Implements `tables.Database` with one connection to a server."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._session = _Session(connection)
        self._failed = False

    @contextmanager
    def reading(self) -> Iterator[_Session]:
        """See `tables.Database`."""
        import psycopg

        try:
            yield self._session
        except psycopg.Error as error:
            self._translate(error)

    @contextmanager
    def consistent(self) -> Iterator[_Session]:
        """See `tables.Database`."""
        with self.reading() as session:
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                yield session
            finally:
                self._roll_back()

    @contextmanager
    def writing(self) -> Iterator[_Session]:
        """See `tables.Database`."""
        import psycopg

        if self._failed:
            raise write_failed("the connection to the server was lost")
        try:
            self._session.execute(_BEGIN)
            yield self._session
            self._session.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            if isinstance(error, psycopg.Error):
                self._translate(error)
            raise

    def forget_deleted(self) -> None:
        """Let the server reuse the space of deleted rows; its own log and backups keep them for as
        long as the server is set to."""
        with self.reading() as session:
            session.execute("VACUUM bodies, entries, snapshots")

    def close(self) -> None:
        """Close the connection."""
        self._session.connection.close()

    def _roll_back(self) -> None:
        import psycopg

        try:
            self._session.connection.rollback()
        except psycopg.Error:
            self._failed = True

    def _translate(self, error: "psycopg.Error") -> NoReturn:
        from psycopg import errors

        told = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected):
            raise locked() from error
        if isinstance(error, errors.DataCorrupted | errors.IndexCorrupted):
            raise IntegrityError(
                "ledger.corrupt_file",
                f"the ledger's server found damage: {told}",
                hint="restore it from a copy",
            ) from error
        if isinstance(error, errors.OperationalError):  # full, shut down, out of reach
            self._failed = self._failed or self._session.connection.broken
            raise write_failed(told) from error
        raise InternalError("ledger.storage", f"{told} ({type(error).__name__})") from error


def open_server(url: str, tenant: str, *, create: bool, readonly: bool) -> PostgresDatabase:
    """Open the tables of a tenant on a server, making them when allowed.

    Args:
        url: `postgresql://user@host:port/database?...`; a password comes from it or, better, from
            a `.pgpass` file.
        tenant: names the schema, `swarm_ray_<tenant>`.
        create: make the schema and its tables when there are none.
        readonly: never write; the coordinator may be at work meanwhile.

    Raises:
        UsageError: `ledger.extra_missing`, `ledger.not_found`, `ledger.unknown_version`.
        StorageError: `ledger.write_failed` when the server is out of reach.
    """
    connection = _connect(url)
    database, schema = PostgresDatabase(connection), f"swarm_ray_{tenant}"
    try:
        with database.reading() as session:
            session.execute(f'SET search_path TO "{schema}"; SET synchronous_commit TO on')
        if create and not readonly:
            _prepare(database, schema)
        with database.reading() as session:
            _check(session, tenant)
            if readonly:
                session.execute("SET default_transaction_read_only TO on")
    except BaseException:
        connection.close()
        raise
    return database


def _connect(url: str) -> "psycopg.Connection[Any]":
    try:
        import psycopg
    except ImportError as error:
        raise UsageError(
            "ledger.extra_missing",
            "a ledger on PostgreSQL needs the package psycopg",
            hint="pip install 'swarm-ray[postgres]'",
        ) from error
    try:
        return psycopg.connect(url, autocommit=True, **_OPTIONS)  # type: ignore[arg-type]  # libpq's own options
    except psycopg.ProgrammingError as error:
        raise UsageError(
            "config.bad_url",
            f"SWARM_RAY_LEDGER cannot be read: {str(error).strip()}",
            hint="write it as postgresql://user@host:port/database",
        ) from error
    except psycopg.OperationalError as error:
        raise write_failed(str(error).strip().splitlines()[0]) from error


def _prepare(database: PostgresDatabase, schema: str) -> None:
    with database.reading() as session:
        session.execute("BEGIN")
        try:
            session.execute("SELECT pg_advisory_xact_lock(hashtext(?))", (schema,))
            if not session.execute("SELECT to_regclass('meta')").fetchone()[0]:
                session.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
                session.execute("CREATE DOMAIN blob AS bytea")
                for statement in _tables().split(";\n"):
                    session.execute(statement)
                session.execute("INSERT INTO meta VALUES ('schema', ?)", (str(SCHEMA_VERSION),))
            session.execute("COMMIT")
        finally:
            database._roll_back()


def _check(session: _Session, tenant: str) -> None:
    if not session.execute("SELECT to_regclass('meta')").fetchone()[0]:
        raise UsageError(
            "ledger.not_found",
            f"the server has no ledger of tenant {tenant!r}",
            hint="check SWARM_RAY_LEDGER and SWARM_RAY_TENANT",
        )
    check_version(session)


def _tables() -> str:
    """Return the schema in PostgreSQL's words."""
    numbered = "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"
    return (
        SCHEMA.replace("INTEGER PRIMARY KEY", numbered)
        .replace("INTEGER", "BIGINT")
        .replace(" WITHOUT ROWID", "")
    )


@cache
def _spoken(sql: str) -> str:
    return sql.replace("?", "%s")
