"""One scaler on many streams: cold starts, and slot-seconds paid without work."""

from collections.abc import Callable
from itertools import product

import numpy as np

from swarm_placement.policies import LoadTerms, WarmPool
from swarm_placement.simulate.arrivals import DAY_S, Family, Stream, stream
from swarm_placement.simulate.scalers import HoltHeadroom, KeepAlive, Reactive
from swarm_placement.simulate.warm_pool import PoolRecord, Scaler, simulate_pool

COLD_S = 20.0
TICK_S = 5.0
Make = Callable[[], Scaler]
Point = tuple[float, float]  # cold share, idle per busy
KEEPS_S = (5.0, 10.0, 20.0, 40.0, 60.0, 90.0, 120.0, 200.0, 300.0, 450.0, 600.0, 1_200.0, 2_400.0)


def streams(family: Family, count: int, seed: int) -> list[Stream]:
    """Return streams of a family that have anything to execute."""
    made = [stream(family, np.random.default_rng([seed, index])) for index in range(count)]
    return [one for one in made if (one.arrival_s >= DAY_S / 4).any()]


def records(make: Make, among: list[Stream]) -> list[PoolRecord]:
    """Return what a scaler does on each stream; the first quarter of a day only teaches it."""
    return [
        simulate_pool(one, make(), cold_s=COLD_S, tick_s=TICK_S, warm_up_s=DAY_S / 4)
        for one in among
    ]


def total(found: list[PoolRecord]) -> Point:
    """Return cold share and idle per busy slot-second over many streams."""
    busy_s = sum(one.busy_s for one in found)
    cold = sum(one.cold for one in found) / sum(one.executions for one in found)
    return cold, (sum(one.paid_s for one in found) - busy_s) / busy_s


def rivals() -> dict[str, list[Make]]:
    """Return the families of rivals, each with the whole grid of its settings."""
    reactive = product((0.5, 0.6, 0.7, 0.8, 0.9, 1.0), (10.0, 30.0, 60.0, 120.0, 300.0, 600.0))
    return {
        "keep-alive sweep": [_bound(KeepAlive, keep) for keep in KEEPS_S],
        "tuned reactive scaler": [
            _bound(Reactive, target, poll_s, stable_s, mean_s)
            for (target, stable_s), (poll_s, mean_s) in product(
                reactive, ((TICK_S, 0.0), (TICK_S, 30.0))
            )
        ],
        "Holt with headroom": [
            _bound(HoltHeadroom, COLD_S, deviations, gain)
            for deviations, gain in product((0.0, 0.5, 1.0, 2.0, 3.0, 4.0), (0.1, 0.3, 0.6))
        ],
    }


def ours(worth: float) -> Make:
    """Return our policy at a worth of waiting."""
    return _bound(WarmPool, LoadTerms(COLD_S, worth))


def _bound(kind: Callable[..., Scaler], *settings: object) -> Make:
    return lambda: kind(*settings)


def beaten(point: Point, frontier: list[Point]) -> Point:
    """Return cold share and idleness of a point over those of the rivals at equal other axis.

    Rivals are granted every mixture of their settings (the lower convex hull); beyond its ends, the
    last of them.
    """
    hull: list[Point] = []
    for one in sorted(set(frontier)):
        while len(hull) > 1 and _above(hull[-2], hull[-1], one):
            hull.pop()
        if not hull or one[1] < hull[-1][1]:
            hull.append(one)
    cold = np.array([one[0] for one in hull])
    idle = np.array([one[1] for one in hull])
    idle_there = float(np.interp(point[0], cold, idle))
    cold_there = float(np.interp(point[1], idle[::-1], cold[::-1]))
    return point[0] / max(cold_there, 1e-9), point[1] / idle_there


def _above(left: Point, middle: Point, right: Point) -> bool:
    """Say whether a point lies on or above the line from its left to its right neighbour."""
    rise = (right[1] - left[1]) * (middle[0] - left[0])
    return (middle[1] - left[1]) * (right[0] - left[0]) >= rise
