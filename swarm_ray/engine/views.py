"""A run as people and programs look at it: values that a fold over its log fills in.

Decides what can be said about a run without reading a body; whoever shows texts asks the ledger
for them. The fold itself is in `engine.viewer`.
"""

from dataclasses import asdict, dataclass, field, fields, replace
from operator import attrgetter
from typing import Any

from swarm_ray.core.plan import Step
from swarm_ray.core.tables import ItemState, RunState

ITEM_STATES = tuple(state.name.lower() for state in ItemState)


@dataclass(slots=True)
class AttemptView:
    """One attempt: where, when by log time, how it ended and what it cost. Not frozen, since a view
    has as many as the run had attempts, and a frozen one takes three times as long to make.

    `duration_us` is the host's claim about the work itself; `output`, `error` and `extras` are
    commitments, `sandbox` are digests, `model` names the models that were asked.
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
    sandbox: str = ""
    model: str = ""


_ATTEMPT = tuple(one.name for one in fields(AttemptView))
_values = attrgetter(*_ATTEMPT)


@dataclass(slots=True)
class SwarmView:
    """One swarm of a run and its attempts in order of settlement.

    Of the attempts that hosts hold at most `running` are at work, since the lanes of all hosts
    together never exceed the swarm's concurrency; `queued` wait there for a lane. `waited_us` is
    the part of its time in which the run waited for a person. `stranded` items wait for a host that
    may take them. `codes` say by item what was last
    wrong with it, also where no attempt failed.
    """

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
    queued: int
    states: bytes
    accepted: tuple[int, ...]
    outputs: dict[int, str]
    labels: dict[int, tuple[str, int]]
    result: str
    report: str
    attempts: list[AttemptView]
    site: str = ""
    solver: str = ""
    waited_us: int = 0
    codes: dict[int, str] = field(default_factory=dict)
    stranded: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            **{one.name: getattr(self, one.name) for one in fields(self)},
            "states": [ITEM_STATES[value] for value in self.states],
            "accepted": list(self.accepted),
            "outputs": {str(item): one for item, one in self.outputs.items()},
            "labels": {str(item): list(one) for item, one in self.labels.items()},
            "codes": {str(item): code for item, code in self.codes.items()},
            "attempts": [dict(zip(_ATTEMPT, _values(one), strict=True)) for one in self.attempts],
        }

    def state_of(self, item: int) -> str:
        """Return the state of one item as a word."""
        return ITEM_STATES[self.states[item]]

    def count(self, *words: str) -> int:
        """Return how many items are in these states."""
        return sum(self.states.count(ITEM_STATES.index(word)) for word in words)

    def in_state(self, *words: str) -> list[int]:
        """Return the ordinals of the items in these states, in input order."""
        if not self.count(*words):
            return []
        wanted = {ITEM_STATES.index(word) for word in words}
        return [item for item, state in enumerate(self.states) if state in wanted]

    @property
    def settled(self) -> int:
        """Items about which nothing more will happen."""
        return self.count("done", "failed", "skipped", "cancelled")

    @property
    def wall_us(self) -> int:
        """Microseconds from opening to end, without waiting for a person."""
        return self.ended_us - self.opened_us - self.waited_us

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
    waited_us: int = 0

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
        """Microseconds from opening to the last entry, without waiting for a person."""
        return self.last_us - self.opened_us - self.waited_us

    def without_coordinator(self) -> "RunView":
        """Return the run as it stands when no coordinator lives: what the log calls running is
        interrupted, and nothing is at work."""
        going_on = self.state in (RunState.RUNNING, RunState.CLOSING)
        swarms = [replace(swarm, running=0, queued=0) for swarm in self.swarms]
        return replace(self, status="interrupted" if going_on else self.status, swarms=swarms)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        swarms = [swarm.to_dict() for swarm in self.swarms]
        return {**asdict(replace(self, swarms=[])), "swarms": swarms}

    def fan_outs(self) -> list[SwarmView]:
        """Return the last swarm of each fan-out step, in the order of the steps."""
        last = {swarm.step: swarm for swarm in self.swarms if swarm.kind == "fan_out"}
        return list(last.values())


def kind_of_step(step: Step) -> str:
    """Return how a step is carried out: `fan_out`, `effect`, `question` or `task`."""
    if step.fan_out is not None:
        return "fan_out"
    if step.effect is not None:
        return "effect"
    return "question" if step.question is not None else "task"
