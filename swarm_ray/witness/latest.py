"""What a witness last cosigned of each log, durable before it answers.

Decides that of two requests at once one is judged after the other. A witness whose file is lost
must be given another key: with the old one it could be made to cosign a second history.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from swarm_ray.attestation.cosigning import Answer, Seen
from swarm_ray.errors import IntegrityError, StorageError, UsageError

_TABLE: Final = (
    "CREATE TABLE seen (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL)"
)
_WAIT_S: Final = 10.0


class Latest:
    """The file of a witness.

    Args:
        path: of the SQLite file.

    Raises:
        UsageError: `witness.no_file`: it is made by `create`, never in passing.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise UsageError(
                "witness.no_file",
                f"the witness has no file {path}",
                hint="make one with `swarm-ray witness --new`, and a new key with it",
            )
        self._path = path

    @classmethod
    def create(cls, path: Path) -> "Latest":
        """Make the file of a new witness.

        Raises:
            UsageError: `witness.exists`.
        """
        if path.exists():
            raise UsageError(
                "witness.exists", f"there is a witness in {path}", hint="start it without --new"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(_TABLE)
        connection.close()
        return cls(path)

    def judge(self, origin: str, judged: Callable[[Seen], Answer]) -> Answer:
        """Return the answer to a request about a log; what it has seen is durable by then.

        Raises:
            StorageError: `witness.not_stored`: nothing may be answered.
            IntegrityError: `witness.damaged`.
        """
        connection = sqlite3.connect(self._path, timeout=_WAIT_S, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("BEGIN IMMEDIATE")
            found = judged(_seen(connection, origin))
            if found.seen is not None:
                connection.execute(
                    "INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT (origin) DO UPDATE SET"
                    " size = excluded.size, root = excluded.root",
                    (origin, found.seen.size, found.seen.root),
                )
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageError(
                "witness.not_stored",
                f"the witness cannot store what it has seen: {error}",
                hint="free disk space or repair the disk",
            ) from error
        finally:
            connection.close()
        return found


def _seen(connection: sqlite3.Connection, origin: str) -> Seen:
    row = connection.execute("SELECT size, root FROM seen WHERE origin = ?", (origin,)).fetchone()
    if row is None:
        return Seen()
    if type(row[0]) is not int or type(row[1]) is not bytes or len(row[1]) != 32:
        raise IntegrityError("witness.damaged", f"what was seen of {origin} is damaged")
    return Seen(*row)
