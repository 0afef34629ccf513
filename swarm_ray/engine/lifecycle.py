"""Lifecycle events: what an entry means to somebody who watches a run.

Decides which of the published events (`swarm.started`, `swarm.converging`,
`swarm.completed`, `swarm.aborted`, `worker.started`, `worker.retried`, `worker.completed`,
`worker.failed`, and `artifact.produced` beside them) an entry yields, by comparing the states of
the machine before and after it. They inform; nothing waits for them. The names are our
reconstruction of a table of the source document (section 6.2) whose rows were lost. Where items have
copies these are about the items, and `copy.started` and `copy.ended` about each copy.
"""

from dataclasses import dataclass, field
from typing import Any

from swarm_ray.core import events as ev
from swarm_ray.core.run import Run
from swarm_ray.core.settling import broken
from swarm_ray.core.tables import SwarmState
from swarm_ray.engine.copy_events import CopyEvents
from swarm_ray.engine.viewer import Viewer

EVENTS = (
    "swarm.started",
    "swarm.converging",
    "swarm.completed",
    "swarm.aborted",
    "worker.started",
    "worker.retried",
    "worker.completed",
    "worker.failed",
    "artifact.produced",
    "copy.started",
    "copy.ended",
)
_REACHED = {
    SwarmState.WORKING: "swarm.started",
    SwarmState.CONVERGING: "swarm.converging",
    SwarmState.CONVERGED: "swarm.completed",
    SwarmState.ABORTED: "swarm.aborted",
}
Record = dict[str, Any]


@dataclass(slots=True)
class Lifecycle:
    """Watches one run. Call `after` with each event once the viewer has taken it."""

    viewer: Viewer
    _states: dict[str, SwarmState] = field(default_factory=dict)
    _copied: dict[str, CopyEvents] = field(default_factory=dict)

    @property
    def run(self) -> Run:
        """The machine of the run."""
        return self.viewer.run

    def after(self, event: ev.Event) -> list[Record]:
        """Return the lifecycle events that this entry caused, in order; each names the `topics`
        that its step and process declare."""
        self._meet()
        copied = [record for one in self._copied.values() for record in one.after(event)]
        found = [*self._workers(event), *copied, *self._swarms()]
        return [{**record, "topics": self._topics(record["swarm"])} for record in found]

    def _topics(self, swarm: str) -> tuple[str, ...]:
        known = self.run.swarms.get(swarm)
        return self.run.plan.steps[known.opened.step].topics if known else ()

    def skip(self) -> None:
        """Take over how the run stands; what led there is told to nobody."""
        for swarm in self.run.swarms.values():
            self._states[swarm.id] = swarm.state
        self._meet()
        for one in self._copied.values():
            one.skip()

    def _meet(self) -> None:
        """Begin to watch the items of new swarms with copies."""
        for swarm in self.run.swarms.values():
            if swarm.panel is not None and swarm.id not in self._copied:
                self._copied[swarm.id] = CopyEvents(self.viewer, swarm)

    def _workers(self, event: ev.Event) -> list[Record]:
        match event:
            case ev.Dispatched(swarm=name) | ev.Settled(swarm=name) if name in self._copied:
                return []
            case ev.Dispatched():
                pairs = zip(event.items, event.attempts, strict=True)
                return [
                    _place(event.swarm, item, attempt)
                    | {"event": "worker.started" if attempt == 1 else "worker.retried"}
                    for item, attempt in pairs
                ]
            case ev.Settled():
                return [found for row in event.rows for found in _settled(event.swarm, row)]
            case _:
                return []

    def _swarms(self) -> list[Record]:
        found: list[Record] = []
        for swarm in self.run.swarms.values():
            before = self._states.get(swarm.id, SwarmState.PLACING)
            if swarm.opened.kind != "fan_out" or before is swarm.state:
                continue
            self._states[swarm.id] = swarm.state
            reached = (*_passed(before, swarm.state), swarm.state)
            found += [
                {"event": _REACHED[state], "swarm": swarm.id}
                for state in reached
                if state in _REACHED
            ]
            if swarm.state is SwarmState.WORKING:
                found[-1]["items"] = swarm.opened.items - swarm.succeeded
            if swarm.state is SwarmState.ABORTED:
                found[-1]["code"] = swarm.code
        return found


def _passed(before: SwarmState, now: SwarmState) -> tuple[SwarmState, ...]:
    """Return the states that one entry led through without stopping there."""
    path = (SwarmState.WORKING, SwarmState.CONVERGING)
    started = before is not SwarmState.PLACING
    if now is SwarmState.CONVERGED and before is not SwarmState.CONVERGING:
        return path[1:] if started else path
    if now is SwarmState.CONVERGING and not started:
        return path[:1]
    return ()


def _place(swarm: str, item: int, attempt: int) -> Record:
    return {"swarm": swarm, "item": item, "attempt": attempt}


def _settled(swarm: str, row: ev.Row) -> list[Record]:
    place = _place(swarm, row.item, row.attempt)
    row = broken(row) if row.rule else row
    if row.status != "ok":
        return [
            {
                "event": "worker.failed",
                **place,
                "status": row.status,
                "code": row.code,
                "error": row.error,
                "duration_us": row.duration_us,
            }
        ]
    found: list[Record] = [
        {
            "event": "worker.completed",
            **place,
            "output": row.output,
            "duration_us": row.duration_us,
        }
    ]
    if row.extras:
        found.append({"event": "artifact.produced", **place, "extras": row.extras})
    return found
