"""Records of a run as they happen, for a plain loop and for `async for`.

Decides nothing but when to ask again: a stream is a cursor over the log, so a slow reader holds
nobody up and loses nothing. It ends when the run is closed or waits for a person.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from swarm_ray.client.following import Follower
from swarm_ray.values.ids import short

WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One lifecycle event. `item` is -1 and `attempt` 0 for events of a whole swarm.

    `output` is the accepted value of `worker.completed`, `error` the text of `worker.failed`;
    `time_us` is log time.
    """

    event: str
    time_us: int
    swarm: str
    item: int = -1
    attempt: int = 0
    status: str = ""
    code: str = ""
    output: Any = None
    error: str = ""
    items: int = 0
    duration_us: int = 0

    @property
    def correlation(self) -> str:
        """The id that people see: `swarm-1a2b3c4d` or `swarm-1a2b3c4d/worker-001`."""
        name = short("swarm", self.swarm)
        return name if self.item < 0 else f"{name}/worker-{self.item:03d}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that the event has, as plain data."""
        record: dict[str, Any] = {
            "event": self.event,
            "time_us": self.time_us,
            "swarm": self.swarm,
            "correlation": self.correlation,
        }
        if self.item >= 0:
            record |= {"item": self.item, "attempt": self.attempt}
        optional = ("status", "code", "error", "items", "duration_us")
        record |= {name: value for name in optional if (value := getattr(self, name))}
        if self.event == "worker.completed":
            record["output"] = self.output
        return record


class Stream(Iterator[StreamRecord], AsyncIterator[StreamRecord]):
    """Iterate it plainly or asynchronously, from the first record on."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._due: deque[StreamRecord] = deque()

    @override
    def __iter__(self) -> "Stream":
        return self

    @override
    def __next__(self) -> StreamRecord:
        while not self._due:
            if self._over():
                raise StopIteration
            self._pull()
        return self._due.popleft()

    @override
    def __aiter__(self) -> "Stream":
        return self

    @override
    async def __anext__(self) -> StreamRecord:
        while not self._due:
            if self._over():
                raise StopAsyncIteration
            await asyncio.to_thread(self._pull)
        return self._due.popleft()

    def _over(self) -> bool:
        return self._follower.ended or self._follower.waiting

    def _pull(self) -> None:
        bodies = self._follower.bodies
        for record in self._follower.pull(WAIT_S):
            self._due.append(
                StreamRecord(
                    record["event"],
                    record["time_us"],
                    record["swarm"],
                    record.get("item", -1),
                    record.get("attempt", 0),
                    record.get("status", ""),
                    record.get("code", ""),
                    bodies.value(record.get("output", "")),
                    bodies.text(record.get("error", "")),
                    record.get("items", 0),
                    record.get("duration_us", 0),
                )
            )
