"""A host as a machine: what it runs next, what it still owes the coordinator, when it must die.

Decides order, lanes, duplicates, epochs, acknowledgement and lease expiry. It spawns nothing
and sends nothing: its shell performs `Start` and `Kill` and carries `Outcome`s away.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from swarm_ray.core.events import Row
from swarm_ray.errors import Busy, IntegrityError
from swarm_ray.values.codec import MAX_ENTRY_BYTES, encode
from swarm_ray.values.records import to_record

OUTCOME_ROWS = 64
OUTCOME_BYTES = MAX_ENTRY_BYTES - 2_048
"""Rows of one entry together; the rest is for all that stands around them."""
JUDGED_BYTES = 100
"""What the coordinator may add to a row: `alike`, `rule` and the commitment of a reason."""
REMEMBERED = 100_000

Key = tuple[str, str, int, int]
Work = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Order:
    """One batch of attempts to do."""

    run: str
    swarm: str
    batch: int
    epoch: int
    lanes: int
    items: tuple[int, ...]
    attempts: tuple[int, ...]

    def keys(self) -> Iterable[Key]:
        """Identify each attempt of the batch across all runs."""
        for item, attempt in zip(self.items, self.attempts, strict=True):
            yield (self.run, self.swarm, item, attempt)


@dataclass(frozen=True, slots=True)
class Start:
    """Take a child and run this attempt."""

    key: Key
    batch: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End the child of this attempt."""

    key: Key


@dataclass(frozen=True, slots=True)
class Outcome:
    """Finished attempts of one batch, kept until `sequence` is acknowledged."""

    sequence: int
    run: str
    swarm: str
    batch: int
    rows: tuple[Row, ...]


@dataclass(slots=True)
class Host:
    """State of one host; all times are its own monotonic microseconds.

    `lanes` holds (batch, lanes) of the newest batch per swarm; `seen` are attempts that ended,
    `barred` those that were withdrawn before they arrived, the last `remembered` of each.
    """

    slots: int
    credit: int
    lease_us: int
    epoch: int = 0
    lease_until_us: int = 0
    queues: dict[Work, dict[Key, int]] = field(default_factory=dict)
    lanes: dict[Work, tuple[int, int]] = field(default_factory=dict)
    running: dict[Key, int] = field(default_factory=dict)
    busy: dict[Work, int] = field(default_factory=dict)
    queued: int = 0
    done: dict[tuple[str, str, int], list[Row]] = field(default_factory=dict)
    unacknowledged: dict[int, Outcome] = field(default_factory=dict)
    seen: dict[Key, None] = field(default_factory=dict)
    barred: dict[Key, None] = field(default_factory=dict)
    sequence: int = 0
    turn: int = 0
    remembered: int = REMEMBERED

    def lead(self, epoch: int, now_us: int) -> None:
        """A coordinator speaks: refuse an older one, renew the lease.

        Raises:
            IntegrityError: `host.stale_epoch`.
        """
        if epoch < self.epoch:
            raise IntegrityError(
                "host.stale_epoch",
                f"epoch {epoch} is over, this host serves epoch {self.epoch}",
                hint="another coordinator took over; stop this one",
            )
        self.epoch = epoch
        self.lease_until_us = now_us + self.lease_us

    def accept(self, order: Order) -> list[Start]:
        """Queue a batch; attempts that are known already are not queued again.

        The lanes of the newest batch hold, in whatever order batches arrive. An attempt that was
        withdrawn before it arrived ends as cancelled at once.

        Raises:
            Busy: `host.busy` when the credit is used up; nothing of the batch was taken.
        """
        work = (order.run, order.swarm)
        fresh = [key for key in order.keys() if not self._knows(work, key)]  # noqa: SIM118  # a method
        barred = [key for key in fresh if key in self.barred]
        if self.queued + len(fresh) - len(barred) > self.credit:
            raise Busy("host.busy", f"{self.queued} attempts wait here already")
        if fresh:
            self._widen(work, order.batch, order.lanes)
        for key in fresh:
            if key in self.barred:
                self._cancel(key, order.batch)
            else:
                self.queues.setdefault(work, {})[key] = order.batch
                self.queued += 1
        self._tidy(work)
        return self.start()

    def start(self) -> list[Start]:
        """Fill free slots, one swarm after the other, none above its lanes."""
        begun: list[Start] = []
        idle = 0
        while (works := list(self.queues)) and idle < len(works) and len(self.running) < self.slots:
            work = works[self.turn % len(works)]
            self.turn += 1
            if self.busy.get(work, 0) >= self.lanes[work][1]:
                idle += 1
                continue
            idle = 0
            key = next(iter(self.queues[work]))
            self.running[key] = self._unqueue(work, key)
            self.busy[work] = self.busy.get(work, 0) + 1
            begun.append(Start(key, self.running[key]))
        return begun

    def finished(self, key: Key, row: Row) -> list[Start]:
        """An attempt ended: owe its row, start the next."""
        batch = self.running.pop(key, None)
        if batch is None:
            return []
        work = key[0], key[1]
        self.busy[work] -= 1
        self._owe(key, batch, row)
        self._tidy(work)
        return self.start()

    def amend(self, key: Key, batch: int, cpu_us: int) -> None:
        """The kernel has told what an attempt's process used: correct its row, if nobody has
        collected it yet.
        """
        rows = self.done.get((key[0], key[1], batch), [])
        for at, row in enumerate(rows):
            if (row.item, row.attempt) == key[2:]:
                rows[at] = replace(row, cpu_us=cpu_us)

    def withdraw(self, keys: Iterable[Key]) -> list[Kill]:
        """Stop attempts: queued ones end as cancelled at once, running ones are killed, and
        those that have not arrived yet will not begin.
        """
        kills: list[Kill] = []
        for key in keys:
            work = key[0], key[1]
            if key in self.running:
                kills.append(Kill(key))
            elif key in self.queues.get(work, ()):
                self._cancel(key, self._unqueue(work, key))
                self._tidy(work)
            elif key not in self.seen:
                self._remember(self.barred, key)
        return kills

    def knows(self, key: Key) -> bool:
        """Say whether an attempt was taken before: it waits, runs, or has ended."""
        return self._knows((key[0], key[1]), key)

    def _knows(self, work: Work, key: Key) -> bool:
        return key in self.seen or key in self.running or key in self.queues.get(work, ())

    def _widen(self, work: Work, batch: int, lanes: int) -> None:
        self.lanes[work] = max(self.lanes.get(work, (0, 0)), (batch, lanes))

    def _unqueue(self, work: Work, key: Key) -> int:
        self.queued -= 1
        batch = self.queues[work].pop(key)
        if not self.queues[work]:
            del self.queues[work]
        return batch

    def _cancel(self, key: Key, batch: int) -> None:
        self._owe(key, batch, Row(key[2], key[3], "cancelled", code="attempt.withdrawn"))

    def _owe(self, key: Key, batch: int, row: Row) -> None:
        self._remember(self.seen, key)
        self.barred.pop(key, None)
        self.done.setdefault((key[0], key[1], batch), []).append(row)

    def _remember(self, known: dict[Key, None], key: Key) -> None:
        known[key] = None
        if len(known) > self.remembered:
            del known[next(iter(known))]

    def _tidy(self, work: Work) -> None:
        if work not in self.queues and not self.busy.get(work):
            self.busy.pop(work, None)
            self.lanes.pop(work, None)

    def collect(self) -> list[Outcome]:
        """Number the rows that are not out yet and return them as outcomes that fit an entry."""
        fresh: list[Outcome] = []
        for (run, swarm, batch), rows in self.done.items():
            for part in _parts(rows):
                self.sequence += 1
                fresh.append(Outcome(self.sequence, run, swarm, batch, part))
        self.done.clear()
        self.unacknowledged.update((outcome.sequence, outcome) for outcome in fresh)
        return fresh

    def acknowledge(self, sequences: Iterable[int]) -> None:
        """Forget outcomes that are durable at the coordinator."""
        for sequence in sequences:
            self.unacknowledged.pop(sequence, None)

    def owed(self) -> list[Outcome]:
        """Everything a new epoch must collect first."""
        self.collect()
        return [self.unacknowledged[key] for key in sorted(self.unacknowledged)]

    def expired(self, now_us: int) -> bool:
        """Say whether the lease ran out: kill everything and exit."""
        return bool(self.lease_until_us) and now_us > self.lease_until_us


def _parts(rows: Sequence[Row]) -> Iterator[tuple[Row, ...]]:
    """Yield rows as they stand in entries: at most 64 together, and fewer where a worker made them
    long, for it chooses label and model."""
    part: list[Row] = []
    left = OUTCOME_BYTES
    for row in rows:
        size = _room(row)
        if part and (len(part) == OUTCOME_ROWS or size > left):
            yield tuple(part)
            part, left = [], OUTCOME_BYTES
        part.append(row)
        left -= size
    if part:
        yield tuple(part)


def fit_entry(rows: Sequence[Row]) -> bool:
    """Say whether rows can be one outcome: an entry has room for them, whatever is added to them.
    A single one always fits."""
    return len(rows) <= OUTCOME_ROWS and (len(rows) == 1 or sum(map(_room, rows)) <= OUTCOME_BYTES)


def _room(row: Row) -> int:
    return len(encode(to_record(row))) + JUDGED_BYTES
