"""Records of a run as they happen, for a plain loop and for `async for`.

Decides nothing but when to ask again: a stream is a cursor over the log, so a slow reader holds
nobody up and loses nothing. It ends when the run is closed or waits for a person.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

from typing_extensions import override

from swarm_ray.client.artifacts import artifacts_in
from swarm_ray.client.following import Bodies, Follower
from swarm_ray.engine.lifecycle import Record
from swarm_ray.errors import UsageError
from swarm_ray.values.ids import short

WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One lifecycle event. `item` is -1 and `attempt` 0 for events of a whole swarm.

    `output` is the accepted value of `worker.completed`, `error` the text of `worker.failed`,
    `name` and `reference` those of the file of `artifact.produced`, one record per file;
    `handle.artifact(reference)` returns its bytes. `topics` are the `event_topics` that process
    and blueprint declare; `time_us` is log time.
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
    name: str = ""
    reference: str = ""
    topics: tuple[str, ...] = ()

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
        optional = ("status", "code", "error", "items", "duration_us", "name", "reference")
        record |= {name: value for name in optional if (value := getattr(self, name))}
        if self.topics:
            record["topics"] = list(self.topics)
        if self.event == "worker.completed":
            record["output"] = self.output
        return record


class Stream(Iterator[StreamRecord], AsyncIterator[StreamRecord]):
    """Iterate it plainly or asynchronously, from the first record on.

    Args:
        follower: cursor that nobody else reads.
        topic: yield only what is published under this topic; all when empty.

    Raises:
        UsageError: `stream.unknown_topic`: no step declares it.
    """

    def __init__(self, follower: Follower, topic: str = "") -> None:
        self._follower = follower
        self._topic = topic
        if topic and topic not in (declared := follower.topics()):
            raise UsageError(
                "stream.unknown_topic",
                f"no step of the run publishes under the topic {topic!r}",
                hint=f"declared under event_topics: {', '.join(declared) or 'none'}",
            )
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
        for record in self._follower.pull(WAIT_S):
            if not self._topic or self._topic in record["topics"]:
                self._due += _told(record, self._follower.bodies)


def _told(record: Record, bodies: Bodies) -> list[StreamRecord]:
    """Return a lifecycle record with its texts; one for each file that an attempt made."""
    told = StreamRecord(
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
        topics=record["topics"],
    )
    if "extras" not in record:
        return [told]
    made = artifacts_in(record["extras"], bodies.value(record["extras"]))
    return [replace(told, name=one.name, reference=one.reference) for one in made]
