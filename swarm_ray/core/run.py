"""One run: the steps of a process in order, each suspended until its swarm has converged.

Decides the next step, the reaction to a failed swarm, when a person is asked, and how the run
ends. The same events in the same order give the same commands, live or replayed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from swarm_ray.core import events as ev
from swarm_ray.core.commands import (
    Ask,
    Close,
    Command,
    Converge,
    Place,
    Prepare,
    Propose,
    SetTimer,
)
from swarm_ray.core.limits import soonest, spec_of
from swarm_ray.core.plan import FanOut, Plan, Question, Step
from swarm_ray.core.purse import Purse
from swarm_ray.core.reactions import ESCALATION, REVIEW, Reactions, ended_by
from swarm_ray.core.swarm import Swarm
from swarm_ray.core.tables import RUN, STEP, RunState, StepState, SwarmState, advance
from swarm_ray.core.voting import tally
from swarm_ray.errors import InternalError

Act = Callable[[Swarm], list[Command]]


@dataclass(slots=True)
class Run:
    """The machine of one run. `plan` must be the one whose digest stands in the first entry.

    `main` is the swarm of the step, `unit` the swarm of one that merges its results or reacts to
    its failure, `pending` the command whose answer the step waits for.
    """

    plan: Plan
    state: RunState = RunState.RUNNING
    opened: ev.RunOpened | None = None
    steps: list[StepState] = field(init=False)
    current: int = 0
    round: int = 0
    purse: Purse = field(init=False)
    outputs: dict[str, str] = field(default_factory=dict)
    swarms: dict[str, Swarm] = field(default_factory=dict)
    main: str = ""
    unit: str = ""
    pending: Command | None = None
    questions: dict[str, tuple[Question, int]] = field(default_factory=dict)
    reactions: Reactions = field(default_factory=Reactions)
    deadline_us: int = 0
    ending: tuple[str, str] | None = None
    closed: ev.RunClosed | None = None

    def __post_init__(self) -> None:
        self.steps = [StepState.PENDING] * len(self.plan.steps)
        self.purse = Purse(self.plan.budget)

    # -- the one mutator --------------------------------------------------------------------

    def handle(self, event: ev.Event, now_us: int) -> list[Command]:
        """Apply one durable event and return what follows. `now_us` is the entry's log time."""
        if self.state is RunState.CLOSED and not isinstance(event, ev.RunResumed):
            return []
        return self._route(event, now_us)

    def _route(self, event: ev.Event, now_us: int) -> list[Command]:
        match event:
            case ev.RunOpened():
                return self._opened(event, now_us)
            case ev.SwarmOpened():
                return self._swarm_opened(event, now_us)
            case ev.StepRefused():
                return self._refused(event, now_us)
            case ev.Placed():
                return self._placed(event, now_us)
            case ev.Dispatched():
                return self._on_swarm(event.swarm, now_us, lambda s: s.dispatched(event))
            case ev.Settled():
                return self._on_swarm(event.swarm, now_us, lambda s: s.settled(event, now_us))
            case ev.HostLost():
                return self._host_lost(event, now_us)
            case ev.TimerFired():
                return self._timer(event.key, now_us)
            case ev.CancelAsked():
                return self._cancel(event, now_us)
            case ev.Decided():
                return self._decided(event, now_us)
            case ev.Converged():
                return self._converged(event, now_us)
            case ev.ConvergeRefused():
                return self._converge_refused(event, now_us)
            case ev.EffectSettled():
                return self._effect(event, now_us)
            case ev.RunResumed():
                return self._resumed(event, now_us)
            case ev.RunClosed():
                self.state = advance(RUN, self.state, "close")
                self.closed = event
                return []
            case _:
                assert_never(event)

    def outstanding(self) -> list[Command]:
        """Derive anew every command that is not yet answered, after a restart."""
        if self.state is RunState.CLOSED or self.opened is None:
            return []
        commands: list[Command] = []
        if self.deadline_us:
            commands.append(SetTimer("run:deadline", self.deadline_us))
        for key in sorted(self.questions):
            commands += self._put(key)
        for name in (self.main, self.unit):
            if name:
                commands += self.swarms[name].outstanding()
        if self.pending is not None:
            commands.append(self.pending)
        return commands

    # -- steps ------------------------------------------------------------------------------

    @property
    def step(self) -> Step:
        """The step that is being executed."""
        return self.plan.steps[self.current]

    @property
    def top(self) -> Swarm | None:
        """The swarm that works for the step now, if any."""
        return self.swarms.get(self.unit or self.main)

    def _move(self, trigger: str) -> None:
        self.steps[self.current] = advance(STEP, self.steps[self.current], trigger)

    def _opened(self, event: ev.RunOpened, now_us: int) -> list[Command]:
        if self.opened is not None:
            raise InternalError("core.opened_twice", f"run {event.run} is open already")
        self.opened = event
        return [*self._limit(now_us), *self._start(now_us)]

    def _limit(self, now_us: int) -> list[Command]:
        if not self.plan.deadline_us:
            return []
        self.deadline_us = now_us + self.plan.deadline_us
        return [SetTimer("run:deadline", self.deadline_us)]

    def _start(self, now_us: int) -> list[Command]:
        self.main = self.unit = ""
        self.reactions.clause = -1
        if self.current == len(self.plan.steps):
            return self._finish("done", "")
        step = self.step
        if step.question is not None:
            self._move("ask")
            return self._ask(f"{self.current}", step.question, now_us)
        if step.effect is not None:
            self._move("propose")
            assert self.opened is not None
            return self._await(Propose(self.current, f"{self.opened.run}/{step.name}/0/0"))
        return self._prepare_main()

    def _prepare_main(self) -> list[Command]:
        self._move("start")
        return self._prepare("fan_out" if self.step.fan_out else "step")

    def _prepare(self, kind: ev.SwarmKind, swarm: str = "", clause: int = -1) -> list[Command]:
        self.round += 1
        return self._await(Prepare(self.current, self.round, kind, swarm, clause))

    def _await(self, command: Command) -> list[Command]:
        self.pending = command
        return [command]

    def _done(self, output: str, now_us: int) -> list[Command]:
        self._move("done")
        self.pending = None
        if self.step.output:
            self.outputs[self.step.output] = output
        self.current += 1
        if self.ending is not None:
            self.main = self.unit = ""
            return self._finish(*self.ending)
        return self._start(now_us)

    def _failed(self, code: str) -> list[Command]:
        self._move("fail")
        return self._finish(*(self.ending or (ended_by(code), code)))

    def _finish(self, status: str, code: str) -> list[Command]:
        self.questions.clear()
        self.state = advance(RUN, self.state, "finish")
        output = self.outputs.get(self.plan.output, "")
        if not self.plan.output and self.outputs:
            output = next(reversed(self.outputs.values()))
        return self._await(Close(status, output if status == "done" else "", code))

    # -- swarms -----------------------------------------------------------------------------

    def _swarm_opened(self, event: ev.SwarmOpened, now_us: int) -> list[Command]:
        if not self._asked_for(event.step, event.round, event.kind):
            return []
        spec = spec_of(self.step, event.kind, self.reactions.clause)
        deadline_us = self._deadline_of(event.kind, spec, now_us)
        swarm = Swarm(event, spec, self._purse_of(event.kind, spec), now_us, deadline_us)
        self.swarms[swarm.id] = swarm
        if event.kind in ("fan_out", "step"):
            self._move("open")
            self.main = swarm.id
        else:
            self.unit = swarm.id
        if event.items == 0:
            self.pending = None
            swarm.place(now_us)
            return self._swarm_finished(swarm, now_us)
        return self._await(Place(swarm.id, event.items))

    def _asked_for(self, step: int, round_: int, kind: str) -> bool:
        asked = self.pending
        return isinstance(asked, Prepare) and (asked.step, asked.round, asked.kind) == (
            step,
            round_,
            kind,
        )

    def _deadline_of(self, kind: ev.SwarmKind, spec: FanOut, now_us: int) -> int:
        own = now_us + spec.deadline_us if spec.deadline_us else 0
        reserved = self.swarms[self.main].deadline_us if kind == "converge" else 0
        return soonest(own, reserved, self.deadline_us)

    def _purse_of(self, kind: ev.SwarmKind, spec: FanOut) -> Purse:
        if kind == "fan_out" and (spec.budget.tokens or spec.budget.microusd):
            return Purse(spec.budget, self.purse)
        return self.purse if kind != "converge" else self.swarms[self.main].purse

    def _placed(self, event: ev.Placed, now_us: int) -> list[Command]:
        if not isinstance(self.pending, Place) or self.pending.swarm != event.swarm:
            return []
        self.pending = None
        return self._on_swarm(event.swarm, now_us, lambda s: s.place(now_us))

    def _on_swarm(self, name: str, now_us: int, act: Act) -> list[Command]:
        swarm = self.swarms.get(name)
        if swarm is None or name not in (self.main, self.unit):
            return []
        commands = act(swarm)
        return commands + self._progress(swarm, now_us)

    def _progress(self, swarm: Swarm, now_us: int) -> list[Command]:
        commands = self._ask_reviews(swarm, now_us)
        if swarm.state in (SwarmState.WORKING, SwarmState.DRAINING) and swarm.finished:
            commands += self._swarm_finished(swarm, now_us)
        return commands

    def _swarm_finished(self, swarm: Swarm, now_us: int) -> list[Command]:
        good = swarm.ending != "abort" and swarm.enough() and self.ending is None
        if not good:
            return self._abort(swarm, swarm.code or "swarm.min_success", now_us)
        swarm.converge()
        if swarm.opened.kind == "fan_out":
            return self._converge(swarm)
        output = swarm.outputs[0]
        swarm.merged()
        return self._unit_done(swarm, output, now_us)

    def _unit_done(self, swarm: Swarm, output: str, now_us: int) -> list[Command]:
        match swarm.opened.kind:
            case "step":
                return self._done(output, now_us)
            case "converge":
                self.unit = ""
                return self._wrap(self.swarms[self.main], output)
            case "on_error":
                self.unit = ""
                word = swarm.labels.get(0, ("", 0))[0]
                clause = self.step.on_error[self.reactions.clause]
                return self._react(word or clause.reaction, now_us)
            case "fan_out":
                raise InternalError("core.unit", "a fan-out is not a swarm of one")
            case _:
                assert_never(swarm.opened.kind)

    # -- convergence ------------------------------------------------------------------------

    def _converge(self, swarm: Swarm) -> list[Command]:
        match swarm.spec.convergence.strategy:
            case "collect":
                return self._wrap(swarm, "")
            case "vote":
                return self._vote(swarm)
            case "merge" | "reduce" | "custom":
                return self._prepare("converge", swarm.id)
            case _:
                assert_never(swarm.spec.convergence.strategy)
