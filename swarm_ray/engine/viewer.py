"""The fold of a run log: the machine itself plus what it forgets once it has decided.

Decides how entries add up to attempts, decisions, effects and times. It never reads bodies and
never performs a command.
"""

from collections.abc import Iterable

from swarm_ray.core import events as ev
from swarm_ray.core.plan import Plan
from swarm_ray.core.run import Run
from swarm_ray.core.settling import broken
from swarm_ray.core.swarm import Swarm
from swarm_ray.core.tables import RunState, SwarmState
from swarm_ray.engine.history import read_entry
from swarm_ray.engine.views import (
    AttemptView,
    DecisionView,
    EffectView,
    QuestionView,
    RunView,
    StepView,
    SwarmView,
    kind_of_step,
)


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
        self._copies: dict[str, dict[str, AttemptView]] = {}
        self._sent: dict[str, dict[tuple[int, int], tuple[str, int]]] = {}
        self._ended: dict[str, int] = {}
        self._merged: dict[str, tuple[str, str]] = {}
        self._placed: dict[str, tuple[str, str]] = {}
        self._effects: list[EffectView] = []
        self._decisions: list[DecisionView] = []
        self._refusals: list[tuple[str, str, str]] = []
        self._waits: list[tuple[int, int]] = []
        self._waiting = False

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
        self._wait()
        return event

    def _wait(self) -> None:
        """Note since when the run waits for a person, or until when it did."""
        waiting = self.run.state is RunState.WAITING
        if self._waiting:
            self._waits[-1] = self._waits[-1][0], self.time_us
        elif waiting:
            self._waits.append((self.time_us, self.time_us))
        self._waiting = waiting

    def _waited_us(self, since_us: int, until_us: int) -> int:
        return sum(
            max(0, min(end_us, until_us) - max(start_us, since_us))
            for start_us, end_us in self._waits
        )

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
        for item, attempt in zip(event.items, event.attempts, strict=True):
            flight = swarm.flights.get(swarm.find(item, attempt))
            if flight is not None and flight.batch == event.batch:
                sent[item, attempt] = (event.host, self.time_us)

    def _settle(self, event: ev.Settled) -> None:
        sent = self._sent.get(event.swarm, {})
        for row in event.rows:
            if (row.item, row.attempt) not in sent:
                continue  # a stale row: the machine ignores it as well
            host, sent_us = sent.pop((row.item, row.attempt))
            if _never_began(row):
                continue
            if row.rule:
                row = broken(row)
            view = AttemptView(
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
                event.sandbox,
                row.model,
            )
            self._attempts.setdefault(event.swarm, []).append(view)
            if row.output and self.run.swarms[event.swarm].panel is not None:
                self._copies.setdefault(event.swarm, {})[row.output] = view

    def _lose(self, code: str) -> None:
        for name, sent in self._sent.items():
            swarm = self.run.swarms[name]
            held = swarm.opened.slice_tokens, swarm.opened.slice_microusd
            for item, attempt in [one for one in sent if swarm.find(*one) < 0]:
                host, sent_us = sent.pop((item, attempt))
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

    def copy_of(self, swarm: str, output: str) -> AttemptView | None:
        """Return the copy that brought an output, by its commitment; None where none did."""
        return self._copies.get(swarm, {}).get(output)

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
            waited_us=self._waited_us(self._opened_us, self.time_us),
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
        view.attempts = sum(len(swarm.attempts) for swarm in view.swarms)
        for swarm in run.swarms.values():
            view.tokens += swarm.usage.tokens
            view.microusd += swarm.usage.microusd
            view.cpu_us += swarm.usage.cpu_us
            view.work_us += swarm.usage.work_us
            view.sub_agents += swarm.usage.sub_agents
        return view

    def _swarm(self, swarm: Swarm) -> SwarmView:
        result, report = self._merged.get(swarm.id, ("", ""))
        site, solver = self._placed.get(swarm.id, ("", ""))
        ended_us = self._ended.get(swarm.id, self.time_us)
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
            ended_us=ended_us,
            state=swarm.state.value,
            code=swarm.code if swarm.state is SwarmState.ABORTED else "",
            succeeded=swarm.succeeded,
            running=min(len(swarm.flights), swarm.spec.concurrency),
            queued=max(0, len(swarm.flights) - swarm.spec.concurrency),
            states=bytes(swarm.items),
            accepted=swarm.accepted(),
            outputs=dict(swarm.outputs),
            labels=dict(swarm.labels),
            result=result,
            report=report,
            attempts=self._attempts.get(swarm.id, []),
            site=site,
            solver=solver,
            waited_us=self._waited_us(swarm.opened_us, ended_us),
            codes={item: code for item, (code, _) in swarm.failures.items()},
            stranded=swarm.stranding.items,
        )


def _never_began(row: ev.Row) -> bool:
    """Say whether an attempt was withdrawn while it waited for a lane: it has no other field."""
    return row == ev.Row(row.item, row.attempt, "cancelled", code=row.code)
