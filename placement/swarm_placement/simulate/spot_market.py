"""A swarm of equal items on slots that are rented on demand or, cheaper, from a spot market.

Work starts again from nothing when its spot slot is taken away. A slot is taken away alone
(Poisson) or together with all others, when the market runs dry for an exponential time; nothing can
be rented on spot meanwhile. Which way to rent is asked anew at each start of an item; "wait" asks
again a little later. Money is paid for the seconds a slot is held. Nothing here knows a policy.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Way = Literal["spot", "demand", "wait"]
ASKED_AGAIN_S = 15.0
DRY_FOR = 4.0
"""Deadlines for which dry times are drawn; later the market is open."""


@dataclass(frozen=True, slots=True)
class Market:
    """Prices per slot-second; preemptions of one slot and of all together, per hour; mean seconds
    for which a market that ran dry stays so."""

    spot_usd_per_s: float
    demand_usd_per_s: float
    preemptions_per_hour: float
    droughts_per_hour: float = 0.0
    drought_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Errand:
    """Items that must all be done by the deadline on so many slots; durations are log-normal with
    mean `mean_s` and shape `sigma`."""

    items: int
    slots: int
    mean_s: float
    sigma: float
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Moment:
    """What a policy may look at when an item is about to start: seconds since the beginning, items
    done, executing and waiting (this one included), tries lost, and whether spot can be rented."""

    now_s: float
    done: int
    executing: int
    waiting: int
    lost: int
    spot_open: bool


@dataclass(frozen=True, slots=True)
class Bill:
    """What an errand cost, which share of its items was done in time, and when the last one was."""

    usd: float
    in_time: float
    end_s: float


def run(errand: Errand, market: Market, policy: Callable[[Moment], Way], seed: int) -> Bill:
    """Execute an errand; the same seed gives the same durations and the same dry times whatever
    the policy does."""
    lasting, droughts, losses = (np.random.default_rng([seed, part]) for part in range(3))
    middle = math.log(errand.mean_s) - errand.sigma**2 / 2
    lasting_s = lasting.lognormal(middle, errand.sigma, errand.items).tolist()
    dry = _dry_times(market, droughts, errand.deadline_s * DRY_FOR)
    waiting, usd, lost = list(range(errand.items))[::-1], 0.0, 0
    ends_s: list[float] = []
    free = [(0.0, slot) for slot in range(errand.slots)]
    taken: dict[int, int] = {}
    while free:
        now_s, slot = heapq.heappop(free)
        if slot in taken:
            waiting.append(taken.pop(slot))
            lost += 1
        if not waiting:
            continue
        dry_s = _next_dry(dry, now_s)
        done = sum(end_s <= now_s for end_s in ends_s)
        busy = errand.items - done - len(waiting)
        way = policy(Moment(now_s, done, busy, len(waiting), lost, dry_s > now_s))
        if way == "wait" or (way == "spot" and dry_s <= now_s):
            heapq.heappush(free, (now_s + ASKED_AGAIN_S, slot))
            continue
        item = waiting.pop()
        held_s = lasting_s[item]
        if way == "spot":
            held_s = min(held_s, dry_s - now_s, _alone_s(market, losses))
        usd += held_s * (market.spot_usd_per_s if way == "spot" else market.demand_usd_per_s)
        if held_s < lasting_s[item]:
            taken[slot] = item
        else:
            ends_s.append(now_s + held_s)
        heapq.heappush(free, (now_s + held_s, slot))
    in_time = sum(end_s <= errand.deadline_s for end_s in ends_s) / errand.items
    return Bill(usd, in_time, max(ends_s))


def _alone_s(market: Market, rng: np.random.Generator) -> float:
    """Return when a slot is taken away alone, in seconds from its start."""
    if market.preemptions_per_hour <= 0:
        return math.inf
    return float(rng.exponential(3600 / market.preemptions_per_hour))


def _next_dry(dry: Floats, now_s: float) -> float:
    """Return when the market is dry next: not after `now_s` if it is now."""
    index = int(np.searchsorted(dry[:, 1], now_s, side="right"))
    return float(dry[index, 0]) if index < len(dry) else math.inf


def _dry_times(market: Market, rng: np.random.Generator, until_s: float) -> Floats:
    """Return beginnings and ends of the times nothing can be rented on spot."""
    found, now_s = [], 0.0
    while market.droughts_per_hour > 0 and now_s < until_s:
        begin_s = now_s + rng.exponential(3600 / market.droughts_per_hour)
        now_s = begin_s + rng.exponential(market.drought_s)
        found.append((begin_s, now_s))
    return np.array(found).reshape(-1, 2)
