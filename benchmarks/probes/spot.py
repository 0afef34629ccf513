"""Ways to rent slots for a swarm: the policy of `policies.spot`, and those it is compared with."""

import math
from collections.abc import Callable
from statistics import NormalDist

from swarm_placement.policies import SpotTerms, choose, choose_in_swarm
from swarm_placement.simulate.spot_market import Errand, Market, Moment, Way

Policy = Callable[[Moment], Way]
LEVEL = 0.95


def quantile_s(errand: Errand) -> float:
    """Return the duration that an item keeps with probability `LEVEL`."""
    z = NormalDist().inv_cdf(LEVEL)
    return errand.mean_s * math.exp(z * errand.sigma - errand.sigma**2 / 2)


def rest_s(errand: Errand, moment: Moment) -> float:
    """Return how long what waits behind the starting item takes on demand, with all slots."""
    behind = moment.waiting - 1 + moment.executing
    return math.ceil(behind / errand.slots) * errand.mean_s


def terms(errand: Errand, market: Market) -> SpotTerms:
    """Return what the policies of `policies.spot` are told."""
    return SpotTerms(
        errand.mean_s,
        quantile_s(errand),
        market.spot_usd_per_s,
        market.demand_usd_per_s,
        market.preemptions_per_hour + market.droughts_per_hour,
    )


def ours(errand: Errand, market: Market) -> Policy:
    """Return the rule for swarms; while spot is shut it waits for as long as it would use it."""
    told = terms(errand, market)

    def policy(moment: Moment) -> Way:
        left_s = errand.deadline_s - moment.now_s
        if not choose_in_swarm(told, moment.waiting, moment.executing, errand.slots, left_s):
            return "demand"
        return "spot" if moment.spot_open else "wait"

    return policy


def item_by_item(errand: Errand, market: Market) -> Policy:
    """Return the rule for one item: its slack is what the rest leaves when done on demand."""
    told = terms(errand, market)

    def policy(moment: Moment) -> Way:
        slack_s = errand.deadline_s - moment.now_s - rest_s(errand, moment)
        if not choose(told, slack_s).spot:
            return "demand"
        return "spot" if moment.spot_open else "wait"

    return policy


def on_demand(_errand: Errand, _market: Market) -> Policy:
    """Return the policy that never uses spot."""
    return lambda _moment: "demand"


def spot_alone(_errand: Errand, _market: Market) -> Policy:
    """Return the policy that uses nothing but spot."""
    return lambda moment: "spot" if moment.spot_open else "wait"


def spot_until_late(errand: Errand, _market: Market) -> Policy:
    """Return the policy that uses spot until something is late by its own plan, then on demand: it
    counts on no loss, and turns when what is left would just fit without one."""

    def policy(moment: Moment) -> Way:
        left_s = errand.deadline_s - moment.now_s
        if left_s <= rest_s(errand, moment) + errand.mean_s:
            return "demand"
        return "spot" if moment.spot_open else "wait"

    return policy


def uniform_progress(errand: Errand, _market: Market) -> Policy:
    """Return uniform progress (Wu et al., NSDI 2024), with the swarm's items as progress: spot as
    long as at least the share of items is done or executing that the share of time asks for, else
    on demand; on demand for good when the rest just fits."""

    def policy(moment: Moment) -> Way:
        left_s = errand.deadline_s - moment.now_s
        expected = errand.items * moment.now_s / errand.deadline_s
        behind = moment.done + moment.executing < expected
        if behind or left_s <= rest_s(errand, moment) + quantile_s(errand):
            return "demand"
        return "spot" if moment.spot_open else "wait"

    return policy


def spot_until_it_fails(_errand: Errand, _market: Market) -> Policy:
    """Return the policy that uses spot until the first loss, then on demand."""
    return lambda moment: "spot" if moment.spot_open and not moment.lost else "demand"


RIVALS: dict[str, Callable[[Errand, Market], Policy]] = {
    "on demand only": on_demand,
    "spot alone": spot_alone,
    "spot until it fails": spot_until_it_fails,
    "spot until it is late": spot_until_late,
    "uniform progress": uniform_progress,
    "our rule item by item": item_by_item,
}
