"""For which ages of its idleness a slot should hold a loaded model: learnt from its idle times.

A histogram of idle times (Shahrad et al., Serverless in the Wild, ATC 2020) with bins that widen
geometrically and counts that fade; from it the cheapest schedule by dynamic programming over bins:
warm while the chance of use is worth more than the slot, cold otherwise, warm again before a use
that comes by the clock. A few imagined idle times, spread evenly over the bins (log-uniform), stand
for what is not known yet: a slot with no record is given up soon.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

FIRST_EDGE_S = 0.5
GROWTH = 1.25
BINS = 48  # the last begins after about 4 hours; what is idle for longer is not kept
EDGES_S = (0.0, *(FIRST_EDGE_S * GROWTH**k for k in range(BINS - 1)))
FADE = 0.99  # of every count, per idle time: the last hundred say most
IMAGINED = 6.0  # idle times


def bin_of(age_s: float) -> int:
    """Return the bin of an idle time."""
    return bisect_right(EDGES_S, age_s) - 1


@dataclass(slots=True)
class IdleTimes:
    """The faded histogram of the idle times of one slot."""

    counts: list[float] = field(default_factory=lambda: [0.0] * BINS)

    def observe(self, idle_s: float) -> None:
        """Learn that the slot was idle for so long before it was used."""
        self.counts = [FADE * count for count in self.counts]
        self.counts[bin_of(idle_s)] += 1.0

    def schedule(self, cold_s: float, worth: float) -> tuple[bool, ...]:
        """Return per bin whether to be warm in it.

        `cold_s` is what a load takes, `worth` the shadow price of a second of waiting over the
        price of an idle slot-second: warm iff expected waiting is worth more than idleness.
        """
        counts = [count + IMAGINED / BINS for count in self.counts]
        return _cheapest(_hazards(counts), cold_s, worth)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"counts": list(self.counts)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "IdleTimes":
        """Return what `to_dict` described."""
        return cls(list(data["counts"]))


def _hazards(counts: list[float]) -> list[float]:
    """Return per bin the chance of a use in it, given none before."""
    left = sum(counts)
    found = []
    for count in counts:
        found.append(min(1.0, count / left))
        left -= count
    return found


def _cheapest(hazards: list[float], cold_s: float, worth: float) -> tuple[bool, ...]:
    """Return the schedule of least cost, in idle slot-seconds, by backward induction.

    A use while cold costs a load, its slot-seconds and the waiting; to become warm costs the
    slot-seconds of a load. Beyond the last bin the slot is given up.
    """
    used_cold, load = cold_s * (1.0 + worth), cold_s
    warm_next, cold_next = math.inf, 0.0
    stays, returns = [False] * BINS, [False] * BINS
    for index in range(BINS - 2, -1, -1):
        hazard, width = hazards[index], EDGES_S[index + 1] - EDGES_S[index]
        warm = width * (1.0 - hazard / 2.0) + (1.0 - hazard) * min(warm_next, cold_next)
        cold = hazard * used_cold + (1.0 - hazard) * min(cold_next, warm_next + load)
        stays[index], returns[index] = warm <= cold, warm + load < cold
        warm_next, cold_next = warm, cold
    schedule, now = [], True
    for index in range(BINS):
        now = stays[index] if now else returns[index]
        schedule.append(now)
    return tuple(schedule)
