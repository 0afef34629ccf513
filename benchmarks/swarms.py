"""What the suites let a swarm do, and what a run's log says about it afterwards.

Every time is taken from the log: from the entry that opens the fan-out to the entry that says it
converged, both stamped by the coordinator's clock.
"""

# mypy: disable-error-code="no-untyped-def"

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from swarm_ray.core.events import Converged, Dispatched, Settled, SwarmOpened
from swarm_ray.engine.history import read_entry
from swarm_ray.ledger.reader import Reader


def noop(item):  # what a worker executes: annotated names would travel with it
    return item


def pause(item):  # the item is the number of seconds
    time.sleep(item)
    return item


def traced(item):  # leaves a line when it is finished; possible under isolation `none` only
    time.sleep(0.05)
    with open(item["trace"], "a") as out:  # noqa: PTH123  # pathlib would be one more import
        out.write(f"{item['number']}\n")
    return item["number"]


@dataclass(frozen=True, slots=True)
class Told:
    """What the log of a run with one fan-out says."""

    swarm_s: float
    entries: int
    log_bytes: int
    items: int
    attempts: int
    kinds: dict[str, int]

    def plain(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def entries_of(folder: Path, run: str) -> Iterator[tuple[Any, dict[str, Any], int]]:
    """Yield event, record and size of every entry of a run."""
    with Reader.open_readonly(folder) as reader:
        for data in reader.entries(run):
            event, record = read_entry(data)
            yield event, record, len(data)


def told(folder: Path, run: str) -> Told:
    """Read the log of a run that is over."""
    opened_us = converged_us = size = items = attempts = 0
    kinds: dict[str, int] = {}
    for event, record, length in entries_of(folder, run):
        size += length
        kinds[record["kind"]] = kinds.get(record["kind"], 0) + 1
        match event:
            case SwarmOpened(kind="fan_out"):
                opened_us, items = record["time_us"], event.items
            case Dispatched():
                attempts += len(event.items)
            case Converged():
                converged_us = record["time_us"]
            case _:
                continue
    seconds = (converged_us - opened_us) / 1e6
    return Told(seconds, sum(kinds.values()), size, items, attempts, kinds)


def settled_ok(folder: Path, run: str) -> set[tuple[str, int]]:
    """Return the items (swarm, ordinal) whose success is durable."""
    return {
        (event.swarm, row.item)
        for event, _, _ in entries_of(folder, run)
        if isinstance(event, Settled)
        for row in event.rows
        if row.status == "ok"
    }
