"""Lifecycle events of items with copies: an item has one result, whatever its copies say.

Decides what of an entry is about a copy (`copy.started`, `copy.ended`) and what about its item, by
comparing the states of the items before and after it. A result that is doubted again is told as
`worker.retried`, and as `worker.completed` once more when there is a new one.
"""

from collections.abc import Iterator
from typing import Any

from swarm_ray.core import events as ev
from swarm_ray.core.backlog import SETTLED_STATES
from swarm_ray.core.settling import broken
from swarm_ray.core.swarm import Swarm
from swarm_ray.core.tables import ItemState
from swarm_ray.engine.viewer import Viewer

Record = dict[str, Any]
CHUNK = 256
"""States are compared so many at a time: of a large swarm an entry changes few."""


class CopyEvents:
    """Watches one swarm whose items have copies."""

    def __init__(self, viewer: Viewer, swarm: Swarm) -> None:
        self._viewer = viewer
        self._swarm = swarm
        self._states = bytes(swarm.opened.items)
        self._begun: set[int] = set()
        self._out: dict[tuple[int, int], None] = {}

    def skip(self) -> None:
        """Take over how the items stand; what led there is told to nobody."""
        swarm = self._swarm
        self._states = bytes(swarm.items)
        self._begun = {item for item, count in enumerate(swarm.attempts) if count}
        out = [(swarm.item_of(key), flight.attempt) for key, flight in swarm.flights.items()]
        self._out = dict.fromkeys(out)

    def after(self, event: ev.Event) -> list[Record]:
        """Return what an entry means for the copies and for the items, in this order."""
        found = list(self._copies(event))
        for item in self._changed():
            found += self._item(item)
        self._states = bytes(self._swarm.items)
        return found

    def _copies(self, event: ev.Event) -> Iterator[Record]:
        match event:
            case ev.Dispatched() if event.swarm == self._swarm.id:
                yield from self._dispatched(event)
            case ev.Settled() if event.swarm == self._swarm.id:
                for row in event.rows:
                    if (row.item, row.attempt) in self._out:  # otherwise it is stale
                        yield self._ended(row)
            case ev.HostLost() | ev.TimerFired():
                for item, attempt in [one for one in self._out if self._swarm.find(*one) < 0]:
                    yield self._ended(ev.Row(item, attempt, "lost", code="host.lost"))
            case _:
                return

    def _record(self, event: str, item: int, attempt: int, **more: Any) -> Record:
        place = {"swarm": self._swarm.id, "item": item, "attempt": attempt}
        return {"event": event, **place, **more}

    def _dispatched(self, event: ev.Dispatched) -> Iterator[Record]:
        for item, attempt in zip(event.items, event.attempts, strict=True):
            if self._swarm.find(item, attempt) < 0:
                continue  # it is not wanted any more
            self._out[item, attempt] = None
            if item not in self._begun:
                self._begun.add(item)
                yield self._record("worker.started", item, attempt)
            yield self._record("copy.started", item, attempt)

    def _ended(self, row: ev.Row) -> Record:
        del self._out[row.item, row.attempt]
        row = broken(row) if row.rule else row
        more = {"status": row.status, "code": row.code, "duration_us": row.duration_us}
        return self._record("copy.ended", row.item, row.attempt, error=row.error, **more)

    def _changed(self) -> Iterator[int]:
        """Yield the items whose states are others than before."""
        before, now = self._states, self._swarm.items
        if before == now:
            return
        for start in range(0, len(now), CHUNK):
            if before[start : start + CHUNK] != now[start : start + CHUNK]:
                for item in range(start, min(start + CHUNK, len(now))):
                    if before[item] != now[item]:
                        yield item

    def _item(self, item: int) -> list[Record]:
        state = ItemState(self._swarm.items[item])
        if state is ItemState.DONE:
            return self._completed(item)
        if state in SETTLED_STATES and item in self._begun:
            code = self._swarm.failures.get(item, ("", 0))[0]
            status = state.name.lower()
            return [self._record("worker.failed", item, 0, status=status, code=code)]
        if self._states[item] in SETTLED_STATES and item in self._begun:
            return [self._record("worker.retried", item, 0)]
        return []

    def _completed(self, item: int) -> list[Record]:
        output = self._swarm.outputs[item]
        taken = self._viewer.copy_of(self._swarm.id, output)
        if taken is None:  # the declared default, which no copy said
            return [self._record("worker.completed", item, 0, output=output, duration_us=0)]
        attempt, took_us = taken.attempt, taken.duration_us
        told = self._record("worker.completed", item, attempt, output=output, duration_us=took_us)
        if not taken.extras:
            return [told]
        return [told, self._record("artifact.produced", item, attempt, extras=taken.extras)]
