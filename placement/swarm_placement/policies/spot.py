"""Spot slots or slots on demand, for work that starts again from nothing when preempted.

Preemptions arrive as a Poisson process. Spot is tried as long as even a preemption at the last
moment of the try leaves time to finish on demand; then work goes on demand and is safe. Source of
the rule: Wu et al., Can't Be Late: Optimizing Spot Instance Savings under Deadlines (NSDI 2024),
where it is the safety net; of the restart formula: Young, A First Order Approximation to the
Optimum Checkpoint Interval (1974), with the interval being the whole work. A swarm keeps one net for
all its items, since losses of single slots even out.
"""

import math
from dataclasses import dataclass

from swarm_placement.errors import UsageError
from swarm_placement.policies.arguments import require

SECONDS_PER_HOUR = 3600.0
SURE = 2.0


@dataclass(frozen=True, slots=True)
class SpotTerms:
    """What one execution takes and costs.

    `try_s` are the slot-seconds of one uninterrupted try, start included; `demand_s` is the time
    within which it ends on demand with the wanted probability. Prices per slot-second.
    """

    try_s: float
    demand_s: float
    spot_usd_per_s: float
    demand_usd_per_s: float
    preemptions_per_hour: float

    def __post_init__(self) -> None:
        for name in ("try_s", "demand_s"):
            if not 0 < getattr(self, name) < math.inf:
                raise _wrong(name, getattr(self, name), "Give seconds, finite and more than 0.")
        for name in ("spot_usd_per_s", "demand_usd_per_s", "preemptions_per_hour"):
            if not 0 <= getattr(self, name) < math.inf:
                raise _wrong(name, getattr(self, name), "Give a finite number of at least 0.")

    @property
    def loss(self) -> float:
        """The probability that one try is preempted."""
        return -math.expm1(-self.preemptions_per_hour / SECONDS_PER_HOUR * self.try_s)

    @property
    def occupied_s(self) -> float:
        """The slot-seconds one try occupies on average, until its end or its preemption."""
        rate = self.preemptions_per_hour / SECONDS_PER_HOUR
        return self.loss / rate if rate > 0 else self.try_s


@dataclass(frozen=True, slots=True)
class SpotChoice:
    """The cheaper way: whether to try on spot first, what it costs on average, how often spot may
    be tried within the slack, and how likely one of these tries succeeds."""

    spot: bool
    cost_usd: float
    tries: int
    success: float


def tries_within(terms: SpotTerms, slack_s: float) -> int:
    """Return how many tries fit before the last moment to start on demand; none after it.

    Raises:
        UsageError: for a slack that is not finite.
    """
    require("spot", least=-math.inf, slack_s=slack_s)
    return max(0, math.floor((slack_s - terms.demand_s) / terms.try_s))


def expected_cost_usd(terms: SpotTerms, tries: int) -> float:
    """Return the mean cost of up to `tries` tries on spot, then on demand.

    Tries that are lost early leave room for more of them, which is not counted: the true mean is
    at most this where spot is cheaper.
    """
    lost = terms.loss**tries
    begun = (1.0 - lost) / (1.0 - terms.loss) if terms.loss < 1.0 else float(tries)
    return (
        begun * terms.occupied_s * terms.spot_usd_per_s
        + lost * terms.try_s * terms.demand_usd_per_s
    )


def choose(terms: SpotTerms, slack_s: float) -> SpotChoice:
    """Return spot or on demand for work that must be done within `slack_s` seconds.

    `decide` at every start and after every preemption, with the slack that is then left.
    """
    tries = tries_within(terms, slack_s)
    demand = terms.try_s * terms.demand_usd_per_s
    spot = expected_cost_usd(terms, tries)
    if tries == 0 or spot >= demand:
        return SpotChoice(spot=False, cost_usd=demand, tries=0, success=0.0)
    return SpotChoice(spot=True, cost_usd=spot, tries=tries, success=1.0 - terms.loss**tries)


def choose_in_swarm(
    terms: SpotTerms, waiting: int, executing: int, slots: int, left_s: float
) -> bool:
    """Say whether the next of many equal items starts on spot; ask at every start.

    `waiting` (this one included) and `executing` items share `slots` slots for `left_s` seconds. A
    lost try costs the swarm one slot for a while, not the whole of it: spot is taken while the
    slot-seconds that remain when all is done on demand cover the tries that may be lost at once,
    the mean and `SURE` standard deviations (binomial), and while the item itself could still end
    on demand after a loss at the last moment.
    """
    dear = terms.try_s * terms.demand_usd_per_s
    if mean_restarting_s(terms) * terms.spot_usd_per_s >= dear or not tries_within(terms, left_s):
        return False
    begun = waiting + executing / 2  # what executes is half done, on average
    spare_s = slots * (left_s - (terms.demand_s - terms.try_s)) - begun * terms.try_s
    spread = math.sqrt(slots * terms.loss * (1 - terms.loss))
    return spare_s >= min(slots, slots * terms.loss + SURE * spread) * terms.try_s


def mean_restarting_s(terms: SpotTerms) -> float:
    """Return the mean seconds until a try succeeds when spot is tried for ever:
    (exp(rate * try) - 1) / rate; infinite where no try can succeed."""
    kept = 1.0 - terms.loss
    return terms.occupied_s / kept if kept > 0 else math.inf


def quantile_restarting_s(terms: SpotTerms, level: float) -> float:
    """Return seconds within which a try succeeds with probability `level`, at most: as many tries
    as that takes, all of full length."""
    if terms.loss <= 0.0:
        return terms.try_s
    if terms.loss >= 1.0:
        return math.inf
    return max(1, math.ceil(math.log1p(-level) / math.log(terms.loss))) * terms.try_s


def _wrong(name: str, value: float, hint: str) -> UsageError:
    return UsageError("policy.spot", name, f"Is {value}.", hint)
