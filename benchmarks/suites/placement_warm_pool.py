"""Warm pools: cold starts and idle time against keep-alive, a tuned reactive scaler, and Holt.

Synthetic streams of a day (families in `swarm_placement.simulate.arrivals`), loads of 20 s,
decisions every 5 s; the first six hours only teach. One setting serves all streams: ours is a worth
of waiting of 10 (a second of waiting costs ten idle slot-seconds), chosen on seed 7; figures are of
seed 2026. Rivals are granted every setting of their grids and every mixture of settings, in
hindsight. A ratio below 1 at equal other axis means ahead.
"""

from benchmarks.figures import Figure
from benchmarks.probes.warm_pools import beaten, ours, records, rivals, streams, total
from swarm_placement.simulate.arrivals import Family

TIMED = False
SEED = 2026
WORTH = 10.0
WORTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
COUNTS: dict[Family, int] = {"daily": 3, "bursts": 6, "clock": 12, "sparse": 16, "tail": 16}


def run(*, quick: bool) -> list[Figure]:
    """Play every policy on every stream."""
    among = {
        family: streams(family, max(1, count // 6) if quick else count, SEED)
        for family, count in COUNTS.items()
    }
    every = [one for family in among.values() for one in family]
    family_of = [family for family, members in among.items() for _ in members]
    grids = {name: [records(make, every) for make in grid] for name, grid in rivals().items()}
    curve = {worth: records(ours(worth), every) for worth in WORTHS}

    figures = []
    for name in ("all streams, one setting", *among):
        rows = [
            index for index, family in enumerate(family_of) if name not in among or family == name
        ]
        frontiers = {
            rival: [total([found[row] for row in rows]) for found in grid]
            for rival, grid in grids.items()
        }
        mine = {worth: total([found[row] for row in rows]) for worth, found in curve.items()}
        figures += _figures(name, mine, frontiers, reach=None if name in among else 1.0)
    return figures


def _figures(
    name: str,
    mine: dict[float, tuple[float, float]],
    frontiers: dict[str, list[tuple[float, float]]],
    reach: float | None,
) -> list[Figure]:
    against = ("keep-alive sweep", "tuned reactive scaler")
    cold, idle = beaten(mine[WORTH], [point for rival in against for point in frontiers[rival]])
    each = {rival: beaten(mine[WORTH], frontier) for rival, frontier in frontiers.items()}
    said = "; ".join(
        f"worth {worth:g}: {a:.3f} cold, {b:.2f} idle" for worth, (a, b) in mine.items()
    )
    return [
        Figure(
            f"{name}: cold share / the best rival's at equal idleness",
            cold,
            "ratio",
            reach,
            peers={f"against {rival} alone": ratio[0] for rival, ratio in each.items()},
            note=said,
        ),
        Figure(
            f"{name}: idle per busy / the best rival's at equal cold share",
            idle,
            "ratio",
            reach,
            peers={f"against {rival} alone": ratio[1] for rival, ratio in each.items()},
        ),
    ]
