"""Writing a ledger: epochs, group commits, bodies, the index log, snapshots, dropping runs.

Decides nothing about the content of entries; it makes them durable in order, under compare-and-set
on (epoch, size), with the Merkle frontier of each log advanced in the same transaction. Used from
one thread.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from typing_extensions import override

from swarm_ray.ledger import faults, rules
from swarm_ray.ledger.body_files import BodyFiles, BodyPlace
from swarm_ray.ledger.body_table import (
    BodyRow,
    body_row,
    delete_run_bodies,
    find_run_bodies,
    insert_bodies,
    tombstone_body,
)
from swarm_ray.ledger.database import open_database
from swarm_ray.ledger.reader import Reader, head_of
from swarm_ray.ledger.tables import Connection, Database
from swarm_ray.ports.log import (
    INDEX_LOG,
    WRITERS,
    Append,
    Body,
    Head,
    NowUs,
    Random,
    Retention,
    Role,
    Snapshot,
)
from swarm_ray.values.commitments import SALT_BYTES
from swarm_ray.values.digests import Digest, is_digest, sha256
from swarm_ray.values.merkle import Frontier, leaf_hash, root

_TIP: Final = (
    "SELECT log, CAST(frontier AS BLOB), log_id, kind, epoch, size, CAST(root AS BLOB), state,"
    " indexed_size FROM logs WHERE log_id = ?"
)
STAGED_LIMIT: Final = 4096
"""Bodies held for the next commit before they get one of their own."""


def unix_us() -> int:
    """Return the Unix time in microseconds."""
    return time.time_ns() // 1000


class Store(Reader):
    """A ledger opened for writing; implements the ports `Log` and `Bodies`."""

    def __init__(
        self,
        database: Database,
        files: BodyPlace,
        now_us: NowUs = unix_us,
        random: Random = os.urandom,
    ) -> None:
        """Bind tables and the place of large bodies.

        Args:
            database: the tables.
            files: holds the bytes of bodies above 4 KiB.
            now_us: Unix time in microseconds, only for `created_us` columns.
            random: source of salts.
        """
        super().__init__(database, files)
        self._now_us = now_us
        self._random = random
        self._staged: dict[str, BodyRow] = {}

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        create: bool = True,
        now_us: NowUs = unix_us,
        random: Random = os.urandom,
    ) -> "Store":
        """Open the ledger in a folder.

        Args:
            folder: holds `ledger.sqlite3` and `bodies/`.
            create: make it when there is none.
            now_us: as for the constructor.
            random: as for the constructor.

        Raises:
            UsageError: `ledger.not_found`, `ledger.unknown_version`.
            IntegrityError: `ledger.corrupt_file`.
        """
        database = open_database(folder, create=create, readonly=False)
        return cls(database, BodyFiles(folder), now_us, random)

    def acquire_epoch(
        self, owner: str, *, role: Role = "coordinator", expected: int | None = None
    ) -> int:
        """Take over a role: increment its epoch, so that every older writer is refused.

        Args:
            owner: who takes over, for people to read.
            role: which writer.
            expected: the epoch that must be current; None takes over in any case.

        Raises:
            IntegrityError: `ledger.stale_epoch` when somebody else was faster.
        """
        with self._db.writing() as connection:
            current = self.epoch(role)
            if expected is not None:
                rules.check_epoch(expected, current)
            connection.execute(
                "INSERT INTO epochs VALUES (?, ?, ?, ?) ON CONFLICT (role) DO UPDATE SET"
                " epoch = excluded.epoch, owner = excluded.owner,"
                " acquired_us = excluded.acquired_us",
                (role, current + 1, owner, self._now_us()),
            )
        return current + 1

    def commit(self, batch: Sequence[Append]) -> list[Head]:
        """Store all appends and the staged bodies in one durable transaction.

        Returns the new head of each append, in order; two appends may concern the same log.

        Raises:
            IntegrityError: `ledger.stale_epoch`, `ledger.size_conflict`, `ledger.log_closed`,
                `ledger.root_mismatch` (damaged frontier), `ledger.body_mismatch`,
                `ledger.body_deleted`.
            UsageError: `ledger.log_dropped`, `ledger.wrong_kind`, `ledger.entry_too_large`,
                `ledger.entry_empty`.
            StorageError: `ledger.write_failed`.
            Busy: `ledger.locked`.
        """
        bodies = [body for append in batch for body in append.bodies]
        rules.check_bodies(bodies)
        now_us = self._now_us()
        rows = [*self._staged.values(), *(self._prepare_body(body, now_us) for body in bodies)]
        with self._db.writing() as connection:
            insert_bodies(connection, rows)
            epochs = {role: self.epoch(role) for role in {WRITERS[one.kind] for one in batch}}
            heads = [self._append(connection, one, epochs[WRITERS[one.kind]]) for one in batch]
        self._staged.clear()
        return heads

    def put_body(self, tag: str, data: bytes, retention: Retention, run: str) -> Digest:
        """Store a body under a fresh salt; return its commitment.

        Above 4 KiB the bytes are durable on return; the row of every body joins the next
        `commit`, so that it is durable no later than the entry that names it.

        Raises:
            UsageError: `digest.bad_tag`.
            StorageError: `ledger.write_failed`.
        """
        body = Body.seal(tag, self._random(SALT_BYTES), data, retention, run)
        row = self._prepare_body(body, self._now_us())
        if len(self._staged) >= STAGED_LIMIT:
            self.commit(())
        self._staged[body.commitment] = row
        return body.commitment

    def delete_body(self, commitment: str) -> None:
        """Delete salt and bytes together; what remains says only that there was a body.

        A damaged body can be deleted like any other.

        Raises:
            UsageError: `ledger.body_unknown`, `ledger.body_needed` while its run is not closed.
            IntegrityError: `ledger.body_deleted`.
        """
        if commitment in self._staged:
            self.commit(())
        row = self._body_row(commitment)
        if row.place == "deleted":
            raise faults.body_deleted(commitment)
        run = self._find(row.run) if row.run else None
        rules.check_deletable(commitment, row.retention, run.state if run else None, row.run)
        with self._db.writing() as connection:
            tombstone_body(connection, commitment, self._now_us())
        self._files.remove(commitment)
        self._db.forget_deleted()

    def bodies_of(self, run: str, classes: Sequence[Retention]) -> list[str]:
        """Return the commitments of a run's bodies of these classes that were not deleted yet."""
        with self._db.reading() as connection:
            return find_run_bodies(connection, run, classes)

    def erase_bodies(self, commitments: Sequence[str]) -> None:
        """Delete salt and bytes of many bodies of closed runs in one transaction, as `delete_body`
        does of one.

        Raises:
            UsageError: `ledger.body_unknown`, `ledger.body_needed`; nothing was deleted.
        """
        rows = {name: self._body_row(name) for name in commitments}
        runs = {run: self._find(run) for run in {row.run for row in rows.values()}}
        for name, row in rows.items():
            run = runs[row.run]
            rules.check_deletable(name, row.retention, run.state if run else None, row.run)
        with self._db.writing() as connection:
            for name in rows:
                tombstone_body(connection, name, self._now_us())
        for name in rows:
            self._files.remove(name)
        self._db.forget_deleted()

    def index_checkpoint(self, epoch: int, log_ids: Sequence[str], time_us: int) -> Head:
        """Append where these logs stand to the index log; return the head of the index.

        Args:
            epoch: the coordinator's epoch.
            log_ids: any logs but the index itself.
            time_us: the log time of the checkpoints.

        Raises:
            UsageError: `ledger.unknown_log`.
            IntegrityError: `ledger.stale_epoch`.
        """
        with self._db.writing() as connection:
            heads = [self.head(log_id) for log_id in log_ids if log_id != INDEX_LOG]
            entries = [rules.checkpoint_entry(head, time_us) for head in heads]
            index = self._find(INDEX_LOG)
            append = Append(INDEX_LOG, epoch, index.size if index else 0, entries, kind="index")
            result = self._append(connection, append, self.epoch())
            connection.executemany(
                "UPDATE logs SET indexed_size = ? WHERE log_id = ?",
                [(head.size, head.log_id) for head in heads],
            )
        return result

    def drop_run(self, run: str, epoch: int) -> None:
        """Delete entries, bodies and snapshot of a closed and indexed run; its head stays.

        Raises:
            UsageError: `ledger.unknown_log`, `ledger.wrong_kind`, `ledger.run_open`,
                `ledger.not_indexed`.
            IntegrityError: `ledger.stale_epoch`.
        """
        with self._db.writing() as connection:
            rules.check_epoch(epoch, self.epoch())
            rules.check_droppable(self.head(run))
            (log,) = connection.execute("SELECT log FROM logs WHERE log_id = ?", (run,)).fetchone()
            connection.execute("DELETE FROM entries WHERE log = ?", (log,))
            connection.execute("DELETE FROM snapshots WHERE log = ?", (log,))
            connection.execute("UPDATE logs SET state = 'dropped' WHERE log = ?", (log,))
            files = delete_run_bodies(connection, run)
        self._staged = {name: row for name, row in self._staged.items() if row.run != run}
        for commitment in files:
            self._files.remove(commitment)
        self._db.forget_deleted()

    def put_snapshot(self, snapshot: Snapshot) -> None:
        """Keep the snapshot as the latest of its log.

        Raises:
            IntegrityError: `ledger.snapshot_mismatch` unless its root is the log's at its size.
            UsageError: `ledger.unknown_log`, `ledger.log_dropped`.
        """
        head = self._readable(snapshot.log_id)
        if snapshot.size == head.size:
            found = head.root
        elif 0 <= snapshot.size < head.size:
            found = Digest(root(self._leaves(snapshot.log_id, snapshot.size)).hex())
        else:
            raise faults.snapshot_mismatch(snapshot.log_id)
        if found != snapshot.root:
            raise faults.snapshot_mismatch(snapshot.log_id)
        with self._db.writing() as connection:
            connection.execute(
                "INSERT INTO snapshots SELECT log, ?, ?, ?, ?, ? FROM logs WHERE log_id = ?"
                " ON CONFLICT (log) DO UPDATE SET size = excluded.size, root = excluded.root,"
                " semantics = excluded.semantics, digest = excluded.digest,"
                " state = excluded.state",
                (
                    snapshot.size,
                    bytes.fromhex(snapshot.root),
                    snapshot.semantics,
                    bytes.fromhex(sha256(snapshot.state)),
                    snapshot.state,
                    snapshot.log_id,
                ),
            )

    def drop_snapshot(self, log_id: str) -> None:
        """Forget the snapshot of a log, if any."""
        with self._db.writing() as connection:
            connection.execute(
                "DELETE FROM snapshots WHERE log = (SELECT log FROM logs WHERE log_id = ?)",
                (log_id,),
            )

    def unclaimed_bodies(self, before_us: int) -> list[str]:
        """Return the bodies that no run can need: rows whose run never came to be or was dropped,
        files without a row, files that a crash left unfinished; by commitment or file name.

        Args:
            before_us: Unix time; what is younger may be about to be committed.
        """
        with self._db.reading() as connection:
            rows = connection.execute(
                "SELECT commitment FROM bodies WHERE run != '' AND created_us < ? AND run NOT IN"
                " (SELECT log_id FROM logs WHERE state != 'dropped')",
                (before_us,),
            ).fetchall()
        found = [commitment.hex() for (commitment,) in rows]
        for name in self._files.names(before_us):
            row = self._find_body(name)
            if row is None or row.place != "file":
                found.append(name)
        return found

    def remove_bodies(self, names: Sequence[str]) -> None:
        """Delete what `unclaimed_bodies` found, rows and files."""
        if not names:
            return
        with self._db.writing() as connection:
            connection.executemany(
                "DELETE FROM bodies WHERE commitment = ?",
                [(bytes.fromhex(name),) for name in names if is_digest(name)],
            )
        for name in names:
            self._files.remove(name)
        self._db.forget_deleted()

    def _append(self, connection: Connection, append: Append, epoch: int) -> Head:
        found = connection.execute(_TIP, (append.log_id,)).fetchone()
        head = head_of(found[2:]) if found else None
        rules.admit(append, head, epoch)
        if head is None:
            head, frontier = rules.new_head(append), Frontier()
            log = self._create(connection, head)
        else:
            log, frontier = found[0], Frontier.from_bytes(found[1])
            if frontier.size != head.size or frontier.root().hex() != head.root:
                raise faults.root_mismatch(head.log_id, "frontier")
        rows = []
        for seq, entry in enumerate(append.entries, head.size):
            leaf = leaf_hash(entry)
            frontier.append(leaf)
            rows.append((log, seq, leaf, entry))
        connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", rows)
        root_bytes = frontier.root()
        state = rules.state_after(append, head.state)
        connection.execute(
            "UPDATE logs SET epoch = ?, size = ?, root = ?, frontier = ?, state = ? WHERE log = ?",
            (append.epoch, frontier.size, root_bytes, frontier.to_bytes(), state, log),
        )
        return Head(
            head.log_id,
            head.kind,
            append.epoch,
            frontier.size,
            Digest(root_bytes.hex()),
            state,
            head.indexed_size,
        )

    def _create(self, connection: Connection, head: Head) -> int:
        cursor = connection.execute(
            "INSERT INTO logs (log_id, kind, epoch, size, root, frontier, state, indexed_size,"
            " created_us) VALUES (?, ?, 0, 0, ?, ?, 'open', 0, ?) RETURNING log",
            (
                head.log_id,
                head.kind,
                bytes.fromhex(head.root),
                Frontier().to_bytes(),
                self._now_us(),
            ),
        )
        return int(cursor.fetchone()[0])

    @override
    def _find_body(self, commitment: str) -> BodyRow | None:
        return self._staged.get(commitment) or super()._find_body(commitment)

    def _prepare_body(self, body: Body, now_us: int) -> BodyRow:
        """Return the row of a body, with the bytes of a large one durable in a file."""
        row = body_row(body, now_us)
        # A stored body is not written again, a deleted one not even for a moment.
        if row.place == "file" and super()._find_body(body.commitment) is None:
            self._files.write(body.commitment, body.data)
        return row
