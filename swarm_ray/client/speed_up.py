"""What a fan-out gained over doing the same work in sequence, as far as a log tells.

Decides what of a duration was measured under the load of others. An attempt that shares
processors takes longer than it would alone, so a sum of durations says nothing about sequence.
What it would take alone is at least its processor time and the time in which not even one
processor of its host was kept busy by the swarm: whatever it waited for then was no processor.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from swarm_ray.engine.converging import BREAK_EVEN_ITEMS
from swarm_ray.engine.views import AttemptView, RunView


@dataclass(frozen=True, slots=True)
class SpeedUp:
    """What one fan-out gained: the least that its accepted attempts would have taken one after
    the other, and the measured wall time without waiting for a person, both in µs."""

    step: str
    items: int
    sequential_us: int
    measured_us: int

    @property
    def factor(self) -> float:
        """How many times faster than one item after the other, at least."""
        return self.sequential_us / max(1, self.measured_us)

    @property
    def told(self) -> str:
        """The factor in words."""
        if self.factor < 1:
            return "no gain that the log can show"
        return f"at least {self.factor:.1f} times as fast as in sequence"

    @property
    def below_break_even(self) -> bool:
        """True when so few items hardly repay the isolation of a swarm."""
        return self.items < BREAK_EVEN_ITEMS


def speed_ups(view: RunView) -> list[SpeedUp]:
    """Return the gain of each fan-out that has results."""
    return [
        SpeedUp(swarm.step, swarm.items, sequential_us(swarm.attempts), max(1, swarm.wall_us))
        for swarm in view.fan_outs()
        if swarm.succeeded
    ]


def sequential_us(attempts: Iterable[AttemptView]) -> int:
    """Return the least that the accepted attempts would have taken one after the other, in µs.

    An attempt's processor time is taken as spread evenly over its duration. Processors that work
    for anybody else, a model in the host's own process say, are taken as free.
    """
    by_host = sorted(attempts, key=attrgetter("host"))
    return round(
        sum(_on_host(tuple(group)) for _, group in groupby(by_host, key=attrgetter("host")))
    )


def _on_host(attempts: Sequence[AttemptView]) -> float:
    timed = [one for one in attempts if one.start_us and one.duration_us]
    free = _free_us(timed)
    least = sum(one.cpu_us for one in attempts if one.status == "ok")
    waited = sum(
        free[one.start_us + one.duration_us] - free[one.start_us]
        for one in timed
        if one.status == "ok"
    )
    return least + waited


def _free_us(attempts: Sequence[AttemptView]) -> dict[int, float]:
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
