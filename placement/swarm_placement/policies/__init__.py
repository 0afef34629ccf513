"""What to do while work is under way: pure rules over forecasts, with plain state."""

from swarm_placement.policies.drift import SiteDrift, first_alarm
from swarm_placement.policies.hedging import HedgeBudget, hedge_after_s
from swarm_placement.policies.spot import SpotChoice, SpotTerms, choose, choose_in_swarm
from swarm_placement.policies.warm_pool import LoadTerms, WarmPool

__all__ = [
    "HedgeBudget",
    "LoadTerms",
    "SiteDrift",
    "SpotChoice",
    "SpotTerms",
    "WarmPool",
    "choose",
    "choose_in_swarm",
    "first_alarm",
    "hedge_after_s",
]
