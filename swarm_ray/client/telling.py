"""Sentences for the entries of a run log.

Decides the words for each kind of entry from the machine's state before and after it. Items of a
small swarm are named one by one; of a large one only those about which something is to be said.
"""

from collections.abc import Sequence
from typing import Final

from swarm_ray.client.following import Bodies
from swarm_ray.client.headline import duration, first_line, money, plural
from swarm_ray.client.phrases import copies_told, cost_told, limits_told, shown, votes_told
from swarm_ray.core import events as ev
from swarm_ray.core.plan import FULL_PPM
from swarm_ray.core.tables import ItemState
from swarm_ray.engine.viewer import Viewer
from swarm_ray.values.ids import short

NAMED_ITEMS: Final = 24
FOLDED_ITEMS: Final = 200
FAILURES_TOLD: Final = 50
_FATES: Final = {
    ItemState.BACKOFF: "It will be tried again after a pause.",
    ItemState.WAITING: "It will be tried again.",
    ItemState.FAILED: "It was given up.",
    ItemState.SKIPPED: "It was skipped.",
    ItemState.REVIEW: "A person decides about it.",
    ItemState.CANCELLED: "It was cancelled.",
}
_ENDS: Final = {
    "done": "The run is done",
    "failed": "The run failed",
    "cancelled": "The run was cancelled",
    "deadline": "The run ran out of time",
    "budget": "The run ran out of budget",
}


class Teller:
    """Takes entries in order through a viewer and returns the sentences of each."""

    def __init__(self, viewer: Viewer, bodies: Bodies) -> None:
        self._viewer = viewer
        self._bodies = bodies
        self._asked: set[str] = set()
        self._tenths: dict[str, int] = {}
        self._failures_told: dict[str, int] = {}

    def take(self, data: bytes) -> list[str]:
        """Take one entry; return what it means in words."""
        held = {name: len(swarm.flights) for name, swarm in self._viewer.run.swarms.items()}
        questions = {key: one[0].text for key, one in self._viewer.run.questions.items()}
        event = self._viewer.take(data)
        return [*self._sentences(event, held, questions), *self._questions()]

    def _sentences(
        self, event: ev.Event, held: dict[str, int], questions: dict[str, str]
    ) -> list[str]:
        match event:
            case ev.RunOpened():
                return self._opened(event)
            case ev.SwarmOpened():
                return [self._swarm_opened(event)]
            case ev.Placed():
                return [self._placed(event)]
            case ev.Dispatched():
                return self._dispatched(event)
            case ev.Settled():
                return self._settled(event)
            case ev.HostLost():
                return self._host_lost(event, held)
            case ev.Decided():
                return [self._decided(event, questions.get(event.question, event.question))]
            case _:
                return self._ending(event)

    def _ending(self, event: ev.Event) -> list[str]:
        match event:
            case ev.StepRefused():
                step = self._viewer.plan.steps[event.step].name
                return [f"Step {step!r} could not start ({event.code}){self._detail(event.detail)}"]
            case ev.Converged():
                return [self._converged(event)]
            case ev.ConvergeRefused():
                name = short("swarm", event.swarm)
                return [f"{name} did not converge ({event.code}){self._detail(event.detail)}"]
            case ev.EffectSettled():
                return [self._effect(event)]
            case ev.Stranded():
                return [self._stranded(event)]
            case ev.TimerFired():
                return self._timer(event.key)
            case ev.CancelAsked():
                what = "the run" if event.item < 0 else self._worker(event.swarm, event.item)
                return [f"{event.by} cancelled {what}."]
            case ev.RunResumed():
                again = "; what failed is tried again" if event.failed else ""
                return [f"{event.by} resumed the run{again}."]
            case ev.RunClosed():
                code = f" ({event.code})" if event.code else ""
                return [f"{_ENDS[event.status]}{code}."]
            case _:
                return []

    # -- opening ----------------------------------------------------------------------------

    def _opened(self, event: ev.RunOpened) -> list[str]:
        isolation = f", isolation {event.isolation}" if event.isolation else ""
        lines = [
            f"The run of {event.process} was opened for tenant {event.tenant}"
            f" (bundle {event.bundle[:12]}{isolation})."
        ]
        inputs = self._bodies.value(event.inputs)
        if isinstance(inputs, dict) and inputs:
            told = ", ".join(f"{name} = {shown(value, 80)}" for name, value in inputs.items())
            lines.append(f"Its inputs: {told}.")
        return lines

    def _swarm_opened(self, event: ev.SwarmOpened) -> str:
        name = short("swarm", event.swarm)
        step = self._viewer.plan.steps[event.step]
        number = f"Step {event.step + 1}, {step.name!r},"
        match event.kind:
            case "fan_out":
                assert step.fan_out is not None
                return (
                    f"{number} fanned out over {plural(event.items, 'item')}: {name},"
                    f" {limits_told(step.fan_out)}."
                )
            case "step":
                return f"{number} began as {name}."
            case "converge":
                return f"The convergence of step {step.name!r} began in its own sandbox: {name}."
            case "on_error":
                return f"An error clause of step {step.name!r} began: {name}."

    def _placed(self, event: ev.Placed) -> str:
        where = ", ".join(
            f"{plural(count, 'item')} at site {site or 'any'}"
            for count, site in event.assignments[:6]
        )
        unsure = 0 < event.probability_ppm < FULL_PPM
        sure = f", in time with {event.probability_ppm / 1e4:.1f} %" if unsure else ""
        cost = f", estimated {money(event.cost_microusd)}" if event.cost_microusd else ""
        return f"{short('swarm', event.swarm)} was placed: {where or 'nothing'}{sure}{cost}."

    # -- work -------------------------------------------------------------------------------

    def _dispatched(self, event: ev.Dispatched) -> list[str]:
        if self._folded(event.swarm):
            return []
        if event.domain:
            workers = self._workers(event.swarm, event.items)
            return [f"Copies of {workers} went to {event.host} of {event.domain}."]
        pairs = list(zip(event.items, event.attempts, strict=True))
        again = [(item, attempt) for item, attempt in pairs if attempt > 1]
        first = [item for item, attempt in pairs if attempt == 1]
        lines = []
        if first:
            lines.append(f"{self._workers(event.swarm, first)} went to {event.host}.")
        for item, attempt in again:
            lines.append(
                f"{self._worker(event.swarm, item)} was tried again at {event.host}"
                f" (attempt {attempt})."
            )
        return lines

    def _settled(self, event: ev.Settled) -> list[str]:
        good = [row for row in event.rows if row.status == "ok" and not row.rule]
        bad = [row for row in event.rows if row.status != "ok" or row.rule]
        if self._folded(event.swarm):
            return [*self._milestone(event.swarm), *self._failures(event, bad)]
        lines = []
        if good:
            spans = sorted(row.duration_us for row in good)
            took = duration(spans[0])
            if len(spans) > 1:
                took = f"{took} to {duration(spans[-1])}"
            names = self._workers(event.swarm, [row.item for row in good])
            lines.append(f"{names} succeeded ({took}{cost_told(good)}).")
        return lines + [self._failed(event, row) for row in bad]

    def _folded(self, swarm: str) -> bool:
        machine = self._viewer.run.swarms.get(swarm)
        return machine is not None and machine.opened.items > FOLDED_ITEMS

    def _milestone(self, swarm: str) -> list[str]:
        """Tell each tenth of a large swarm once."""
        machine = self._viewer.run.swarms[swarm]
        tenth = machine.succeeded * 10 // machine.opened.items
        if tenth <= self._tenths.get(swarm, 0):
            return []
        self._tenths[swarm] = tenth
        return [
            f"{short('swarm', swarm)}: {machine.succeeded:,} of"
            f" {plural(machine.opened.items, 'worker')} have succeeded."
        ]

    def _failures(self, event: ev.Settled, rows: Sequence[ev.Row]) -> list[str]:
        """Tell the first failures of a large swarm, then say that the rest is only counted."""
        told = self._failures_told.get(event.swarm, 0)
        self._failures_told[event.swarm] = told + len(rows)
        lines = [self._failed(event, row) for row in rows[: max(0, FAILURES_TOLD - told)]]
        if told < FAILURES_TOLD <= told + len(rows):
            lines.append(
                f"Further failures of {short('swarm', event.swarm)} are not told one by one;"
                " ask for the story of an item."
            )
        return lines

    def _failed(self, event: ev.Settled, row: ev.Row) -> str:
        swarm = self._viewer.run.swarms.get(event.swarm)
        state = ItemState(swarm.items[row.item]) if swarm is not None else ItemState.FAILED
        fate = _FATES.get(state, "")
        why = first_line(self._bodies.text(row.error))
        name = self._worker(event.swarm, row.item)
        if row.rule:
            because = f": {why}" if why else ""
            told = f"The result of {name} breaks rule {row.rule} of the swarm{because}."
            return f"{told} {fate}".strip()
        if row.status == "cancelled":
            return f"{name} was stopped (attempt {row.attempt}). {fate}".strip()
        return (
            f"{name} failed in attempt {row.attempt} after {duration(row.duration_us)}"
            f" ({row.status}, {row.code}){': ' + why if why else ''}. {fate}".strip()
        )

    def _host_lost(self, event: ev.HostLost, held: dict[str, int]) -> list[str]:
        run = self._viewer.run
        lost = sum(
            before - len(run.swarms[name].flights) for name, before in held.items() if before
        )
        what = f"; {plural(lost, 'attempt')} it held counts as lost" if lost else ""
        return [f"Host {event.host} was given up ({event.reason or 'no word from it'}){what}."]

    def _stranded(self, event: ev.Stranded) -> str:
        name, swarm = short("swarm", event.swarm), self._viewer.run.swarms.get(event.swarm)
        if not event.items:
            return f"No item of {name} waits for a host of another trust domain any more."
        items = f"{plural(event.items, 'item')} of {name}"
        rule = swarm.spec.redundancy if swarm is not None else None
        if rule is None:
            return f"No host of our own organisation is there to try {items} again."
        there = plural(event.domains, rule.across)
        return (
            f"No host is there that may take {items}: hosts are in {there}, and every copy of an item"
            f" needs another."
        )

    def _timer(self, key: str) -> list[str]:
        name, _, what = key.partition(":")
        if key == "run:deadline":
            return ["The deadline of the run came due."]
        if what == "deadline":
            return [f"The deadline of {short('swarm', name)} passed; nothing new was started."]
        swarm = self._viewer.run.swarms.get(name)
        if what == "stranded" and swarm is not None and swarm.ending == "stranded":
            return [f"No such host came; nothing more was started in {short('swarm', name)}."]
        if what == "drained":
            return [f"The last attempts of {short('swarm', name)} were not waited for any longer."]
        return []

    # -- converging, effects, people --------------------------------------------------------

    def _converged(self, event: ev.Converged) -> str:
        swarm = self._viewer.run.swarms[event.swarm]
        report = self._bodies.value(event.report) or {}
        votes = report.get("votes")
        told = f"; votes: {votes_told(votes)}" if votes else ""
        if "copies" in report:
            told += f"; {copies_told(report['copies'])}"
        partial = ", with partial results" if report.get("partial") else ""
        return (
            f"{short('swarm', event.swarm)} converged by"
            f" {swarm.spec.convergence.strategy}: {swarm.succeeded} of"
            f" {plural(swarm.opened.items, 'item')}{partial}{told}."
        )

    def _effect(self, event: ev.EffectSettled) -> str:
        step = self._viewer.plan.steps[event.step]
        tool = step.effect.tool if step.effect else "the effect"
        outcome = self._bodies.value(event.outcome)
        what = f": {shown(outcome, 200)}" if outcome is not None else ""
        code = f" ({event.code})" if event.code else ""
        ends = {
            "done": "happened",
            "refused": "was refused",
            "failed": "failed; nothing was changed",
            "unknown": "has an unknown outcome and is not started again",
        }
        return f"The effect {tool} of step {step.name!r} {ends[event.status]}{code}{what}."

    def _decided(self, event: ev.Decided, text: str) -> str:
        who = "Nobody answered in time, so" if event.by == "default" else f"{event.by} decided:"
        reason = self._bodies.text(event.reason)
        because = f" Reason: {first_line(reason)}." if reason else ""
        return f"{who} {text!r} was answered with {event.choice!r}.{because}"

    def _questions(self) -> list[str]:
        lines = []
        now = self._viewer.run.questions
        for key, (question, _) in sorted(now.items()):
            if key not in self._asked:
                choices = ", ".join(question.choices)
                lines.append(f"A person was asked {key}: {question.text} ({choices})")
        self._asked = set(now)
        return lines

    # -- names ------------------------------------------------------------------------------

    def _detail(self, commitment: str) -> str:
        text = first_line(self._bodies.text(commitment), 400)
        return f": {text}" if text else "."

    def _worker(self, swarm: str, item: int) -> str:
        return f"{short('swarm', swarm)}/worker-{item:03d}"

    def _workers(self, swarm: str, items: Sequence[int]) -> str:
        if len(items) == 1:
            return self._worker(swarm, items[0])
        name = short("swarm", swarm)
        machine = self._viewer.run.swarms.get(swarm)
        total = machine.opened.items if machine is not None else len(items)
        if total > NAMED_ITEMS:
            return f"{name}: {len(items)} workers ({min(items):03d} to {max(items):03d})"
        return f"{name}: workers {', '.join(f'{item:03d}' for item in items)}"
