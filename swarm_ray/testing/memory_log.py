"""A ledger in memory that can crash, for the simulated world.

Decides exactly as `ledger.Store` does (same rules, roots and proofs) and loses what was not synced
when a fault is armed. It never touches a disk or a clock.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from swarm_ray.errors import StorageError
from swarm_ray.ledger import faults, rules
from swarm_ray.ports.log import (
    INDEX_LOG,
    WRITERS,
    Append,
    Body,
    Consistency,
    Head,
    Inclusion,
    LogKind,
    Random,
    Retention,
    Role,
    Snapshot,
)
from swarm_ray.values.commitments import SALT_BYTES
from swarm_ray.values.digests import Digest
from swarm_ray.values.merkle import Frontier, leaf_hash, root
from swarm_ray.values.tree import Tree

Fault = Literal["crash_before_sync", "crash_after_sync", "write_error"]


class SimulatedCrash(BaseException):
    """The process died here. Not an `Exception`: nothing under test may survive it."""


@dataclass(slots=True)
class Disk:
    """What survives a crash. A body of None was deleted."""

    heads: dict[str, Head] = field(default_factory=dict)
    entries: dict[str, list[bytes]] = field(default_factory=dict)
    frontiers: dict[str, Frontier] = field(default_factory=dict)
    bodies: dict[str, Body | None] = field(default_factory=dict)
    snapshots: dict[str, Snapshot | None] = field(default_factory=dict)
    epochs: dict[Role, int] = field(default_factory=dict)
    owners: dict[Role, str] = field(default_factory=dict)
    syncs: int = 0


@dataclass(slots=True)
class _Draft:
    """Changes that one sync makes durable, or a crash forgets."""

    heads: dict[str, Head] = field(default_factory=dict)
    added: dict[str, list[bytes]] = field(default_factory=dict)
    frontiers: dict[str, Frontier] = field(default_factory=dict)
    bodies: dict[str, Body | None] = field(default_factory=dict)
    snapshots: dict[str, Snapshot | None] = field(default_factory=dict)
    epochs: dict[Role, int] = field(default_factory=dict)
    dropped: str = ""

    def apply(self, disk: Disk) -> None:
        disk.heads.update(self.heads)
        disk.frontiers.update(self.frontiers)
        disk.bodies.update(self.bodies)
        disk.snapshots.update(self.snapshots)
        disk.epochs.update(self.epochs)
        for log_id, entries in self.added.items():
            disk.entries.setdefault(log_id, []).extend(entries)
        if self.dropped:
            disk.entries[self.dropped] = []
            for name in [n for n, b in disk.bodies.items() if b and b.run == self.dropped]:
                del disk.bodies[name]
        disk.syncs += 1


class MemoryLog:
    """The ports `Log` and `Bodies` over a `Disk` that outlives this object.

    After a crash the object refuses everything; make a new one over the same disk.
    """

    def __init__(self, random: Random, disk: Disk | None = None) -> None:
        self.disk = disk if disk is not None else Disk()
        self._random = random
        self._staged: dict[str, Body] = {}
        self._fault: Fault | None = None
        self._countdown = 0
        self._dead = False

    def arm(self, fault: Fault, *, after_syncs: int = 0) -> None:
        """Let a coming write fail: the next one, or the one after so many good ones."""
        self._fault = fault
        self._countdown = after_syncs

    def reopen(self) -> "MemoryLog":
        """Return the ledger as the next process finds it: unsynced bodies are gone."""
        return MemoryLog(self._random, self.disk)

    def epoch(self, role: Role = "coordinator") -> int:
        """See `ports.log.LogReader`."""
        self._alive()
        return self.disk.epochs.get(role, 0)

    def head(self, log_id: str) -> Head:
        """See `ports.log.LogReader`."""
        self._alive()
        if log_id not in self.disk.heads:
            raise faults.unknown_log(log_id)
        return self.disk.heads[log_id]

    def logs(self, kind: LogKind | None = None) -> list[Head]:
        """See `ports.log.LogReader`."""
        self._alive()
        return [head for head in self.disk.heads.values() if kind in (None, head.kind)]

    def entries(self, log_id: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """See `ports.log.LogReader`."""
        head = self._readable(log_id)
        last = head.size if stop is None else stop
        rules.check_position(head, start)
        rules.check_position(head, last)
        yield from self.disk.entries[log_id][start:last]

    def check(self, log_id: str) -> Head:
        """See `ports.log.LogReader`."""
        head = self._readable(log_id)
        if root(self._leaves(log_id, None)).hex() != head.root:
            raise faults.root_mismatch(log_id, "root")
        return head

    def inclusion(self, log_id: str, seq: int, size: int | None = None) -> Inclusion:
        """See `ports.log.LogReader`."""
        leaves = self._leaves(log_id, size)
        path = Tree(leaves).inclusion(seq)
        return Inclusion(seq, len(leaves), leaves[seq], tuple(path), root(leaves))

    def consistency(self, log_id: str, size1: int, size2: int | None = None) -> Consistency:
        """See `ports.log.LogReader`."""
        leaves = self._leaves(log_id, size2)
        path = Tree(leaves).consistency(size1)
        return Consistency(size1, len(leaves), root(leaves[:size1]), root(leaves), tuple(path))

    def get_snapshot(self, log_id: str) -> Snapshot | None:
        """See `ports.log.LogReader`."""
        self._readable(log_id)
        return self.disk.snapshots.get(log_id)

    def acquire_epoch(
        self, owner: str, *, role: Role = "coordinator", expected: int | None = None
    ) -> int:
        """See `ports.log.Log`."""
        current = self.epoch(role)
        if expected is not None:
            rules.check_epoch(expected, current)
        self._sync(_Draft(epochs={role: current + 1}))
        self.disk.owners[role] = owner
        return current + 1

    def commit(self, batch: Sequence[Append]) -> list[Head]:
        """See `ports.log.Log`."""
        self._alive()
        bodies = [body for append in batch for body in append.bodies]
        rules.check_bodies(bodies)
        draft = _Draft()
        for body in (*self._staged.values(), *bodies):
            known = self.disk.bodies.get(body.commitment, body)
            if known is None:
                raise faults.body_deleted(body.commitment)
            draft.bodies[body.commitment] = known
        heads = [self._append(draft, append) for append in batch]
        self._sync(draft)
        self._staged.clear()
        return heads

    def index_checkpoint(self, epoch: int, log_ids: Sequence[str], time_us: int) -> Head:
        """See `ports.log.Log`."""
        heads = [self.head(log_id) for log_id in log_ids if log_id != INDEX_LOG]
        entries = [rules.checkpoint_entry(head, time_us) for head in heads]
        size = self.disk.heads[INDEX_LOG].size if INDEX_LOG in self.disk.heads else 0
        draft = _Draft()
        result = self._append(draft, Append(INDEX_LOG, epoch, size, entries, kind="index"))
        for head in heads:
            draft.heads[head.log_id] = replace(head, indexed_size=head.size)
        self._sync(draft)
        return result

    def drop_run(self, run: str, epoch: int) -> None:
        """See `ports.log.Log`."""
        rules.check_epoch(epoch, self.epoch())
        head = self.head(run)
        rules.check_droppable(head)
        self._sync(
            _Draft(heads={run: replace(head, state="dropped")}, snapshots={run: None}, dropped=run)
        )
        self._staged = {name: body for name, body in self._staged.items() if body.run != run}

    def put_snapshot(self, snapshot: Snapshot) -> None:
        """See `ports.log.Log`."""
        head = self._readable(snapshot.log_id)
        if not 0 <= snapshot.size <= head.size or (
            root(self._leaves(snapshot.log_id, snapshot.size)).hex() != snapshot.root
        ):
            raise faults.snapshot_mismatch(snapshot.log_id)
        self._sync(_Draft(snapshots={snapshot.log_id: snapshot}))

    def drop_snapshot(self, log_id: str) -> None:
        """See `ports.log.Log`."""
        self._alive()
        self._sync(_Draft(snapshots={log_id: None}))

    def put_body(self, tag: str, data: bytes, retention: Retention, run: str) -> Digest:
        """See `ports.log.Bodies`."""
        self._alive()
        body = Body.seal(tag, self._random(SALT_BYTES), data, retention, run)
        self._staged[body.commitment] = body
        return body.commitment

    def get_body(self, commitment: str) -> bytes:
        """See `ports.log.Bodies`."""
        return self.open_body(commitment).data

    def open_body(self, commitment: str) -> Body:
        """See `ports.log.Bodies`."""
        self._alive()
        if commitment in self._staged:
            return self._staged[commitment]
        if commitment not in self.disk.bodies:
            raise faults.unknown_body(commitment)
        body = self.disk.bodies[commitment]
        if body is None:
            raise faults.body_deleted(commitment)
        return body

    def delete_body(self, commitment: str) -> None:
        """See `ports.log.Bodies`."""
        body = self.open_body(commitment)
        run = self.disk.heads.get(body.run)
        rules.check_deletable(commitment, body.retention, run.state if run else None, body.run)
        self._sync(_Draft(bodies={commitment: None}))
        self._staged.pop(commitment, None)

    def _alive(self) -> None:
        if self._dead:
            raise SimulatedCrash("the process that held this ledger has died")

    def _readable(self, log_id: str) -> Head:
        head = self.head(log_id)
        if head.state == "dropped":
            raise faults.dropped_log(log_id)
        return head

    def _leaves(self, log_id: str, size: int | None) -> list[bytes]:
        head = self._readable(log_id)
        stop = rules.check_position(head, head.size if size is None else size)
        return [leaf_hash(entry) for entry in self.disk.entries[log_id][:stop]]

    def _append(self, draft: _Draft, append: Append) -> Head:
        log_id = append.log_id
        found = draft.heads.get(log_id) or self.disk.heads.get(log_id)
        rules.admit(append, found, self.epoch(WRITERS[append.kind]))
        head = found or rules.new_head(append)
        frontier = draft.frontiers.get(log_id)
        if frontier is None:
            frontier = self.disk.frontiers.get(log_id, Frontier()).copy()
        for entry in append.entries:
            frontier.append(leaf_hash(entry))
        draft.frontiers[log_id] = frontier
        # A copy of its exact size: what orjson returns keeps the 4 KB buffer it was written into.
        copies = [bytes(memoryview(entry)) for entry in append.entries]
        draft.added.setdefault(log_id, []).extend(copies)
        draft.heads[log_id] = replace(
            head,
            epoch=append.epoch,
            size=frontier.size,
            root=Digest(frontier.root().hex()),
            state=rules.state_after(append, head.state),
        )
        return draft.heads[log_id]

    def _sync(self, draft: _Draft) -> None:
        """Make the draft durable, or fail as armed."""
        self._alive()
        fault = self._fault if self._countdown == 0 else None
        self._countdown = max(0, self._countdown - 1)
        if fault is None:
            draft.apply(self.disk)
            return
        self._fault = None
        if fault == "write_error":
            raise StorageError(
                "ledger.write_failed",
                "the ledger could not be written: simulated fault",
                hint="free disk space or repair the disk, then resume",
            )
        if fault == "crash_after_sync":
            draft.apply(self.disk)
        self._dead = True
        raise SimulatedCrash(fault)
