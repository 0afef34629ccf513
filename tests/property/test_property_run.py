"""One run under arbitrary interleavings: duplicates, late and lost rows, dead hosts, early timers,
people who cancel and resume, restarts behind any entry."""

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.core.run import Run
from swarm_ray.core.swarm import Swarm
from swarm_ray.core.tables import ItemState, RunState
from swarm_ray.core.traffic import QUEUE_DEPTH
from swarm_ray.engine.history import Thread, read_entry, replay
from swarm_ray.testing.machines import ZERO
from swarm_ray.testing.plans import SCENES, SLICE

HOSTS = ("ada", "bob", "cyd")
STATUSES = ("ok", "ok", "ok", "transient", "rate_limited", "input", "structural", "cancelled")
OPEN_STATES = {
    ItemState.WAITING,
    ItemState.WANTED,
    ItemState.RUNNING,
    ItemState.BACKOFF,
    ItemState.REVIEW,
}


class RunUnderStress(RuleBasedStateMachine):
    """The machine with a shell that does whatever Hypothesis likes."""

    @initialize(
        name=st.sampled_from(sorted(SCENES)), items=st.integers(0, 9), dear=st.integers(1, 6)
    )
    def open_run(self, name: str, items: int, dear: int) -> None:
        self.scene = SCENES[name]
        self.slice = SCENES[name].slice_tokens * dear
        self.items = items
        self.thread = Thread(Run(self.scene.plan))
        self.log: list[bytes] = []
        self.timers: dict[str, int] = {}
        self.sent: list[tuple[str, ev.Row]] = []
        self.counted: dict[tuple[str, int, int], int] = {}
        self.batch = 0
        self.tell(ev.RunOpened("run", "tenant", "process", ZERO, ZERO, ZERO))

    @property
    def run(self) -> Run:
        return self.thread.run

    @property
    def swarm(self) -> Swarm | None:
        return self.run.swarms.get(self.run.unit or self.run.main)

    def tell(self, event: ev.Event, after_us: int = 0) -> list[cmd.Command]:
        """Append the event and let the run decide, as the engine does."""
        entry = self.thread.frame(event, 1, self.thread.time_us + after_us, first=True)
        self.log.append(entry)
        self.thread.size += 1
        was_closed = self.run.state is RunState.CLOSED
        commands = self.thread.handle(read_entry(entry)[0], self.thread.time_us)
        assert not (was_closed and commands) or isinstance(event, ev.RunResumed)
        for command in commands:
            if isinstance(command, cmd.SetTimer):
                self.timers[command.key] = command.at_us
        return commands

    # -- answers ----------------------------------------------------------------------------

    @precondition(lambda self: self.run.pending is not None)
    @rule(refuse=st.integers(0, 5))
    def answer(self, refuse: int) -> None:
        match self.run.pending:
            case cmd.Prepare(step=step, round=number, kind=kind):
                if refuse == 0:
                    self.tell(ev.StepRefused(step, number, "test.refused", kind=kind))
                    return
                items = self.items if kind == "fan_out" else 1
                self.tell(
                    ev.SwarmOpened(f"s{number}", kind, step, number, items, ZERO, ZERO, self.slice)
                )
            case cmd.Place(swarm=swarm, items=items):
                self.tell(ev.Placed(swarm, ZERO, ((items, ""),)))
            case cmd.Converge(swarm=swarm):
                good = ev.Converged(swarm, ZERO, ZERO)
                self.tell(good if refuse else ev.ConvergeRefused(swarm, "test.gate"))
            case cmd.Propose(step=step, key=key):
                self.tell(ev.EffectSettled(step, key, "done" if refuse else "unknown", ZERO))
            case cmd.Close(status=status, output=output, code=code):
                self.tell(ev.RunClosed(status, output, code))  # type: ignore[arg-type]
            case other:
                raise AssertionError(f"nobody answers {other}")

    @precondition(lambda self: self.run.questions)
    @rule(data=st.data())
    def decide(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.run.questions)))
        choices = (*self.run.questions[key][0].choices, "nonsense")
        self.tell(ev.Decided(key, data.draw(st.sampled_from(choices)), "ann", ZERO))

    # -- attempts ---------------------------------------------------------------------------

    @precondition(lambda self: self.swarm is not None and self.swarm.wanted)
    @rule(host=st.sampled_from(HOSTS), count=st.integers(1, 9))
    def dispatch(self, host: str, count: int) -> None:
        swarm = self.swarm
        assert swarm is not None
        items = tuple(sorted(swarm.wanted))[:count]
        attempts = tuple(swarm.wanted[item] for item in items)
        self.batch += 1
        self.tell(ev.Dispatched(swarm.id, self.batch, host, 4, items, attempts))

    @precondition(lambda self: self.swarm is not None and self.swarm.flights)
    @rule(data=st.data(), status=st.sampled_from(STATUSES), tokens=st.integers(0, 6 * SLICE))
    def settle(self, data: st.DataObject, status: ev.Status, tokens: int) -> None:
        swarm = self.swarm
        assert swarm is not None
        item = data.draw(st.sampled_from(sorted(swarm.flights)))
        spent = min(tokens, self.slice)
        label = data.draw(st.sampled_from(("yes", "no", "proceed", "escalate")))
        row = ev.Row(
            item,
            swarm.flights[item].attempt,
            status,
            ZERO if status == "ok" else "",
            label if status == "ok" else "",
            code="" if status == "ok" else f"test.{status}",
            tokens=spent,
        )
        self._settled(swarm.id, row)
        self.sent.append((swarm.id, row))

    def _settled(self, swarm: str, row: ev.Row) -> None:
        flight = self.run.swarms[swarm].flights.get(row.item)
        live = swarm in (self.run.main, self.run.unit)
        if live and flight is not None and flight.attempt == row.attempt:
            assert (swarm, row.item, row.attempt) not in self.counted
            self.counted[swarm, row.item, row.attempt] = row.tokens
        self.tell(ev.Settled(swarm, 0, "ada", (row,)))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def settle_again(self, data: st.DataObject) -> None:
        self._settled(*data.draw(st.sampled_from(self.sent)))

    @rule(host=st.sampled_from(HOSTS))
    def lose_host(self, host: str) -> None:
        for name in {self.run.main, self.run.unit} - {""}:
            self._lost(self.run.swarms[name], lambda flight: flight.host == host)
        self.tell(ev.HostLost(host))

    def _lost(self, swarm: Swarm, gone: Callable[[Any], bool]) -> None:
        for item, flight in swarm.flights.items():
            if gone(flight):
                self.counted[swarm.id, item, flight.attempt] = self.slice

    # -- time and people --------------------------------------------------------------------

    @precondition(lambda self: self.timers)
    @rule(data=st.data(), early=st.booleans())
    def timer(self, data: st.DataObject, *, early: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.timers)))
        wait_us = 0 if early else max(0, self.timers[key] - self.thread.time_us)
        name, _, what = key.partition(":")
        swarm = self.run.swarms.get(name)
        due = swarm is not None and self.thread.time_us + wait_us >= swarm.drained_us
        if swarm is not None and what == "drained" and due and swarm.state == "draining":
            self._lost(swarm, lambda _: True)
        del self.timers[key]
        self.tell(ev.TimerFired(key), wait_us)

    @rule(item=st.integers(0, 12))
    def cancel_item(self, item: int) -> None:
        self.tell(ev.CancelAsked("ann", self.run.main, item))

    @precondition(lambda self: len(self.log) > 8)
    @rule()
    def cancel_run(self) -> None:
        self.tell(ev.CancelAsked("ann"))

    @precondition(lambda self: self.run.state is RunState.CLOSED)
    @rule(failed=st.booleans())
    def resume(self, *, failed: bool) -> None:
        self.tell(ev.RunResumed("ann", failed))

    @rule()
    def restart(self) -> None:
        """The coordinator dies; what was not in the log is gone, timers included."""
        again = replay(self.log, lambda _: self.scene.plan)
        assert again.run == self.run
        assert (again.digest, again.handled) == (self.thread.digest, self.thread.handled)
        self.thread = again
        self.timers = {
            command.key: command.at_us
            for command in again.run.outstanding()
            if isinstance(command, cmd.SetTimer)
        }

    # -- what always holds ------------------------------------------------------------------

    @invariant()
    def usage_is_counted_once(self) -> None:
        spent = sum(swarm.usage.tokens for swarm in self.run.swarms.values())
        assert spent == sum(self.counted.values()) == self.run.purse.spent_tokens
        attempts = sum(swarm.usage.attempts for swarm in self.run.swarms.values())
        assert attempts == len(self.counted)

    @invariant()
    def what_is_held_is_what_is_out(self) -> None:
        out = sum(len(swarm.flights) + len(swarm.wanted) for swarm in self.run.swarms.values())
        assert self.run.purse.held_tokens == out * self.slice
        limit = self.scene.plan.budget.tokens
        assert not limit or self.run.purse.spent_tokens + self.run.purse.held_tokens <= limit

    @invariant()
    def no_more_is_out_than_allowed(self) -> None:
        for swarm in self.run.swarms.values():
            most = swarm.spec.concurrency * (1 + QUEUE_DEPTH)
            assert len(swarm.flights) + len(swarm.wanted) <= most
            assert sum(swarm.held.values()) == len(swarm.flights)
            assert swarm.held.keys() == swarm.lanes.keys()

    @invariant()
    def open_items_are_counted(self) -> None:
        for swarm in self.run.swarms.values():
            states = [ItemState(value) for value in swarm.items]
            assert swarm.backlog.open == sum(state in OPEN_STATES for state in states)
            assert sorted(swarm.outputs) == [
                item for item, state in enumerate(states) if state is ItemState.DONE
            ]

    @invariant()
    def something_is_outstanding_until_the_end(self) -> None:
        said = self.run.outstanding()
        assert bool(said) == (self.run.state is not RunState.CLOSED)
        sent = {
            (command.swarm, pair)
            for command in said
            if isinstance(command, cmd.Send | cmd.Want)
            for pair in zip(command.items, command.attempts, strict=True)
        }
        live = [self.run.swarms[name] for name in (self.run.main, self.run.unit) if name]
        if self.run.state is not RunState.CLOSED:
            assert sent == {
                (swarm.id, pair)
                for swarm in live
                for pair in [
                    *swarm.wanted.items(),
                    *((item, flight.attempt) for item, flight in swarm.flights.items()),
                ]
            }

    def teardown(self) -> None:
        """After a restart, performing what is outstanding brings every run to its end."""
        if not hasattr(self, "thread"):
            return
        self.restart()
        for _ in range(500):
            if self.run.state is RunState.CLOSED:
                return
            self._perform_all()
        raise AssertionError(f"the run does not end: {self.run.outstanding()}")

    def _perform_all(self) -> None:
        for command in self.run.outstanding():
            match command:
                case cmd.Ask(question=question, default=default):
                    self.tell(ev.Decided(question, default, "default", ZERO))
                case cmd.Want(swarm=swarm, items=items, attempts=attempts):
                    self.batch += 1
                    self.tell(ev.Dispatched(swarm, self.batch, "ada", 4, items, attempts))
                case cmd.Send(swarm=swarm, batch=batch, host=host):
                    rows = [
                        ev.Row(item, attempt, "ok", ZERO, "yes")
                        for item, attempt in zip(command.items, command.attempts, strict=True)
                    ]
                    self.tell(ev.Settled(swarm, batch, host, tuple(rows)))
                case cmd.SetTimer(key=key, at_us=at_us):
                    self.tell(ev.TimerFired(key), max(0, at_us - self.thread.time_us))
                case cmd.Withdraw():
                    continue
                case _:
                    if command == self.run.pending:
                        self.answer(refuse=5)


TestRunUnderStress = RunUnderStress.TestCase
TestRunUnderStress.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None, derandomize=True
)
