"""A run as people and programs look at it: a fold over its log, nothing else.

Decides how entries add up to steps, items, attempts, costs, states and a timeline. It never reads
bodies; whoever shows texts asks the ledger for them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from swarm_ray.core import events as ev
from swarm_ray.core.plan import Plan, Step
from swarm_ray.core.run import Run
from swarm_ray.core.swarm import Swarm
from swarm_ray.core.tables import ItemState, RunState, SwarmState
from swarm_ray.engine.history import read_entry

ITEM_STATES = tuple(state.name.lower() for state in ItemState)


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt: where, when by log time, how it ended and what it cost.

    `duration_us` is the host's claim about the work itself; `output`, `error` and `extras` are
    commitments.
    """

    swarm: str
    item: int
    attempt: int
    host: str
    status: str
    code: str
    dispatched_us: int
    settled_us: int
    start_us: int = 0
    duration_us: int = 0
    tokens: int = 0
    microusd: int = 0
    cpu_us: int = 0
    sub_agents: int = 0
    isolation: str = ""
    output: str = ""
    error: str = ""
    extras: str = ""


@dataclass(slots=True)
class SwarmView:
    """One swarm of a run and its attempts in order of settlement."""

    id: str
    kind: str
    step: str
    items: int
    concurrency: int
    strategy: str
    manifest: str
    root: str
    opened_us: int
    ended_us: int
    state: str
    code: str
    succeeded: int
    running: int
    states: bytes
    accepted: tuple[int, ...]
    outputs: dict[int, str]
    labels: dict[int, tuple[str, int]]
    result: str
    report: str
    attempts: list[AttemptView]
    site: str = ""
    solver: str = ""

    def state_of(self, item: int) -> str:
        """Return the state of one item as a word."""
        return ITEM_STATES[self.states[item]]

    def count(self, *words: str) -> int:
        """Return how many items are in these states."""
        return sum(self.states.count(ITEM_STATES.index(word)) for word in words)

    @property
    def settled(self) -> int:
        """Items about which nothing more will happen."""
        return self.count("done", "failed", "skipped", "cancelled")

    @property
    def retried(self) -> int:
        """Attempts beyond the first of each item."""
        return sum(one.attempt > 1 for one in self.attempts)


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of the process and how far it is; `kind` says how it is carried out."""

    name: str
    kind: str
    state: str
    output: str


@dataclass(frozen=True, slots=True)
class QuestionView:
    """A question that waits for a person; `until_us` is 0 when it waits for ever."""

    key: str
    text: str
    choices: tuple[str, ...]
    default: str
    until_us: int


@dataclass(frozen=True, slots=True)
class DecisionView:
    """What somebody decided; `reason` is a commitment, `text` the question."""

    key: str
    text: str
    choice: str
    by: str
    reason: str
    time_us: int


@dataclass(frozen=True, slots=True)
class EffectView:
    """The supervisor's word on a proposed effect; `outcome` is a commitment."""

    step: str
    key: str
    tool: str
    status: str
    outcome: str
    code: str
    time_us: int


@dataclass(slots=True)
class RunView:
    """Everything that the log of a run says about it. Times are log time in microseconds."""

    run: str
    process: str
    version: int
    tenant: str
    bundle: str
    inputs: str
    state: str
    status: str
    code: str
    opened_us: int
    last_us: int
    entries: int
    step: str
    output: str
    isolation: str
    steps: list[StepView] = field(default_factory=list)
    swarms: list[SwarmView] = field(default_factory=list)
    questions: list[QuestionView] = field(default_factory=list)
    decisions: list[DecisionView] = field(default_factory=list)
    effects: list[EffectView] = field(default_factory=list)
    refusals: list[tuple[str, str, str]] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    tokens: int = 0
    microusd: int = 0
    cpu_us: int = 0
    work_us: int = 0
    attempts: int = 0
    sub_agents: int = 0

    @property
    def closed(self) -> bool:
        """True when nothing more will happen unless somebody resumes the run."""
        return self.state == RunState.CLOSED

    @property
    def waiting(self) -> bool:
        """True when only a person can move the run."""
        return self.state == RunState.WAITING

    @property
    def wall_us(self) -> int:
        """Microseconds from opening to the last entry."""
        return self.last_us - self.opened_us

    def fan_outs(self) -> list[SwarmView]:
        """Return the last swarm of each fan-out step, in the order of the steps."""
        last = {swarm.step: swarm for swarm in self.swarms if swarm.kind == "fan_out"}
        return list(last.values())


class Viewer:
    """Folds a run log entry by entry; `view` may be taken at any time.

    `run` is the machine as of the last entry taken.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.run = Run(plan)
        self.time_us = 0
        self.entries = 0
        self._opened_us = 0
        self._attempts: dict[str, list[AttemptView]] = {}
        self._sent: dict[str, dict[int, tuple[int, str, int]]] = {}
        self._ended: dict[str, int] = {}
        self._merged: dict[str, tuple[str, str]] = {}
        self._placed: dict[str, tuple[str, str]] = {}
        self._effects: list[EffectView] = []
        self._decisions: list[DecisionView] = []
        self._refusals: list[tuple[str, str, str]] = []

    def feed(self, entries: Iterable[bytes]) -> "Viewer":
        """Take more entries, in order."""
        for data in entries:
            self.take(data)
        return self

    def take(self, data: bytes) -> ev.Event:
        """Take one entry and return its event."""
        event, record = read_entry(data)
        self.time_us = record["time_us"]
        self.entries += 1
        self._opened_us = self._opened_us or self.time_us
        self._before(event)
        self.run.handle(event, self.time_us)
        self._after(event)
        return event

    # -- what the machine forgets -----------------------------------------------------------

    def _before(self, event: ev.Event) -> None:
        match event:
            case ev.Settled():
                self._settle(event)
            case ev.Decided():
                asked = self.run.questions.get(event.question)
                text = asked[0].text if asked else ""
                self._decisions.append(
                    DecisionView(
                        event.question, text, event.choice, event.by, event.reason, self.time_us
                    )
                )
            case ev.StepRefused():
                step = self.plan.steps[event.step].name
                self._refusals.append((step, event.code, event.detail))
            case ev.ConvergeRefused():
                swarm = self.run.swarms.get(event.swarm)
                step = self.plan.steps[swarm.opened.step].name if swarm else ""
                self._refusals.append((step, event.code, event.detail))
            case ev.EffectSettled():
                self._effect(event)
            case ev.Converged():
                self._merged[event.swarm] = (event.result, event.report)
            case ev.Placed():
                sites = ", ".join(dict.fromkeys(site for _, site in event.assignments))
                self._placed[event.swarm] = (sites, event.solver)
            case _:
                return

    def _effect(self, event: ev.EffectSettled) -> None:
        step = self.plan.steps[event.step]
        tool = step.effect.tool if step.effect else ""
        self._effects.append(
            EffectView(
                step.name, event.key, tool, event.status, event.outcome, event.code, self.time_us
            )
        )

    def _after(self, event: ev.Event) -> None:
        match event:
            case ev.Dispatched():
                self._send(event)
            case ev.HostLost():
                self._lose("host.lost")
            case ev.TimerFired():
                self._lose("host.silent")
            case _:
                pass
        for swarm in self.run.swarms.values():
            if swarm.state in (SwarmState.CONVERGED, SwarmState.ABORTED):
                self._ended.setdefault(swarm.id, self.time_us)
            else:
                self._ended.pop(swarm.id, None)

    def _send(self, event: ev.Dispatched) -> None:
        swarm = self.run.swarms.get(event.swarm)
        if swarm is None:
            return
        sent = self._sent.setdefault(event.swarm, {})
        for item in event.items:
            flight = swarm.flights.get(item)
            if flight is not None and flight.batch == event.batch:
                sent[item] = (flight.attempt, event.host, self.time_us)

    def _settle(self, event: ev.Settled) -> None:
        sent = self._sent.get(event.swarm, {})
        for row in event.rows:
            if row.item not in sent or sent[row.item][0] != row.attempt:
                continue  # a stale row: the machine ignores it as well
            _, host, sent_us = sent.pop(row.item)
            self._attempts.setdefault(event.swarm, []).append(
                AttemptView(
                    event.swarm,
                    row.item,
                    row.attempt,
                    host,
                    row.status,
                    row.code,
                    sent_us,
                    self.time_us,
                    row.start_us,
                    row.duration_us,
                    row.tokens,
                    row.microusd,
                    row.cpu_us,
                    row.sub_agents,
                    event.isolation,
                    row.output,
                    row.error,
                    row.extras,
                )
            )

    def _lose(self, code: str) -> None:
        for name, sent in self._sent.items():
            swarm = self.run.swarms[name]
            held = swarm.opened.slice_tokens, swarm.opened.slice_microusd
            for item in [item for item in sent if item not in swarm.flights]:
                attempt, host, sent_us = sent.pop(item)
                self._attempts.setdefault(name, []).append(
                    AttemptView(
                        name,
                        item,
                        attempt,
                        host,
                        "lost",
                        code,
                        sent_us,
                        self.time_us,
                        tokens=held[0],
                        microusd=held[1],
                    )
                )

    # -- the view ---------------------------------------------------------------------------

    def view(self) -> RunView:
        """Return the run as of the last entry taken."""
        run = self.run
        opened, closed = run.opened, run.closed
        assert opened is not None
        at_end = run.current >= len(self.plan.steps)
        view = RunView(
            run=opened.run,
            process=opened.process,
            version=self.plan.version,
            tenant=opened.tenant,
            bundle=opened.bundle,
            inputs=opened.inputs,
            state=run.state.value,
            status=closed.status if closed else run.state.value,
            code=closed.code if closed else "",
            opened_us=self._opened_us,
            last_us=self.time_us,
            entries=self.entries,
            step="" if at_end else self.plan.steps[run.current].name,
            output=closed.output if closed else "",
            isolation=opened.isolation,
            decisions=list(self._decisions),
            effects=list(self._effects),
            refusals=list(self._refusals),
            outputs=dict(run.outputs),
        )
        view.steps = [
            StepView(step.name, kind_of_step(step), state.value, run.outputs.get(step.output, ""))
            for step, state in zip(self.plan.steps, run.steps, strict=True)
        ]
        if run.state is not RunState.CLOSED:
            view.questions = [
                QuestionView(
                    key,
                    question.text,
                    question.choices,
                    question.default,
                    asked_us + question.expires_us if question.expires_us else 0,
                )
                for key, (question, asked_us) in sorted(run.questions.items())
            ]
        view.swarms = [self._swarm(swarm) for swarm in run.swarms.values()]
        for swarm in run.swarms.values():
            view.tokens += swarm.usage.tokens
            view.microusd += swarm.usage.microusd
            view.cpu_us += swarm.usage.cpu_us
            view.work_us += swarm.usage.work_us
            view.attempts += swarm.usage.attempts
            view.sub_agents += swarm.usage.sub_agents
        return view

    def _swarm(self, swarm: Swarm) -> SwarmView:
        result, report = self._merged.get(swarm.id, ("", ""))
        site, solver = self._placed.get(swarm.id, ("", ""))
        return SwarmView(
            id=swarm.id,
            kind=swarm.opened.kind,
            step=self.plan.steps[swarm.opened.step].name,
            items=swarm.opened.items,
            concurrency=swarm.spec.concurrency,
            strategy=swarm.spec.convergence.strategy if swarm.opened.kind == "fan_out" else "",
            manifest=swarm.opened.manifest,
            root=swarm.opened.root,
            opened_us=swarm.opened_us,
            ended_us=self._ended.get(swarm.id, self.time_us),
            state=swarm.state.value,
            code=swarm.code if swarm.state is SwarmState.ABORTED else "",
            succeeded=swarm.succeeded,
            running=len(swarm.flights),
            states=bytes(swarm.items),
            accepted=swarm.accepted(),
            outputs=dict(swarm.outputs),
            labels=dict(swarm.labels),
            result=result,
            report=report,
            attempts=self._attempts.get(swarm.id, []),
            site=site,
            solver=solver,
        )


def kind_of_step(step: Step) -> str:
    """Return how a step is carried out: `fan_out`, `effect`, `question` or `task`."""
    if step.fan_out is not None:
        return "fan_out"
    if step.effect is not None:
        return "effect"
    return "question" if step.question is not None else "task"
