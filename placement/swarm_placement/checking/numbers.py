"""Whether the numbers of a bound are such that anything can be worked out from them.

What is not a number compares with nothing, and so would pass every comparison; a price on a limit
that the instance does not have costs a plan nothing, and so would prove anything.
"""

import math
from collections.abc import Iterable, Iterator

from swarm_placement.model import Bound, Instance

Flaw = tuple[str, str]
"""The field of the bound, and what is wrong with it."""
AMOUNTS = (
    "cost_usd", "penalty_usd", "objective_usd", "lower_usd", "within_rows_usd", "probability",
    "probability_error", "budget_price", "window_budget",
)  # fmt: skip
"""Fields that are finite and not negative."""
CERTAIN = 1 + 1e-9
"""The largest chance, with what adding numbers may cost."""


def flaws(instance: Instance, bound: Bound) -> Iterator[Flaw]:
    """Yield every number that is not finite or below its range, every place that does not exist, and
    every price on a limit that does not exist."""
    yield from _amounts((name, getattr(bound, name)) for name in AMOUNTS)
    if not math.isfinite(bound.within_rows_dual_usd):
        yield "within_rows_dual_usd", f"{bound.within_rows_dual_usd} is not finite"
    for name in ("gap", "within_rows_gap"):
        if not getattr(bound, name) >= 0:
            yield name, f"{getattr(bound, name)} is claimed"
    if bound.within_rows_proof not in ("duality", "branch and bound"):
        yield "within_rows_proof", f"{bound.within_rows_proof!r} is no kind of proof"
    if bound.probability_error > 1:
        yield "probability_error", f"{bound.probability_error} is claimed"
    yield from _columns(instance, bound)
    yield from _places(len(instance.sites), bound)
    yield from _priced_without_limit(instance, bound)


def _amounts(named: Iterable[tuple[str, float]]) -> Iterator[Flaw]:
    for name, value in named:
        if not 0 <= value < math.inf:
            yield name, f"{value} is claimed"


def _columns(instance: Instance, bound: Bound) -> Iterator[Flaw]:
    """Find what is not one number for each class or site, and chances above 1."""
    classes, sites = len(instance.classes), len(instance.sites)
    for name, count in (
        ("class_probability", classes),
        ("share_price_usd", sites),
        ("window_share_usd", sites),
    ):
        values = [float(one) for one in getattr(bound, name)]
        if len(values) != count:
            yield name, f"{len(values)} numbers are claimed for {count}"
        yield from _amounts((f"{name}[{place}]", one) for place, one in enumerate(values))
    if bound.probability > CERTAIN or any(one > CERTAIN for one in bound.class_probability):
        yield "probability", "a chance is above 1"


def _places(sites: int, bound: Bound) -> Iterator[Flaw]:
    """Find prices at sites or times that do not exist; the last row of a site has no end."""
    for place, row in enumerate(bound.capacity):
        where = f"capacity[{place}]"
        yield from _amounts(
            (f"{where}.{name}", getattr(row, name))
            for name in ("slot_s", "usd_per_slot_s", "edge_s")
        )
        if not (0 <= row.site < sites and row.below_s >= 0):
            yield where, f"site {row.site} before {row.below_s} s is no row"
    for place, one in enumerate(bound.windows):
        where = f"windows[{place}]"
        yield from _amounts(
            (f"{where}.{name}", getattr(one, name)) for name in ("until_s", "usd_per_slot_s")
        )
        if not 0 <= one.site < sites:
            yield where, f"there is no site {one.site}"


def _priced_without_limit(instance: Instance, bound: Bound) -> Iterator[Flaw]:
    swarm = instance.swarm
    if swarm.budget_usd is None:
        for name in ("budget_price", "window_budget"):
            if getattr(bound, name) != 0:
                yield name, "the swarm has no budget that could have a price"
    if swarm.max_site_share >= 1:
        for name in ("share_price_usd", "window_share_usd"):
            if any(one != 0 for one in getattr(bound, name)):
                yield name, "sites have no share that could have a price"
