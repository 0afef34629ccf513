"""Entries of a run log and the runs they replay to.

Decides how an event is framed as an entry (log time, epoch, what had been acted on) and rebuilds
a run from its entries, comparing the digest of the commands that followed at the time with what
follows now. It never performs a command and never writes.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from swarm_ray.core.commands import Command, command_to_record
from swarm_ray.core.events import (
    SEMANTICS,
    Event,
    RunOpened,
    Settled,
    event_from_record,
    event_to_record,
    name_of,
)
from swarm_ray.core.plan import Plan
from swarm_ray.core.run import Run
from swarm_ray.errors import IntegrityError
from swarm_ray.values.codec import decode, encode

DIGEST_CHARS = 16
_BATCH = re.compile(rb'"event":\{"batch":(\d+),')

E = TypeVar("E", bound=Event)


@dataclass(slots=True)
class Thread:
    """A run with its place in its log: size, last log time, digest of all commands so far."""

    run: Run
    size: int = 0
    time_us: int = 0
    handled: int = 0
    digest: str = ""

    def frame(self, event: Event, epoch: int, now_us: int, *, first: bool) -> bytes:
        """Return the entry bytes of the next event.

        The first entry of a commit says what was acted on before it: [entries handled, digest of
        their commands].

        Raises:
            UsageError: `codec.*` when the event cannot be an entry.
        """
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
    """Return the event of an entry and its whole record.

    Raises:
        IntegrityError: `codec.*`, `event.unknown_kind`, `record.*`, or `replay.bad_frame` when
            what surrounds the event is not as `Thread.frame` writes it.
    """
    record = decode(data)
    if not isinstance(record, dict) or not _framed(record):
        raise IntegrityError("replay.bad_frame", "this is no entry of a run log")
    return event_from_record({"kind": record["kind"], "event": record["event"]}), record


def entries_of(entries: Iterable[bytes], kind: type[E]) -> Iterator[tuple[E, dict[str, Any]]]:
    """Yield the events of one kind with their records, in order; the others are not decoded, for
    in canonical form the kind of an entry can be found as text.

    Raises:
        IntegrityError: what `read_entry` raises for one of this kind.
    """
    mark = f'"kind":"{name_of(kind)}"'.encode()
    for data in entries:
        if mark in data:
            event, record = read_entry(data)
            if isinstance(event, kind):
                yield event, record


def settled_of(entries: Iterable[bytes], batches: Collection[int]) -> Iterator[Settled]:
    """Yield the results of batches of these numbers; of the other results none is decoded, since the
    number of their batch is the first field of the event.

    Raises:
        IntegrityError: what `read_entry` raises for one of them.
    """
    found = ((_BATCH.search(data), data) for data in entries)
    wanted = (data for match, data in found if match is not None and int(match[1]) in batches)
    return (event for event, _ in entries_of(wanted, Settled))


def _framed(record: dict[str, Any]) -> bool:
    acted = record.get("acted", [0, ""])
    return (
        record.keys() - {"acted"} == {"kind", "event", "time_us", "epoch"}
        and (type(record["kind"]), type(record["time_us"]), type(record["epoch"]))
        == (str, int, int)
        and isinstance(acted, list)
        and [type(part) for part in acted] == [int, str]
    )


def replay(
    entries: Iterable[bytes],
    plan_of: Callable[[RunOpened], Plan],
    thread: Thread | None = None,
) -> Thread:
    """Rebuild a run from its entries.

    Args:
        entries: all entries of the run log in order, or those behind `thread`.
        plan_of: the plan that the first entry names.
        thread: the run as it was at an earlier size; it is moved on.

    Raises:
        IntegrityError: `replay.not_opened`, `replay.unknown_semantics`, `replay.diverged` with
            the number of the first entry that no longer gives the commands it gave, or what
            `read_entry` raises.
    """
    for data in entries:
        event, record = read_entry(data)
        if thread is None:
            thread = Thread(Run(plan_of(opening(event))))
        _compare(record, thread)
        thread.size += 1
        thread.time_us = record["time_us"]
        thread.handle(event, thread.time_us)
    if thread is None:
        raise IntegrityError("replay.not_opened", "the run log is empty")
    return thread


def opening(event: Event) -> RunOpened:
    """Return the first event of a run log.

    Raises:
        IntegrityError: `replay.not_opened`, `replay.unknown_semantics`.
    """
    if not isinstance(event, RunOpened):
        raise IntegrityError("replay.not_opened", "the first entry does not open a run")
    if event.semantics != SEMANTICS:
        raise IntegrityError(
            "replay.unknown_semantics",
            f"this log needs semantics {event.semantics}, this version has {SEMANTICS}",
            hint="use the version of swarm_ray that wrote it",
        )
    return event


def _compare(record: dict[str, Any], thread: Thread) -> None:
    number = thread.size
    if record["time_us"] < thread.time_us:
        raise IntegrityError("replay.diverged", f"entry {number}: log time runs backwards")
    if record.get("acted", [thread.handled, thread.digest]) != [thread.handled, thread.digest]:
        raise IntegrityError(
            "replay.diverged",
            f"entry {number}: the entries before it led to other commands when it was written",
            hint="the code changed without a new semantics number, or the log was altered",
        )
