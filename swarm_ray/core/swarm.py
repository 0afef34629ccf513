"""One swarm: a fixed input set, worked off under limits until it can converge or must abort.

Decides which attempts are wanted, what a result means for its item, when the swarm is finished
and with which verdict. It knows hosts only by name, bodies only by commitment, and time only
from the entries it is given. A step without fan-out is a swarm of one.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from swarm_ray.core.backlog import Backlog
from swarm_ray.core.commands import Command, Send, SetTimer, Want
from swarm_ray.core.events import Dispatched, Row, Settled, SwarmOpened
from swarm_ray.core.flights import Flight, Usage, by_batch, withdrawals
from swarm_ray.core.limits import enough, work_until
from swarm_ray.core.plan import FanOut
from swarm_ray.core.purse import Purse
from swarm_ray.core.retry import judge, pause_us
from swarm_ray.core.tables import SWARM, SwarmState, advance
from swarm_ray.core.window import Window

WANT_ROWS = 64
QUEUE_DEPTH = 3
DRAIN_GRACE_US = 5_000_000


@dataclass(slots=True)
class Swarm:
    """State of one swarm."""

    opened: SwarmOpened
    spec: FanOut
    purse: Purse
    opened_us: int
    deadline_us: int = 0
    state: SwarmState = SwarmState.PLACING
    ending: str = ""
    code: str = ""
    usage: Usage = field(default_factory=Usage)
    window: Window = field(init=False)
    backlog: Backlog = field(init=False)
    flights: dict[int, Flight] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    lanes: dict[str, int] = field(default_factory=dict)
    wanted: dict[int, int] = field(default_factory=dict)
    failures: dict[int, tuple[str, int]] = field(default_factory=dict)
    outputs: dict[int, str] = field(default_factory=dict)
    labels: dict[int, tuple[str, int]] = field(default_factory=dict)
    reviews: set[int] = field(default_factory=set)
    review_changes: list[int] = field(default_factory=list)
    cancelling: dict[int, None] = field(default_factory=dict)
    last_batch: int = 0
    drained_us: int = 0

    def __post_init__(self) -> None:
        self.window = Window(self.spec.concurrency, self.spec.adaptive)
        self.backlog = Backlog(self.opened.items)

    # -- what the run asks ------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Correlation id of the swarm."""
        return self.opened.swarm

    @property
    def items(self) -> bytearray:
        """State of every item, a byte each."""
        return self.backlog.states

    @property
    def attempts(self) -> "array[int]":
        """Number of attempts of every item."""
        return self.backlog.attempts

    @property
    def succeeded(self) -> int:
        """Number of items with an accepted result."""
        return len(self.outputs)

    @property
    def finished(self) -> bool:
        """True when no item is open and no attempt is out."""
        return self.backlog.open == 0 and not self.flights

    @property
    def stalled(self) -> bool:
        """True when nothing but a person can move an item."""
        busy = self.flights or self.wanted or self.backlog.pauses
        return bool(self.reviews) and not busy

    @property
    def work_until_us(self) -> int:
        """Log time at which work must end so that convergence still fits; 0 for never."""
        reserve_ppm = self.spec.convergence.reserve_ppm
        return work_until(self.opened_us, self.deadline_us, reserve_ppm)

    @property
    def slice(self) -> tuple[int, int]:
        """Tokens and micro-USD that one attempt reserves."""
        return self.opened.slice_tokens, self.opened.slice_microusd

    def accepted(self) -> tuple[int, ...]:
        """Ordinals with an accepted result, in input order."""
        return tuple(sorted(self.outputs))

    def enough(self) -> bool:
        """Say whether the results suffice for convergence."""
        return enough(self.spec.convergence, self.succeeded, self.opened.items)

    def shortfall(self) -> str:
        """Say with a code why the results do not suffice; a swarm of one fails as its item did."""
        alone = self.opened.kind != "fan_out" and 0 in self.failures
        return self.code or (self.failures[0][0] if alone else "") or "swarm.min_success"

    # -- work -------------------------------------------------------------------------------

    def place(self, now_us: int) -> list[Command]:
        """Placement is known: start working."""
        self.state = advance(SWARM, self.state, "place")
        return [*self._timers(), *self.fill(now_us)]

    def fill(self, now_us: int) -> list[Command]:
        """Want as many attempts as window, queue depth and budget allow, a window at a time:
        many small batches would cost an entry and a signature each."""
        if self.state is not SwarmState.WORKING:
            return []
        wants: list[Command] = []
        out = len(self.flights) + len(self.wanted)
        room = self.window.limit * (1 + QUEUE_DEPTH) - out
        while room >= min(self.window.limit, WANT_ROWS) or (room > 0 and not out):
            batch = self._take(min(room, WANT_ROWS))
            if not batch:
                break
            room -= len(batch)
            attempts = tuple(self.wanted[item] for item in batch)
            wants.append(Want(self.id, self.window.limit, tuple(batch), attempts))
        if self._starved():
            return self.drain("budget", "budget.exhausted", now_us)
        return wants

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
            self.wanted[item] = attempts[item] + 1
            batch.append(item)
        return batch

    def _starved(self) -> bool:
        busy = self.flights or self.wanted or self.backlog.pauses
        return self.backlog.waiting and not busy and self.backlog.open > len(self.reviews)

    def dispatched(self, event: Dispatched) -> list[Command]:
        """A host was found and the batch is durable: send it."""
        self.last_batch = max(self.last_batch, event.batch)
        sent: list[tuple[int, int]] = []
        attempts = self.attempts
        for item, attempt in zip(event.items, event.attempts, strict=True):
            if self.wanted.get(item) != attempt:
                continue
            del self.wanted[item]
            self.backlog.move(item, "dispatch")
            attempts[item] = attempt
            self.flights[item] = Flight(attempt, event.host, event.batch)
            sent.append((item, attempt))
        if not sent:
            return []
        self.held[event.host] = self.held.get(event.host, 0) + len(sent)
        self.lanes[event.host] = event.lanes
        return [self._send(event.batch, event.host, sent)]

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

    def settled(self, event: Settled, now_us: int) -> list[Command]:
        """Results arrived; rows of attempts that are not out are stale and change nothing."""
        for row in event.rows:
            flight = self.flights.get(row.item)
            if flight is not None and flight.attempt == row.attempt:
                self._settle(row, now_us)
        return self.after(now_us)

    def after(self, now_us: int) -> list[Command]:
        """What follows when something ended: abort, quorum, more work, timers."""
        if self.state is not SwarmState.WORKING:
            return []
        if self.ending:
            return self.drain(self.ending, self.code, now_us)
        quorum = self.spec.convergence.quorum
        if quorum and self.succeeded >= quorum and not self.finished:
            return self.drain("quorum", "", now_us)
        commands = self.fill(now_us)
        alarm_us = self.backlog.alarm()
        if alarm_us:
            commands.append(SetTimer(f"{self.id}:backoff", alarm_us))
        return commands

    def _settle(self, row: Row, now_us: int) -> None:
        self._land(self.flights.pop(row.item).host)
        used = self.slice if row.status == "lost" else (row.tokens, row.microusd)
        self.purse.settle(self.slice, used)
        self.usage.add(row)
        unwanted = self.state is SwarmState.DRAINING or row.item in self.cancelling
        self.cancelling.pop(row.item, None)
        if row.status == "ok":
            self._accept(row)
        elif row.status == "cancelled" or unwanted:
            self.backlog.close(row.item, "cancel")
        else:
            self._failed(row, now_us)

    def _land(self, host: str) -> None:
        self.held[host] -= 1
        if not self.held[host]:
            del self.held[host], self.lanes[host]

    def _accept(self, row: Row) -> None:
        self.window.success()
        self.failures.pop(row.item, None)
        self.outputs[row.item] = row.output
        if row.label:
            self.labels[row.item] = (row.label, row.confidence_ppm)
        self.backlog.close(row.item, "accept")

    def _failed(self, row: Row, now_us: int) -> None:
        if row.status == "rate_limited":
            self.window.rate_limited(now_us)
        code, count = self.failures.get(row.item, ("", 0))
        count = count + 1 if code == row.code else 1
        self.failures[row.item] = (row.code, count)
        tried = self.backlog.tried(row.item, row.attempt)
        match judge(row.status, self.spec.retry, tried, count):
            case "again":
                pause = pause_us(row, self.spec.retry, tried, self.id)
                self.backlog.pause(row.item, now_us + pause)
            case "give_up":
                self._give_up(row)
            case "abort":
                self.backlog.close(row.item, "fail")
                self.ending, self.code = "abort", row.code or "swarm.structural"

    def _give_up(self, row: Row) -> None:
        match self.spec.convergence.failure_action:
            case "retry":
                self.backlog.close(row.item, "fail")
            case "skip":
                self.backlog.close(row.item, "skip")
            case "abort":
                self.backlog.close(row.item, "fail")
                self.ending, self.code = "abort", row.code or "swarm.item_failed"
            case "review":
                self.backlog.move(row.item, "review")
                self.reviews.add(row.item)
                self.review_changes.append(row.item)

    # -- time, loss, people -----------------------------------------------------------------

    def timer(self, what: str, now_us: int) -> list[Command]:
        """A timer of this swarm came due: `backoff`, `deadline` or `drained`.

        A timer that was set before its time was put off is set anew.
        """
        if what == "backoff":
            self.backlog.wake(now_us)
            return self.after(now_us)
        if what == "deadline" and self.state is SwarmState.WORKING:
            if now_us < self.work_until_us:
                return self._timers()
            return self.drain("deadline", "swarm.deadline", now_us)
        if what == "drained" and self.state is SwarmState.DRAINING and now_us >= self.drained_us:
            self._lose(list(self.flights), "host.silent", now_us)
        return []

    def host_lost(self, host: str, now_us: int) -> list[Command]:
        """A host is gone: its attempts are lost and charged their whole slice."""
        if host not in self.held:
            return []
        lost = [item for item, flight in self.flights.items() if flight.host == host]
        self._lose(lost, "host.lost", now_us)
        return self.after(now_us)

    def _lose(self, items: Iterable[int], code: str, now_us: int) -> None:
        tokens, microusd = self.slice
        for item in items:
            attempt = self.flights[item].attempt
            row = Row(item, attempt, "lost", code=code, tokens=tokens, microusd=microusd)
            self._settle(row, now_us)

    def cancel_item(self, item: int, now_us: int) -> list[Command]:
        """Somebody cancels one item; a running attempt is withdrawn and is its last."""
        if item not in self.backlog or self.backlog.settled(item):
            return []
        if item in self.flights:
            self.cancelling[item] = None
            return withdrawals(self.id, self.flights, [item])
        self._forget(item)
        return self.after(now_us)

    def reviewed(self, item: int, choice: str, now_us: int) -> list[Command]:
        """A person decided about a failed item: try it again, skip it, or abort the swarm."""
        if item not in self.reviews:
            return []
        self.reviews.discard(item)
        if choice == "retry":
            self.failures.pop(item, None)
            self.backlog.again(item)
            return self.after(now_us)
        self.backlog.close(item, "skip")
        return self.drain("abort", "swarm.review", now_us) if choice == "abort" else []

    # -- ending -----------------------------------------------------------------------------

    def drain(self, ending: str, code: str, now_us: int) -> list[Command]:
        """Stop: nothing new starts, what runs is withdrawn and may still end well."""
        if self.state is not SwarmState.WORKING:
            return []
        self.state = advance(SWARM, self.state, "drain")
        self.ending, self.code, self.drained_us = ending, code, now_us + DRAIN_GRACE_US
        for item in self.backlog.unsettled():
            if item not in self.flights:
                self._forget(item)
        return self._withdraw_all() if self.flights else []

    def _withdraw_all(self) -> list[Command]:
        return [
            *withdrawals(self.id, self.flights, self.flights),
            SetTimer(f"{self.id}:drained", self.drained_us),
        ]

    def converge(self, trigger: str = "converge") -> None:
        """The results suffice, or a person or clause goes on with what there is."""
        self.state = advance(SWARM, self.state, trigger)

    def merged(self) -> None:
        """Convergence is done."""
        self.state = advance(SWARM, self.state, "converged")

    def abort(self, code: str) -> None:
        """The swarm failed; its results stay for the error clauses and for `resume`."""
        self.state = advance(SWARM, self.state, "abort")
        self.code = code

    def again(self, concurrency: int, now_us: int, deadline_us: int) -> list[Command]:
        """Work once more on what has no result, at most `concurrency` at once."""
        self.state = advance(SWARM, self.state, "again")
        self.ending = self.code = ""
        self.opened_us, self.deadline_us = now_us, deadline_us
        self.window = Window(concurrency, self.spec.adaptive)
        self.failures.clear()
        self.backlog.reopen()
        return [*self._timers(), *self.fill(now_us)]

    def outstanding(self) -> list[Command]:
        """Derive anew what the shell must be doing for this swarm after a restart."""
        commands: list[Command] = []
        if self.state is SwarmState.WORKING:
            commands += self._timers()
        for (batch, host), sent in by_batch(self.flights).items():
            commands.append(self._send(batch, host, sent))
        wanted = sorted(self.wanted.items())
        for start in range(0, len(wanted), WANT_ROWS):
            items, attempts = zip(*wanted[start : start + WANT_ROWS], strict=True)
            commands.append(Want(self.id, self.window.limit, items, attempts))
        if self.backlog.alarm_us:
            commands.append(SetTimer(f"{self.id}:backoff", self.backlog.alarm_us))
        if self.state is SwarmState.DRAINING:
            return commands + self._withdraw_all()
        return commands + withdrawals(self.id, self.flights, self.cancelling)

    # -- small moves ------------------------------------------------------------------------

    def _timers(self) -> list[Command]:
        until = self.work_until_us
        return [SetTimer(f"{self.id}:deadline", until)] if until else []

    def _forget(self, item: int) -> None:
        if self.wanted.pop(item, 0):
            self.purse.settle(self.slice, (0, 0))
        if item in self.reviews:
            self.reviews.discard(item)
            self.review_changes.append(item)
        self.backlog.close(item, "cancel")
