"""Notice that a whole site became slower or faster, and by how much to re-price it.

Two-sided Page-Hinkley test on standardised surprises (log seconds beyond the forecast's median,
over the forecast's spread). Executions are taken in the order in which they started: of those that
start together the quick end first, so that in order of completion every wave looks like a site
that slows down. One that still executes is known to surprise by the most that counts after
`known_after_s`. Source: Page, Continuous Inspection Schemes (1954); Hinkley (1971);
Gama et al., A Survey on Concept Drift Adaptation (2014).
"""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from swarm_placement.forecast.history import Floats
from swarm_placement.policies.arguments import require

TOLERATED = 0.5  # standard deviations of shift that are not worth a replan
ALARM = 12.0  # standard deviations in sum: a false alarm in about 100,000 executions with 2 % stragglers
LARGEST = 3.0  # a single straggler must not raise the alarm


@dataclass(slots=True)
class Excursion:
    """How far the surprises of a run of executions went in one direction, and their mean."""

    height: float = 0.0
    count: int = 0
    total: float = 0.0

    def add(self, step: float, surprise: float) -> None:
        """Go on by `step`; an excursion that falls back to 0 starts anew."""
        self.height += step
        self.count += 1
        self.total += surprise
        if self.height <= 0.0:
            self.height, self.count, self.total = 0.0, 0, 0.0

    @property
    def mean(self) -> float:
        """The mean surprise since the excursion began: an estimate of the shift."""
        return self.total / self.count


@dataclass(slots=True)
class SiteDrift:
    """State of the test of one site since it was last re-priced.

    `factor` is what the site's forecasts must be multiplied with, as far as alarms have said.
    """

    factor: float = 1.0
    slower: Excursion = field(default_factory=Excursion)
    faster: Excursion = field(default_factory=Excursion)

    def observe(self, surprise: float, sigma: float) -> None:
        """Learn from the execution that started next: log seconds beyond the median of the forecast (not re-priced),
        and the spread of the forecast's logarithm.

        Raises:
            UsageError: for a surprise that is not finite or a spread that is not above 0.
        """
        require("drift", least=-math.inf, surprise=surprise)
        require("drift", is_open=True, sigma=sigma)
        rest = (surprise - math.log(self.factor)) / sigma
        bounded = max(-LARGEST, min(LARGEST, rest))
        self.slower.add(bounded - TOLERATED, bounded * sigma)
        self.faster.add(-bounded - TOLERATED, bounded * sigma)

    def decide(self) -> float | None:
        """Return the new factor if the site must be re-priced now, and start anew; else None."""
        for excursion in (self.slower, self.faster):
            if excursion.height >= ALARM:
                self.factor *= math.exp(excursion.mean)
                self.slower, self.faster = Excursion(), Excursion()
                return self.factor
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "SiteDrift":
        """Return what `to_dict` described."""
        return cls(data["factor"], Excursion(**data["slower"]), Excursion(**data["faster"]))


def known_after_s(median_s: Floats, sigma: Floats) -> Floats:
    """Return after how many seconds an execution surprises by as much as counts, ended or not."""
    return np.asarray(median_s * np.exp(LARGEST * sigma))


def first_alarm(surprises: Floats) -> tuple[int, float] | None:
    """Return after how many executions `SiteDrift` first finds a site slower, and its mean
    surprise since the change; None if never.

    `surprises` of shape (n,) are standardised, in order of start; the same test in one pass, for
    simulations.
    """
    bounded = np.clip(surprises, -LARGEST, LARGEST)
    walk = np.cumsum(bounded - TOLERATED)
    lowest = np.minimum(np.minimum.accumulate(walk), 0.0)
    found = np.flatnonzero(walk - lowest >= ALARM)
    if not len(found):
        return None
    last = int(found[0])
    begin = int(np.flatnonzero(walk[:last] <= lowest[last])[-1]) + 1 if lowest[last] < 0 else 0
    return last + 1, float(bounded[begin : last + 1].mean())
