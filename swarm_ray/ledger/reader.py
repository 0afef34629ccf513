"""Reading a ledger: heads, entries, proofs, snapshots and bodies, each checked as it is read.

Decides what counts as damage and names the first bad entry. Works on a second, read-only
connection while a coordinator writes; it never changes anything.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

from swarm_ray.errors import UsageError
from swarm_ray.ledger import faults, rules
from swarm_ray.ledger.body_files import BodyFiles, BodyPlace
from swarm_ray.ledger.body_table import BodyRow, find_body
from swarm_ray.ledger.database import open_database
from swarm_ray.ledger.tables import Database
from swarm_ray.ports.log import (
    STATES,
    Body,
    Consistency,
    Head,
    Inclusion,
    LogKind,
    Role,
    Snapshot,
)
from swarm_ray.values.commitments import opens
from swarm_ray.values.digests import Digest, is_digest, sha256
from swarm_ray.values.merkle import (
    Frontier,
    leaf_hash,
    root,
)
from swarm_ray.values.tree import Tree

_PAGE: Final = 256
_HEAD: Final = "SELECT log_id, kind, epoch, size, CAST(root AS BLOB), state, indexed_size FROM logs"
"""SQLite stores text or a number where bytes should be without a word. Read as the bytes that they
are, damaged values fail the hash that covers them."""


class Reader:
    """A ledger opened for reading, used from one thread."""

    def __init__(self, database: Database, files: BodyPlace) -> None:
        """Bind tables and the place of large bodies."""
        self._db = database
        self._files = files

    @classmethod
    def open_readonly(cls, folder: Path) -> "Reader":
        """Open an existing ledger beside its writer.

        Raises:
            UsageError: `ledger.not_found`, `ledger.unknown_version`.
        """
        return Reader(open_database(folder, create=False, readonly=True), BodyFiles(folder))

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def epoch(self, role: Role = "coordinator") -> int:
        """Return the current epoch of a writer, 0 before the first."""
        row = self._one("SELECT epoch FROM epochs WHERE role = ?", role)
        if row and type(row[0]) is not int:
            raise faults.corrupt_epoch(role)
        return row[0] if row else 0

    def head(self, log_id: str) -> Head:
        """Return where a log stands. Raises `ledger.unknown_log`."""
        found = self._find(log_id)
        if found is None:
            raise faults.unknown_log(log_id)
        return found

    def logs(self, kind: LogKind | None = None) -> list[Head]:
        """Return the heads of all logs, or of one kind, in order of creation."""
        chosen, values = (" WHERE kind = ?", (kind,)) if kind else ("", ())
        with self._db.reading() as connection:
            rows = connection.execute(f"{_HEAD}{chosen} ORDER BY log", values).fetchall()
        return [head_of(row) for row in rows]

    def entries(self, log_id: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield entries `start` to `stop` (excluded; None is the size now).

        Reads in pages, so that a slow consumer holds no transaction open.

        Raises:
            UsageError: `ledger.unknown_log`, `ledger.log_dropped`, `ledger.out_of_range`.
            IntegrityError: `ledger.corrupt_entry` with the `seq` of the first bad one.
        """
        head = self._readable(log_id)
        last = rules.check_position(head, head.size if stop is None else stop)
        for at in range(rules.check_position(head, start), last, _PAGE):
            for _, data in self._page(log_id, at, min(at + _PAGE, last)):
                yield data

    def check(self, log_id: str) -> Head:
        """Recompute a log from its entries; return its head. To be done before a resume.

        Raises:
            IntegrityError: `ledger.corrupt_entry` with the `seq` of the first bad one,
                `ledger.root_mismatch` when the entries are whole but not those of the root.
            UsageError: `ledger.unknown_log`, `ledger.log_dropped`.
        """
        # One read transaction: a writer beside us must not move the head while we count.
        with self._db.consistent():
            head = self._readable(log_id)
            frontier = Frontier()
            for at in range(0, head.size, _PAGE):
                for leaf, _ in self._page(log_id, at, min(at + _PAGE, head.size)):
                    frontier.append(leaf)
            if self._count(log_id) != head.size:
                raise faults.corrupt_entry(log_id, head.size, "is stored but not counted")
            row = self._one("SELECT CAST(frontier AS BLOB) FROM logs WHERE log_id = ?", log_id)
        if frontier.root().hex() != head.root:
            raise faults.root_mismatch(log_id, "root")
        if row[0] != frontier.to_bytes():
            raise faults.root_mismatch(log_id, "frontier")
        return head

    def inclusion(self, log_id: str, seq: int, size: int | None = None) -> Inclusion:
        """Prove that entry `seq` is in the log of `size` entries. O(size).

        Raises:
            UsageError: `ledger.unknown_log`, `ledger.log_dropped`, `ledger.out_of_range`,
                `merkle.out_of_range`.
        """
        leaves = self._leaves(log_id, size)
        path = Tree(leaves).inclusion(seq)
        return Inclusion(seq, len(leaves), leaves[seq], tuple(path), root(leaves))

    def consistency(self, log_id: str, size1: int, size2: int | None = None) -> Consistency:
        """Prove that the log of `size1` entries is a prefix of the log of `size2`. O(size2).

        Raises:
            UsageError: as `inclusion`.
        """
        leaves = self._leaves(log_id, size2)
        path = Tree(leaves).consistency(size1)
        return Consistency(size1, len(leaves), root(leaves[:size1]), root(leaves), tuple(path))

    def get_snapshot(self, log_id: str) -> Snapshot | None:
        """Return the snapshot of a log; None when there is none.

        Raises:
            IntegrityError: `ledger.snapshot_mismatch` when the state is damaged or its root is
                not the log's: drop it and replay.
        """
        head = self._readable(log_id)
        row = self._one(
            "SELECT s.size, CAST(s.root AS BLOB), s.semantics, CAST(s.digest AS BLOB),"
            " CAST(s.state AS BLOB) FROM snapshots s JOIN logs USING (log) WHERE log_id = ?",
            log_id,
        )
        if row is None:
            return None
        size, claimed, semantics, digest, state = row
        placed = type(size) is type(semantics) is int and 0 <= size <= head.size
        found = placed and root(self._leaves(log_id, size)) == claimed
        if not found or bytes.fromhex(sha256(state)) != digest:
            raise faults.snapshot_mismatch(log_id)
        return Snapshot(log_id, size, Digest(claimed.hex()), semantics, state)

    def get_body(self, commitment: str) -> bytes:
        """Return the bytes of a body.

        Raises:
            UsageError: `ledger.body_unknown`.
            IntegrityError: `ledger.body_deleted`, `ledger.body_mismatch`, `ledger.body_missing`.
        """
        return self.open_body(commitment).data

    def open_body(self, commitment: str) -> Body:
        """Return a body with its salt, for disclosure. Raises as `get_body`."""
        row = self._body_row(commitment)
        if row.place == "deleted" or row.salt is None:
            raise faults.body_deleted(commitment)
        data = self._files.read(commitment) if row.data is None else row.data
        if not _opens(commitment, row, data):
            raise faults.body_mismatch(commitment)
        return Body(Digest(commitment), row.tag, row.salt, data, row.retention, row.run)

    def _body_row(self, commitment: str) -> BodyRow:
        row = self._find_body(commitment)
        if row is None:
            raise faults.unknown_body(commitment)
        return row

    def _find_body(self, commitment: str) -> BodyRow | None:
        if not is_digest(commitment):
            return None
        with self._db.reading() as connection:
            return find_body(connection, bytes.fromhex(commitment))

    def _one(self, sql: str, *values: Any) -> Any:
        with self._db.reading() as connection:
            return connection.execute(sql, values).fetchone()

    def _find(self, log_id: str) -> Head | None:
        row = self._one(f"{_HEAD} WHERE log_id = ?", log_id)
        return head_of(row) if row else None

    def _readable(self, log_id: str) -> Head:
        head = self.head(log_id)
        if head.state == "dropped":
            raise faults.dropped_log(log_id)
        return head

    def _count(self, log_id: str) -> int:
        row = self._one("SELECT count(*) FROM entries JOIN logs USING (log) WHERE log_id=?", log_id)
        return int(row[0])

    def _page(self, log_id: str, start: int, stop: int) -> list[tuple[bytes, bytes]]:
        with self._db.reading() as connection:
            rows = connection.execute(
                "SELECT seq, CAST(leaf AS BLOB), CAST(data AS BLOB) FROM entries WHERE log ="
                " (SELECT log FROM logs WHERE log_id = ?) AND seq >= ? AND seq < ? ORDER BY seq",
                (log_id, start, stop),
            ).fetchall()
        if len(rows) < stop - start:
            self._readable(log_id)  # the run may have been dropped since we began
        page: list[tuple[bytes, bytes]] = []
        for expected, (seq, leaf, data) in enumerate(rows, start):
            if seq != expected:
                raise faults.corrupt_entry(log_id, expected, "is missing")
            if leaf_hash(data) != leaf:
                raise faults.corrupt_entry(log_id, seq, "does not have its hash")
            page.append((leaf, data))
        if len(page) != stop - start:
            raise faults.corrupt_entry(log_id, start + len(page), "is missing")
        return page

    def _leaves(self, log_id: str, size: int | None) -> list[bytes]:
        head = self._readable(log_id)
        stop = rules.check_position(head, head.size if size is None else size)
        with self._db.reading() as connection:
            rows = connection.execute(
                "SELECT CAST(leaf AS BLOB) FROM entries"
                " WHERE log = (SELECT log FROM logs WHERE log_id = ?)"
                " AND seq < ? ORDER BY seq",
                (log_id, stop),
            ).fetchall()
        if len(rows) != stop:
            raise faults.corrupt_entry(log_id, len(rows), "or one before it is missing")
        return [row[0] for row in rows]


def _opens(commitment: str, row: BodyRow, data: bytes) -> bool:
    """Say whether a row and its bytes are what a commitment names; a damaged salt or tag is not."""
    try:
        return opens(commitment, row.tag, row.salt or b"", data)
    except UsageError:
        return False


def head_of(row: Any) -> Head:
    """Return the head that a row of the table of logs says.

    Raises:
        IntegrityError: `ledger.corrupt_head`.
    """
    log_id, kind, epoch, size, root_bytes, state, indexed_size = row
    if {type(epoch), type(size), type(indexed_size)} != {int} or state not in STATES:
        raise faults.corrupt_head(log_id)
    return Head(log_id, kind, epoch, size, Digest(root_bytes.hex()), state, indexed_size)
