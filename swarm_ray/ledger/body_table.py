"""The table of bodies: one row each, with the bytes of small ones.

Decides which bodies live in a row and that a deleted one is never revived. Runs inside the
transaction of its caller and touches no files.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from swarm_ray.ledger.faults import body_deleted
from swarm_ray.ledger.tables import Connection
from swarm_ray.ports.log import Body, Retention

ROW_LIMIT_BYTES: Final = 4096

_FIND: Final = (
    "SELECT commitment, tag, CAST(salt AS BLOB), CAST(data AS BLOB), place, size_bytes, retention,"
    " run, created_us"
    " FROM bodies WHERE commitment = ?"
)
_INSERT: Final = (
    "INSERT INTO bodies (commitment, tag, salt, data, place, size_bytes, retention, run,"
    " created_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (commitment) DO NOTHING"
)


class BodyRow(NamedTuple):
    """A row of the table. `salt` and `data` are None once deleted, `data` also for a file."""

    commitment: bytes
    tag: str
    salt: bytes | None
    data: bytes | None
    place: Literal["row", "file", "deleted"]
    size_bytes: int
    retention: Retention
    run: str
    created_us: int


def body_row(body: Body, now_us: int) -> BodyRow:
    """Return the row that a body gets; above 4096 bytes its data belongs in a file."""
    in_row = len(body.data) <= ROW_LIMIT_BYTES
    return BodyRow(
        bytes.fromhex(body.commitment),
        body.tag,
        body.salt,
        body.data if in_row else None,
        "row" if in_row else "file",
        len(body.data),
        body.retention,
        body.run,
        now_us,
    )


def find_body(connection: Connection, commitment: bytes) -> BodyRow | None:
    """Return the row of a body, if there is one."""
    found = connection.execute(_FIND, (commitment,)).fetchone()
    return BodyRow(*found) if found else None


def insert_bodies(connection: Connection, rows: Sequence[BodyRow]) -> None:
    """Insert rows; a body that is stored already stays as it is.

    Raises:
        IntegrityError: `ledger.body_deleted` when one was deleted before.
    """
    if not rows:
        return
    inserted = connection.executemany(_INSERT, rows).rowcount
    if inserted == len(rows):
        return
    for row in rows:
        known = find_body(connection, row.commitment)
        if known is not None and known.place == "deleted":
            raise body_deleted(row.commitment.hex())


def tombstone_body(connection: Connection, commitment: str, now_us: int) -> None:
    """Erase salt and data of a row and mark it deleted."""
    connection.execute(
        "UPDATE bodies SET salt = NULL, data = NULL, place = 'deleted', deleted_us = ?"
        " WHERE commitment = ?",
        (now_us, bytes.fromhex(commitment)),
    )


def find_run_bodies(connection: Connection, run: str, classes: Sequence[Retention]) -> list[str]:
    """Return the commitments of a run's bodies of some retention classes that are still there."""
    marks = ", ".join("?" * len(classes))
    found = connection.execute(
        f"SELECT commitment FROM bodies WHERE run = ? AND place != 'deleted'"  # noqa: S608  # marks
        f" AND retention IN ({marks}) ORDER BY commitment",
        (run, *classes),
    ).fetchall()
    return [commitment.hex() for (commitment,) in found]


def delete_run_bodies(connection: Connection, run: str) -> list[str]:
    """Delete all rows of a run; return the commitments whose files remain to be removed."""
    files = connection.execute(
        "SELECT commitment FROM bodies WHERE run = ? AND place = 'file'", (run,)
    ).fetchall()
    connection.execute("DELETE FROM bodies WHERE run = ?", (run,))
    return [commitment.hex() for (commitment,) in files]
