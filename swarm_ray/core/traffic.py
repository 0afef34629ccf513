"""The attempts of one swarm from the wish to the landing: wanted, out at a host, withdrawn.

Decides which attempts are wanted within window, queue depth and budget, and what the shell must be
doing for those that are out. What a result means for its item is decided by `core.swarm`. An
attempt is kept under its item; copies that run beside it are kept a whole number of times the
number of items further up.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from swarm_ray.core.backlog import Backlog
from swarm_ray.core.commands import Command, Send, Want
from swarm_ray.core.events import Dispatched, SwarmOpened
from swarm_ray.core.flights import Flight, Usage, by_batch, withdrawals
from swarm_ray.core.limits import work_until
from swarm_ray.core.panel import Panel, panel_of
from swarm_ray.core.plan import FanOut
from swarm_ray.core.purse import Purse
from swarm_ray.core.tables import ItemState
from swarm_ray.core.window import Window

WANT_ROWS = 64
QUEUE_DEPTH = 3
WIDEST = 24
"""Copies of one item that may be out at once, beside those of earlier rounds that are withdrawn."""


@dataclass(slots=True)
class Traffic:
    """What one swarm wants and has out. `panel` judges the copies of redundant items."""

    opened: SwarmOpened
    spec: FanOut
    purse: Purse
    opened_us: int
    deadline_us: int = 0
    usage: Usage = field(default_factory=Usage)
    window: Window = field(init=False)
    backlog: Backlog = field(init=False)
    panel: Panel | None = field(init=False)
    flights: dict[int, Flight] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    lanes: dict[str, int] = field(default_factory=dict)
    wanted: dict[int, int] = field(default_factory=dict)
    cancelling: dict[int, None] = field(default_factory=dict)
    last_batch: int = 0

    def __post_init__(self) -> None:
        self.window = Window(self.spec.concurrency, self.spec.adaptive)
        self.backlog = Backlog(self.opened.items)
        self.panel = panel_of(self.spec.redundancy, self.opened)

    @property
    def id(self) -> str:
        """Correlation id of the swarm."""
        return self.opened.swarm

    @property
    def attempts(self) -> "array[int]":
        """Number of attempts of every item."""
        return self.backlog.attempts

    @property
    def slice(self) -> tuple[int, int]:
        """Tokens and micro-USD that one attempt reserves."""
        return self.opened.slice_tokens, self.opened.slice_microusd

    @property
    def work_until_us(self) -> int:
        """Log time at which work must end so that convergence still fits; 0 for never."""
        reserve_ppm = self.spec.convergence.reserve_ppm
        return work_until(self.opened_us, self.deadline_us, reserve_ppm)

    def barred(self, item: int) -> list[str]:
        """Return the trust domains in which no further copy of an item may run."""
        if self.panel is None:
            return []
        out = [self.flights[key].domain for key in self.out(item)]
        return self.panel.barred(item) + out

    # -- keys -------------------------------------------------------------------------------

    def item_of(self, key: int) -> int:
        """Return the item of an attempt that is wanted or out."""
        return key % self.opened.items

    def keys(self, item: int) -> Sequence[int]:
        """Return the keys under which attempts at an item can be."""
        if self.panel is None:
            return (item,)
        if item not in self.backlog:
            return ()
        count = self.opened.items
        return range(item, item + count * WIDEST, count)

    def out(self, item: int) -> list[int]:
        """Return the keys of the attempts at an item that hosts hold."""
        return [key for key in self.keys(item) if key in self.flights]

    def find(self, item: int, attempt: int) -> int:
        """Return the key of an attempt that is out; -1 when it is not."""
        if self.panel is None:
            flight = self.flights.get(item)
            return item if flight is not None and flight.attempt == attempt else -1
        for key in self.keys(item):
            flight = self.flights.get(key)
            if flight is not None and flight.attempt == attempt:
                return key
        return -1

    # -- wanted -----------------------------------------------------------------------------

    def wants(self) -> list[Command]:
        """Want as many attempts as window, queue depth and budget allow, a window at a time:
        many small batches would cost an entry and a signature each."""
        wants: list[Command] = []
        out = len(self.flights) + len(self.wanted)
        room = self.window.limit * (1 + QUEUE_DEPTH) - out
        while room >= min(self.window.limit, WANT_ROWS) or (room > 0 and not out):
            batch = self._take(min(room, WANT_ROWS))
            if not batch:
                break
            room -= len(batch)
            wants.append(self._want(batch))
        return wants

    def _want(self, keys: Sequence[int]) -> Want:
        count = self.opened.items
        items = tuple([key % count for key in keys])
        return Want(self.id, self.window.limit, items, tuple([self.wanted[key] for key in keys]))

    def _take(self, count: int) -> list[int]:
        batch: list[int] = []
        backlog, attempts, slice_ = self.backlog, self.attempts, self.slice
        while len(batch) < count and backlog.waiting:
            if not self.purse.reserve(*slice_):
                break
            item = backlog.next()
            if item < 0:
                self.purse.settle(slice_, (0, 0))
                break
            backlog.move(item, "want")
            if self.panel is None:
                self.wanted[item] = attempts[item] + 1
                batch.append(item)
            else:
                batch += self._take_copies(item, self.panel.copies(item))
        return batch

    def _take_copies(self, item: int, count: int) -> list[int]:
        """Want so many copies of an item, of which the first has its slice already."""
        taken: list[int] = []
        for key in self.keys(item):
            if key in self.flights:
                continue  # a copy of an earlier round that is being withdrawn
            if len(taken) == count or (taken and not self.purse.reserve(*self.slice)):
                break
            taken.append(key)
            self.wanted[key] = self.attempts[item] + len(taken)
        return taken

    def unwant(self, item: int) -> None:
        """Give up the attempts at an item that no host has yet."""
        for key in self.keys(item):
            if self.wanted.pop(key, 0):
                self.purse.settle(self.slice, (0, 0))

    # -- out --------------------------------------------------------------------------------

    def dispatched(self, event: Dispatched) -> list[Command]:
        """A host was found and the batch is durable: send it."""
        self.last_batch = max(self.last_batch, event.batch)
        sent: list[tuple[int, int]] = []
        backlog, wanted, single = self.backlog, self.wanted, self.panel is None
        attempts, states = backlog.attempts, backlog.states
        for item, attempt in zip(event.items, event.attempts, strict=True):
            key = item if single else self._wanted(item, attempt)
            if wanted.get(key) != attempt:
                continue
            del wanted[key]
            if single or states[item] == ItemState.WANTED:
                backlog.move(item, "dispatch")
            if attempt > attempts[item]:
                attempts[item] = attempt
            self.flights[key] = Flight(attempt, event.host, event.batch, event.domain)
            sent.append((item, attempt))
        if not sent:
            return []
        self.held[event.host] = self.held.get(event.host, 0) + len(sent)
        self.lanes[event.host] = event.lanes
        return [self._send(event.batch, event.host, sent)]

    def awaits(self, item: int, attempt: int) -> bool:
        """Say whether an attempt is still wanted and no host has it."""
        return self._wanted(item, attempt) >= 0

    def _wanted(self, item: int, attempt: int) -> int:
        if self.panel is None:
            return item if self.wanted.get(item) == attempt else -1
        return next((key for key in self.keys(item) if self.wanted.get(key) == attempt), -1)

    def _send(self, batch: int, host: str, sent: list[tuple[int, int]]) -> Send:
        return Send(
            self.id,
            batch,
            host,
            self.lanes[host],
            tuple(item for item, _ in sent),
            tuple(attempt for _, attempt in sent),
            self.work_until_us,
            self.spec.item_deadline_us,
        )

    def land(self, key: int) -> Flight:
        """An attempt is not out any more."""
        flight = self.flights.pop(key)
        self.held[flight.host] -= 1
        if not self.held[flight.host]:
            del self.held[flight.host], self.lanes[flight.host]
        return flight

    def withdraw(self, keys: Iterable[int]) -> list[Command]:
        """Ask for attempts back, one command per host."""
        return withdrawals(self.id, self.opened.items, self.flights, keys)

    def unneeded(self) -> list[int]:
        """Return the keys of attempts that are out though their item is settled or given up."""
        if self.panel is None:
            return list(self.cancelling)
        items = {key: self.item_of(key) for key in self.flights}
        settled = self.backlog.settled
        return [key for key, item in items.items() if settled(item) or item in self.cancelling]

    def in_hand(self) -> list[Command]:
        """Derive anew what is to be sent and wanted, after a restart."""
        commands: list[Command] = [
            self._send(batch, host, sent)
            for (batch, host), sent in by_batch(self.opened.items, self.flights).items()
        ]
        wanted = sorted(self.wanted, key=lambda key: (self.item_of(key), key))
        return commands + [
            self._want(wanted[start : start + WANT_ROWS])
            for start in range(0, len(wanted), WANT_ROWS)
        ]
