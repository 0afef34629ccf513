"""Entries of a run log and the runs they replay to.

Decides how an event is framed as an entry (log time, epoch, what had been acted on) and rebuilds
a run from its entries, comparing the digest of the commands that followed at the time with what
follows now. It never performs a command and never writes.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from swarm_ray.core.commands import Command, command_to_record
from swarm_ray.core.events import SEMANTICS, Event, RunOpened, event_from_record, event_to_record
from swarm_ray.core.plan import Plan
from swarm_ray.core.run import Run
from swarm_ray.errors import IntegrityError
from swarm_ray.values.codec import decode, encode

DIGEST_CHARS = 16


@dataclass(slots=True)
class Thread:
    """A run with its place in its log: size, last log time, digest of all commands so far."""

    run: Run
    size: int = 0
    time_us: int = 0
    handled: int = 0
    digest: str = ""
    events: dict[str, int] = field(default_factory=dict)

    def frame(self, event: Event, epoch: int, now_us: int, *, first: bool) -> bytes:
        """Return the entry bytes of the next event; the first of a commit says what was acted
        on before it: [entries handled, digest of their commands]."""
        self.time_us = max(self.time_us, now_us)
        record = event_to_record(event)
        record["time_us"] = self.time_us
        record["epoch"] = epoch
        if first and self.handled:
            record["acted"] = [self.handled, self.digest]
        return encode(record)

    def handle(self, event: Event, time_us: int) -> list[Command]:
        """Apply one durable event and fold its commands into the digest."""
        commands = self.run.handle(event, time_us)
        self.handled += 1
        self.digest = commands_digest(self.digest, commands)
        return commands


def commands_digest(before: str, commands: Iterable[Command]) -> str:
    """Chain the digest of what followed from one more entry."""
    records = [command_to_record(command) for command in commands]
    data = before.encode() + encode(records, max_bytes=None)
    return hashlib.sha256(data).hexdigest()[:DIGEST_CHARS]


def read_entry(data: bytes) -> tuple[Event, dict[str, Any]]:
    """Return the event of an entry and its whole record."""
    record: dict[str, Any] = decode(data)
    return event_from_record({"kind": record.get("kind"), "event": record.get("event")}), record


def replay(entries: Iterable[bytes], plan_of: Callable[[RunOpened], Plan]) -> Thread:
    """Rebuild a run from its entries.

    Args:
        entries: all entries of the run log, in order.
        plan_of: the plan that the first entry names.

    Raises:
        IntegrityError: `replay.not_opened`, `replay.unknown_semantics`, `replay.diverged` with
            the number of the first entry that no longer gives the commands it gave.
    """
    thread: Thread | None = None
    digests: dict[int, str] = {}
    for number, data in enumerate(entries):
        event, record = read_entry(data)
        if thread is None:
            thread = Thread(Run(plan_of(_opening(event))))
        _compare(record.get("acted"), digests, number)
        thread.size += 1
        thread.time_us = record["time_us"]
        thread.handle(event, thread.time_us)
        digests[thread.handled] = thread.digest
        if len(digests) > 4 * DIGEST_CHARS:
            del digests[next(iter(digests))]
    if thread is None:
        raise IntegrityError("replay.not_opened", "the run log is empty")
    return thread


def _opening(event: Event) -> RunOpened:
    if not isinstance(event, RunOpened):
        raise IntegrityError("replay.not_opened", "the first entry does not open a run")
    if event.semantics != SEMANTICS:
        raise IntegrityError(
            "replay.unknown_semantics",
            f"this log needs semantics {event.semantics}, this version has {SEMANTICS}",
            hint="use the version of swarm_ray that wrote it",
        )
    return event


def _compare(acted: Any, digests: dict[int, str], number: int) -> None:
    if acted is None:
        return
    handled, digest = acted
    if digests.get(handled, digest) != digest:
        raise IntegrityError(
            "replay.diverged",
            f"entry {number}: the first {handled} entries led to other commands when it was written",
            hint="the code changed without a new semantics number, or the log was altered",
        )
