"""A host as a machine: what it runs next, what it still owes the coordinator, when it must die.

Decides order, lanes, duplicates, epochs, acknowledgement and lease expiry. It spawns nothing
and sends nothing: its shell performs `Start` and `Kill` and carries `Outcome`s away.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from swarm_ray.core.events import Row
from swarm_ray.errors import Busy, IntegrityError

OUTCOME_ROWS = 64
REMEMBERED = 100_000

Key = tuple[str, str, int, int]


@dataclass(frozen=True, slots=True)
class Order:
    """One batch of attempts to do. `payload` is opaque to the machine (envelope, inputs)."""

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
    """State of one host; all times are its own monotonic microseconds."""

    slots: int
    credit: int
    lease_us: int
    epoch: int = 0
    lease_until_us: int = 0
    queues: dict[tuple[str, str], deque[tuple[Key, int]]] = field(default_factory=dict)
    lanes: dict[tuple[str, str], int] = field(default_factory=dict)
    running: dict[Key, int] = field(default_factory=dict)
    busy: dict[tuple[str, str], int] = field(default_factory=dict)
    queued: int = 0
    done: dict[tuple[str, str, int], list[Row]] = field(default_factory=dict)
    unacknowledged: dict[int, Outcome] = field(default_factory=dict)
    seen: dict[Key, None] = field(default_factory=dict)
    sequence: int = 0
    turn: int = 0

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

        Raises:
            Busy: `host.busy` when the credit is used up; nothing of the batch was taken.
        """
        fresh = [key for key in order.keys() if key not in self.seen]
        if self.queued + len(fresh) > self.credit:
            raise Busy("host.busy", f"{self.queued} attempts wait here already")
        swarm = (order.run, order.swarm)
        queue = self.queues.setdefault(swarm, deque())
        self.lanes[swarm] = order.lanes
        for key in fresh:
            self.seen[key] = None
            queue.append((key, order.batch))
        self.queued += len(fresh)
        while len(self.seen) > REMEMBERED:
            del self.seen[next(iter(self.seen))]
        return self.start()

    def start(self) -> list[Start]:
        """Fill free slots, one swarm after the other, none above its lanes."""
        begun: list[Start] = []
        swarms = list(self.queues)
        idle = 0
        while swarms and idle < len(swarms) and len(self.running) < self.slots:
            swarm = swarms[self.turn % len(swarms)]
            self.turn += 1
            queue = self.queues[swarm]
            if not queue or self.busy.get(swarm, 0) >= self.lanes[swarm]:
                idle += 1
                continue
            idle = 0
            key, batch = queue.popleft()
            self.queued -= 1
            self.running[key] = batch
            self.busy[swarm] = self.busy.get(swarm, 0) + 1
            begun.append(Start(key, batch))
        return begun

    def finished(self, key: Key, row: Row) -> list[Start]:
        """An attempt ended: owe its row, start the next."""
        batch = self.running.pop(key, None)
        if batch is None:
            return []
        swarm = key[0], key[1]
        self.busy[swarm] -= 1
        self.done.setdefault((key[0], key[1], batch), []).append(row)
        if not self.busy[swarm] and not self.queues[swarm]:
            del self.busy[swarm], self.queues[swarm], self.lanes[swarm]
        return self.start()

    def withdraw(self, keys: Iterable[Key]) -> list[Kill]:
        """Stop attempts: queued ones end as cancelled at once, running ones are killed."""
        kills: list[Kill] = []
        for key in keys:
            if key in self.running:
                kills.append(Kill(key))
                continue
            queue = self.queues.get((key[0], key[1]), deque())
            for waiting, batch in list(queue):
                if waiting == key:
                    queue.remove((waiting, batch))
                    self.queued -= 1
                    row = Row(key[2], key[3], "cancelled", code="attempt.withdrawn")
                    self.done.setdefault((key[0], key[1], batch), []).append(row)
        return kills

    def collect(self) -> list[Outcome]:
        """Number the rows that are not out yet and return them as outcomes of <= 64 rows."""
        fresh: list[Outcome] = []
        for (run, swarm, batch), rows in self.done.items():
            for start in range(0, len(rows), OUTCOME_ROWS):
                self.sequence += 1
                part = tuple(rows[start : start + OUTCOME_ROWS])
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
