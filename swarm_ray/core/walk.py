"""The steps of a process, walked in order: which one is current and what it waits for.

Decides how a step begins, succeeds and fails, which questions are open, and with what a run ends.
It knows nothing about swarms: `core.run` adds them.
"""

from dataclasses import dataclass, field

from swarm_ray.core import events as ev
from swarm_ray.core.commands import Ask, Close, Command, Prepare, Propose, SetTimer
from swarm_ray.core.plan import Plan, Question, Step
from swarm_ray.core.purse import Purse
from swarm_ray.core.reactions import ended_by
from swarm_ray.core.tables import RUN, STEP, RunState, StepState, advance
from swarm_ray.errors import InternalError


@dataclass(slots=True)
class Walk:
    """State of a process that is being executed.

    `pending` is the command whose answer the step waits for, `ending` the (status, code) that a
    cancel or a deadline has already decided, `questions` holds (question, log time) by key.
    `sandboxes` are the digests that an entry describes; nothing is decided on them.
    """

    plan: Plan
    state: RunState = RunState.RUNNING
    opened: ev.RunOpened | None = None
    steps: list[StepState] = field(init=False)
    current: int = 0
    round: int = 0
    purse: Purse = field(init=False)
    outputs: dict[str, str] = field(default_factory=dict)
    pending: Command | None = None
    questions: dict[str, tuple[Question, int]] = field(default_factory=dict)
    deadline_us: int = 0
    ending: tuple[str, str] | None = None
    closed: ev.RunClosed | None = None
    sandboxes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.steps = [StepState.PENDING] * len(self.plan.steps)
        self.purse = Purse(self.plan.budget)

    @property
    def step(self) -> Step:
        """The step that is being executed."""
        return self.plan.steps[self.current]

    @property
    def over(self) -> bool:
        """True when every step is done."""
        return self.current == len(self.plan.steps)

    # -- steps ------------------------------------------------------------------------------

    def _open(self, event: ev.RunOpened, now_us: int) -> list[Command]:
        if self.opened is not None:
            raise InternalError("core.opened_twice", f"run {event.run} is open already")
        self.opened = event
        return self._limit(now_us)

    def _described(self, sandbox: str) -> list[Command]:
        self.sandboxes.add(sandbox)
        return []

    def _limit(self, now_us: int) -> list[Command]:
        if not self.plan.deadline_us:
            return []
        self.deadline_us = now_us + self.plan.deadline_us
        return [SetTimer("run:deadline", self.deadline_us)]

    def _move(self, trigger: str) -> None:
        self.steps[self.current] = advance(STEP, self.steps[self.current], trigger)

    def _begin(self, now_us: int) -> list[Command]:
        if self.over:
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

    def _asked_for(self, step: int, round_: int, kind: str) -> bool:
        asked = self.pending
        return isinstance(asked, Prepare) and (
            (asked.step, asked.round, asked.kind) == (step, round_, kind)
        )

    def _complete(self, output: str) -> None:
        self._move("done")
        self.pending = None
        if self.step.output:
            self.outputs[self.step.output] = output
        self.current += 1

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

    # -- questions --------------------------------------------------------------------------

    def _ask(self, key: str, question: Question, now_us: int) -> list[Command]:
        self.questions[key] = (question, now_us)
        self._rest(idle=True)
        return [self._put(key)]

    def _put(self, key: str) -> Ask:
        question, asked_us = self.questions[key]
        until_us = asked_us + question.expires_us if question.expires_us else 0
        return Ask(key, question.text, question.choices, question.default, until_us)

    def _answer(self, event: ev.Decided, now_us: int) -> list[Command] | None:
        """Take an answer; None when nobody asked or it is no choice."""
        question, asked_us = self.questions.get(event.question, (None, 0))
        if question is None or event.choice not in question.choices:
            return None
        del self.questions[event.question]
        if self.state is RunState.WAITING:
            self.state = advance(RUN, self.state, "decide")
        if not (question.holds_deadline and self.deadline_us):
            return []
        self.deadline_us += now_us - asked_us
        return [SetTimer("run:deadline", self.deadline_us)]

    def _rest(self, *, idle: bool) -> None:
        """Wait when nothing but people can move the run, work otherwise."""
        waits = idle and bool(self.questions)
        if waits and self.state is RunState.RUNNING:
            self.state = advance(RUN, self.state, "ask")
        elif not waits and self.state is RunState.WAITING:
            self.state = advance(RUN, self.state, "decide")
