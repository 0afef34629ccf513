"""How many slots hold a loaded model ahead of use.

The k-th slot in use waits for the k-th concurrent execution, and learns from its own idle times
for which ages of idleness it should be loaded (`idle_times`). That one rule is all: low ranks of a
dense stream are never idle for long and stay; high ranks come and go with the bursts; a stream
that runs by the clock is loaded before the clock; the cold tail is given up. Holt's forecast with
headroom, the usual answer for dense streams, was measured as a rival and lost (benchmark
`placement_warm_pool`).
"""

import math
from dataclasses import dataclass, field
from typing import Any

from swarm_placement.errors import UsageError
from swarm_placement.policies.arguments import require
from swarm_placement.policies.idle_times import IdleTimes, bin_of

LEAD = 1.25  # of a load: decisions are some seconds apart
STALE_SHARE = 0.05  # of the record that may be new before a schedule is made again


@dataclass(frozen=True, slots=True)
class LoadTerms:
    """What loading takes (seconds), and the shadow price of a slot-second of waiting over the
    price of an idle slot-second (`worth`): pre-warm iff cold seconds x shadow price > idle price.
    """

    cold_s: float
    worth: float

    def __post_init__(self) -> None:
        if not (0 < self.cold_s < math.inf and 0 <= self.worth < math.inf):
            raise UsageError(
                "policy.warm_pool",
                "terms",
                f"Are {self.cold_s} s and a worth of {self.worth}.",
                "Give a load time of more than 0 seconds and a worth of at least 0.",
            )


@dataclass(slots=True)
class Rank:
    """The k-th slot in use: since when it is idle (None while busy), and its idle times."""

    idle_since_s: float | None = None
    idle_times: IdleTimes = field(default_factory=IdleTimes)
    _schedule: tuple[bool, ...] | None = None
    _fresh: int = 0  # idle times since the schedule was made

    def begin(self, now_s: float) -> None:
        """Become busy."""
        if self.idle_since_s is not None:
            self.idle_times.observe(now_s - self.idle_since_s)
            self._fresh += 1
        self.idle_since_s = None

    def warm(self, now_s: float, terms: LoadTerms) -> bool:
        """Say whether to be loaded now, or to load for when a load would be done."""
        if self.idle_since_s is None:
            return True
        if self._schedule is None or self._fresh > STALE_SHARE * sum(self.idle_times.counts):
            self._schedule, self._fresh = self.idle_times.schedule(terms.cold_s, terms.worth), 0
        age_s = now_s - self.idle_since_s
        ahead = self._schedule[bin_of(age_s + LEAD * terms.cold_s)]
        return self._schedule[bin_of(age_s)] or ahead


@dataclass(slots=True)
class WarmPool:
    """State of one stream: executions of one model at one site.

    `observe` every change of how many slots are busy, `decide` at least every few seconds.
    """

    terms: LoadTerms
    ranks: list[Rank] = field(default_factory=list)
    busy: int = 0
    last_s: float = field(default=-math.inf, compare=False)  # of what was observed

    def observe(self, now_s: float, busy: int) -> None:
        """Learn how many slots are busy from now on.

        Raises:
            UsageError: for a time that is not finite or before the last one, or a negative count.
        """
        require("warm_pool", least=self.last_s, now_s=now_s)
        require("warm_pool", busy=busy)
        self.last_s = now_s
        self.ranks.extend(Rank() for _ in range(len(self.ranks), busy))
        for rank in self.ranks[self.busy : busy]:
            rank.begin(now_s)
        for rank in self.ranks[busy : self.busy]:
            rank.idle_since_s = now_s
        self.busy = busy

    def decide(self, now_s: float) -> int:
        """Return how many slots to hold now, busy ones included.

        Raises:
            UsageError: for a time that is not finite or before what was observed last.
        """
        require("warm_pool", least=self.last_s, now_s=now_s)
        return self.busy + sum(rank.warm(now_s, self.terms) for rank in self.ranks[self.busy :])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "terms": {"cold_s": self.terms.cold_s, "worth": self.terms.worth},
            "ranks": [[rank.idle_since_s, rank.idle_times.to_dict()] for rank in self.ranks],
            "busy": self.busy,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "WarmPool":
        """Return what `to_dict` described; schedules are made anew."""
        ranks = [Rank(since, IdleTimes.from_dict(counts)) for since, counts in data["ranks"]]
        return cls(LoadTerms(**data["terms"]), ranks, data["busy"])
