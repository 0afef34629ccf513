"""How long the attempts of a swarm would have taken one after the other, as far as a log tells.

Decides what of a duration was measured under the load of others. An attempt that shares
processors takes longer than it would alone, so a sum of durations says nothing about sequence.
What it would take alone is at least its processor time and the time in which not even one
processor of its host was kept busy by the swarm: whatever it waited for then was no processor.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, Protocol


class Timed(Protocol):
    """An attempt with its times and its processor time on its host's clock, all in µs; its result
    was accepted when `status` is `ok`."""

    @property
    def host(self) -> str:
        """Whose clock and processors these are."""

    @property
    def status(self) -> str:
        """How it ended."""

    @property
    def start_us(self) -> int:
        """When it began; 0 when it never did."""

    @property
    def duration_us(self) -> int:
        """How long it took."""

    @property
    def cpu_us(self) -> int:
        """The processor time it used."""


class Attempt(NamedTuple):
    """The times of one attempt and nothing else."""

    host: str
    status: str
    start_us: int
    duration_us: int
    cpu_us: int


def sequential_us(attempts: Iterable[Timed]) -> int:
    """Return the least that the accepted attempts would have taken one after the other, in µs.

    An attempt's processor time is taken as spread evenly over its duration. Processors that work
    for anybody else, a model in the host's own process say, are taken as free.
    """
    by_host = sorted(attempts, key=attrgetter("host"))
    return round(
        sum(_on_host(tuple(group)) for _, group in groupby(by_host, key=attrgetter("host")))
    )


def _on_host(attempts: Sequence[Timed]) -> float:
    timed = [one for one in attempts if one.start_us and one.duration_us]
    free = _free_us(timed)
    least = sum(one.cpu_us for one in attempts if one.status == "ok")
    waited = sum(
        free[one.start_us + one.duration_us] - free[one.start_us]
        for one in timed
        if one.status == "ok"
    )
    return least + waited


def _free_us(attempts: Sequence[Timed]) -> dict[int, float]:
    """Return, for each start and end of an attempt, the time before it that the attempts left
    free of one processor, in µs."""
    changes: list[tuple[int, float]] = []
    for one in attempts:
        share = one.cpu_us / one.duration_us
        changes += [(one.start_us, share), (one.start_us + one.duration_us, -share)]
    found: dict[int, float] = {}
    before_us, free_us, busy = 0, 0.0, 0.0
    for time_us, change in sorted(changes):
        free_us += (time_us - before_us) * max(0.0, 1.0 - busy)
        found[time_us] = free_us
        before_us, busy = time_us, busy + change
    return found
