"""One run: the steps of a process in order, each suspended until its swarm has converged.

Decides what an event means for the swarm of the current step, how results converge, the reaction
to a failed swarm, and when the run ends. The same events in the same order give the same
commands, live or replayed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from swarm_ray.core import events as ev
from swarm_ray.core.commands import Command, Converge, Place, Propose, SetTimer
from swarm_ray.core.limits import soonest, spec_of
from swarm_ray.core.plan import FanOut
from swarm_ray.core.reactions import ESCALATION, Reactions
from swarm_ray.core.swarm import Swarm
from swarm_ray.core.tables import RUN, RunState, StepState, SwarmState, advance
from swarm_ray.core.voting import tally
from swarm_ray.core.walk import Walk
from swarm_ray.errors import InternalError

Act = Callable[[Swarm], list[Command]]
UNFINISHED = (SwarmState.WORKING, SwarmState.DRAINING)


@dataclass(slots=True)
class Run(Walk):
    """The machine of one run. `plan` must be the one whose digest stands in the first entry.

    `main` is the swarm of the step, `unit` the swarm of one that merges its results or reacts to
    its failure.
    """

    swarms: dict[str, Swarm] = field(default_factory=dict)
    main: str = ""
    unit: str = ""
    reactions: Reactions = field(default_factory=Reactions)

    # -- the one mutator --------------------------------------------------------------------

    def handle(self, event: ev.Event, now_us: int) -> list[Command]:
        """Apply one durable event and return what follows. `now_us` is the entry's log time."""
        if self.state is RunState.CLOSED and not isinstance(event, ev.RunResumed):
            return []
        return self._route(event, now_us)

    def _route(self, event: ev.Event, now_us: int) -> list[Command]:
        match event:
            case ev.RunOpened():
                return [*self._open(event, now_us), *self._start(now_us)]
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
            case ev.SandboxSeen():
                return self._described(event.digest)
            case ev.HostLost():
                return self._host_lost(event, now_us)
            case ev.Stranded():
                return self._on_swarm(event.swarm, now_us, lambda s: s.strand(event, now_us))
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
        commands += [self._put(key) for key in sorted(self.questions)]
        for name in (self.main, self.unit):
            if name:
                commands += self.swarms[name].outstanding()
        if self.pending is not None:
            commands.append(self.pending)
        return commands

    # -- steps ------------------------------------------------------------------------------

    def _start(self, now_us: int) -> list[Command]:
        self.main = self.unit = ""
        self.reactions.clause = -1
        return self._begin(now_us)

    def _done(self, output: str, now_us: int) -> list[Command]:
        self._complete(output)
        if self.ending is not None:
            self.main = self.unit = ""
            return self._finish(*self.ending)
        return self._start(now_us)

    # -- swarms -----------------------------------------------------------------------------

    def _swarm_opened(self, event: ev.SwarmOpened, now_us: int) -> list[Command]:
        if not self._asked_for(event.step, event.round, event.kind):
            return []
        if event.swarm in self.swarms:
            lateral = ev.StepRefused(
                event.step, event.round, "containment.lateral", kind=event.kind
            )
            return self._refused(lateral, now_us)  # it has a parent already
        spec = spec_of(self.step, event.kind, self.reactions.clause)
        deadline_us = self._deadline_of(event.kind, spec, now_us)
        own = event.kind != "converge"  # which spends what its swarm was given
        purse = self.purse.within(spec.budget) if own else self.swarms[self.main].purse
        swarm = Swarm(event, spec, purse, now_us, deadline_us)
        self.swarms[swarm.id] = swarm
        if event.kind in ("fan_out", "step"):
            self._move("open")
            self.main, self.unit = swarm.id, ""
        else:
            self.unit = swarm.id
        if event.items == 0:
            self.pending = None
            swarm.place(now_us)
            return self._swarm_finished(swarm, now_us)
        return self._await(Place(swarm.id, event.items))

    def _deadline_of(self, kind: ev.SwarmKind, spec: FanOut, now_us: int) -> int:
        own = now_us + spec.deadline_us if spec.deadline_us else 0
        reserved = self.swarms[self.main].deadline_us if kind == "converge" else 0
        return soonest(own, reserved, self.deadline_us)

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
        commands = swarm.recheck(now_us) if swarm.state in UNFINISHED else []
        commands += self._ask_reviews(swarm, now_us)
        if swarm.state in UNFINISHED and swarm.finished:
            commands += self._swarm_finished(swarm, now_us)
        return commands

    def _swarm_finished(self, swarm: Swarm, now_us: int) -> list[Command]:
        if self.ending is not None or swarm.ending == "abort" or not swarm.enough():
            return self._abort(swarm, swarm.shortfall(), now_us)
        swarm.converge()
        if swarm.opened.kind == "fan_out":
            return self._converge(swarm, now_us)
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

    def _converge(self, swarm: Swarm, now_us: int) -> list[Command]:
        match swarm.spec.convergence.strategy:
            case "collect":
                return self._wrap(swarm, "")
            case "vote":
                return self._vote(swarm, now_us)
            case "merge" | "reduce" | "custom":
                return self._prepare("converge", swarm.id)
            case _:
                assert_never(swarm.spec.convergence.strategy)

    def _vote(self, swarm: Swarm, now_us: int) -> list[Command]:
        votes = [(item, *swarm.labels.get(item, ("", 0))) for item in swarm.accepted()]
        result = tally(votes)
        if result.item < 0:
            return self._abort(swarm, "vote.tied" if votes else "vote.empty", now_us)
        return self._wrap(swarm, "", result.item)

    def _wrap(self, swarm: Swarm, result: str, winner: int = -1) -> list[Command]:
        partial = swarm.succeeded < swarm.opened.items
        return self._await(Converge(swarm.id, swarm.accepted(), result, winner, partial))

    def _converging(self, name: str) -> Swarm | None:
        asked = self.pending
        waits = isinstance(asked, Converge) and asked.swarm == name
        return self.swarms[name] if waits else None

    def _converged(self, event: ev.Converged, now_us: int) -> list[Command]:
        swarm = self._converging(event.swarm)
        if swarm is None:
            return []
        swarm.merged()
        return self._done(event.result, now_us)

    def _converge_refused(self, event: ev.ConvergeRefused, now_us: int) -> list[Command]:
        swarm = self._converging(event.swarm)
        return [] if swarm is None else self._abort(swarm, event.code, now_us)

    # -- failure and reaction ---------------------------------------------------------------

    def _refused(self, event: ev.StepRefused, now_us: int) -> list[Command]:
        if not self._asked_for(event.step, event.round, event.kind):
            return []
        self.pending = None
        if event.kind == "converge":
            return self._abort(self.swarms[self.main], event.code, now_us)
        if event.kind != "on_error":
            self._move("react")
        return self._next_clause(event.code, now_us)

    def _abort(self, swarm: Swarm, code: str, now_us: int) -> list[Command]:
        swarm.abort(code)
        self.pending = None
        if swarm.opened.kind == "converge":
            self.unit = ""
            return self._abort(self.swarms[self.main], code, now_us)
        if swarm.opened.kind == "on_error":
            self.unit = ""
        else:
            self._move("react")
        return self._next_clause(code, now_us)

    def _next_clause(self, code: str, now_us: int) -> list[Command]:
        if self.ending is not None:
            return self._failed(code)
        main = self.swarms.get(self.main)
        done, items = (main.succeeded, main.opened.items) if main else (0, 0)
        clause = self.reactions.choose(self.current, self.step.on_error, done, items)
        if clause is None:
            return self._failed(code)
        if clause.task:
            return self._prepare("on_error", self.main, self.reactions.clause)
        return self._react(clause.reaction, now_us)

    def _react(self, word: str, now_us: int) -> list[Command]:
        main = self.swarms.get(self.main)
        match word:
            case "retry":
                return self._prepare_main()
            case "proceed" if main is not None and self.step.fan_out:
                self._move("continue")
                main.converge("proceed")
                return self._converge(main, now_us)
            case "sequential" if main is not None:
                self._move("continue")
                return self._again(main, 1, now_us)
            case "escalate":
                key = f"{self.current}:{self.round}:{self.reactions.total}"
                return self._ask(key, ESCALATION, now_us)
            case _:
                return self._failed(main.code if main is not None else "step.refused")

    def _again(self, swarm: Swarm, concurrency: int, now_us: int) -> list[Command]:
        deadline_us = self._deadline_of(swarm.opened.kind, swarm.spec, now_us)
        commands = swarm.again(concurrency, now_us, deadline_us)
        return commands + self._progress(swarm, now_us)

    # -- hosts, time ------------------------------------------------------------------------

    def _host_lost(self, event: ev.HostLost, now_us: int) -> list[Command]:
        commands: list[Command] = []
        for name in (self.main, self.unit):
            commands += self._on_swarm(name, now_us, lambda s: s.host_lost(event.host, now_us))
        return commands

    def _timer(self, key: str, now_us: int) -> list[Command]:
        name, _, what = key.partition(":")
        if name == "run":
            return self._deadline(now_us)
        return self._on_swarm(name, now_us, lambda s: s.timer(what, now_us))

    def _deadline(self, now_us: int) -> list[Command]:
        if now_us < self.deadline_us:
            return [SetTimer("run:deadline", self.deadline_us)]
        if any(question.holds_deadline for question, _ in self.questions.values()):
            return []
        return self._end("deadline", "run.deadline", now_us)

    def _cancel(self, event: ev.CancelAsked, now_us: int) -> list[Command]:
        if event.item >= 0:
            return self._on_swarm(event.swarm, now_us, lambda s: s.cancel_item(event.item, now_us))
        return self._end("cancelled", "run.cancelled", now_us)

    def _end(self, status: str, code: str, now_us: int) -> list[Command]:
        if self.state is RunState.CLOSING or self.ending is not None:
            return []
        self.ending = (status, code)
        if isinstance(self.pending, Converge | Propose):
            return []  # the answer is near, and it ends the run
        swarm = self.swarms.get(self.unit or self.main)
        if swarm is not None and swarm.state is SwarmState.WORKING:
            return [*swarm.drain("abort", code, now_us), *self._progress(swarm, now_us)]
        if swarm is not None and swarm.state is SwarmState.DRAINING:
            return []
        return self._leave(code)

    def _leave(self, code: str) -> list[Command]:
        """Fail the step at once: no attempt is out."""
        for name in (self.unit, self.main):
            swarm = self.swarms.get(name)
            if swarm is not None and swarm.state is SwarmState.PLACING:
                swarm.abort(code)
                self.main = "" if name == self.main else self.main
            elif swarm is not None and swarm.state is SwarmState.CONVERGING:
                swarm.abort(code)
        self.unit = ""
        return self._failed(code)

    # -- people -----------------------------------------------------------------------------

    def _ask_reviews(self, swarm: Swarm, now_us: int) -> list[Command]:
        commands: list[Command] = []
        for item in swarm.review_changes:
            key = f"{swarm.id}/{item}"
            if item not in swarm.reviews:
                self.questions.pop(key, None)
            elif key not in self.questions:
                self.questions[key] = (swarm.question(item), now_us)
                commands.append(self._put(key))
        swarm.review_changes.clear()
        self._rest(idle=self._idle())
        return commands

    def _idle(self) -> bool:
        swarm = self.swarms.get(self.unit or self.main)
        if swarm is not None and swarm.state is SwarmState.WORKING:
            return swarm.stalled
        return self.steps[self.current] in (StepState.ASKING, StepState.REACTING)

    def _decided(self, event: ev.Decided, now_us: int) -> list[Command]:
        commands = self._answer(event, now_us)
        if commands is None:
            return []
        name, _, item = event.question.partition("/")
        if item:
            choice = event.choice
            return commands + self._on_swarm(
                name, now_us, lambda s: s.reviewed(int(item), choice, now_us)
            )
        if self.steps[self.current] is StepState.ASKING:
            return commands + self._done(event.outcome, now_us)
        return commands + self._react(event.choice, now_us)

    def _effect(self, event: ev.EffectSettled, now_us: int) -> list[Command]:
        if not isinstance(self.pending, Propose) or self.pending.key != event.key:
            return []
        if event.status == "done":
            return self._done(event.outcome, now_us)
        return self._failed(event.code or f"effect.{event.status}")

    def _resumed(self, event: ev.RunResumed, now_us: int) -> list[Command]:
        if self.state is not RunState.CLOSED:
            return []
        self.state = advance(RUN, self.state, "resume")
        self.closed = self.ending = self.pending = None
        self.unit = ""
        commands = self._limit(now_us)
        main = self.swarms.get(self.main)
        if main is not None and main.state is SwarmState.ABORTED and event.failed:
            self._move("continue")
            return commands + self._again(main, main.spec.concurrency, now_us)
        return commands + self._start(now_us)
