"""An instance as the flat arrays that the linear program, the rounding and the bound share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, options
from swarm_placement.program import arcs, capacity

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
EXACT_ARCS = 3_000
"""Up to here every latest start has a capacity row of its own."""
LEVEL_RATIO = 1.1
"""How far latest starts that share a row may be apart where items are unlike each other."""
LEVEL_RATIOS = ((EXACT_ARCS, 1.0), (20_000, 1.03), (math.inf, 1.05))
"""The same for classes, by the number of arcs. Wider rows are quicker and dearer: plans with 1.1 cost
0.5 to 2 % more than with 1."""
PENALTY_FACTOR = 5.0
"""An unplaced copy costs this many times the dearest arc, as in the measured prototypes."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Arcs sorted by class, then domain, then option; one array entry per arc, class or site.

    `group` numbers the (class, trust domain) pairs that have an arc, `group_most` is what a pair
    may take; `site_most` is the largest number of copies a site may take.
    """

    of_class: Ints
    option: Ints
    site: Ints
    group: Ints
    cost_usd: Floats
    rank_usd: Floats
    work_s: Floats
    latest_s: Floats
    mean_s: Floats
    sigma: Floats
    fixed_s: Floats
    rows: capacity.Rows
    items: Ints
    demand: Ints
    group_class: Ints
    group_most: Ints
    site_most: Floats
    budget_usd: float
    penalty_usd: float

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.items.size


def problem(instance: Instance, ratio: float | None = None) -> Problem:
    """Build the arrays of an instance; `ratio` as in `capacity.rows`, by default from
    `LEVEL_RATIOS`."""
    ways = options(instance)
    grid = arcs.table(instance)
    of_class, option = np.nonzero(grid.exists)
    site = np.array([way.site for way in ways], np.int64)[option]
    domain, domain_most = _domains(instance, of_class, site)
    order = np.lexsort((option, domain, of_class))
    of_class, option, site = of_class[order], option[order], site[order]
    domain, domain_most = domain[order], domain_most[order]
    items = np.fromiter((one.items for one in instance.classes), np.int64)
    demand = items * np.fromiter((one.copies for one in instance.classes), np.int64)
    new = np.ones(of_class.size, dtype=bool)
    new[1:] = (of_class[1:] != of_class[:-1]) | (domain[1:] != domain[:-1])
    ratio = ratio or level_ratio(of_class.size)
    cell = (of_class, option)
    work_s, latest_s, cost_usd = grid.work_s[cell], grid.latest_s[cell], grid.cost_usd[cell]
    cold_s = cold_starts(instance, option)
    limit = instance.swarm
    return Problem(
        of_class=of_class,
        option=option,
        site=site,
        group=np.cumsum(new) - 1,
        cost_usd=cost_usd,
        rank_usd=grid.rank_usd[cell],
        work_s=work_s,
        latest_s=latest_s,
        mean_s=grid.mean_s[cell],
        sigma=grid.sigma[cell],
        fixed_s=grid.fixed_s[cell],
        rows=capacity.rows(instance, site, latest_s, work_s, cold_s, ratio),
        items=items,
        demand=demand,
        group_class=of_class[new],
        group_most=(items[of_class] * domain_most)[new],
        site_most=np.full(len(instance.sites), _share(limit.max_site_share, int(demand.sum()))),
        budget_usd=math.inf if limit.budget_usd is None else limit.budget_usd,
        penalty_usd=PENALTY_FACTOR * float(cost_usd.max(initial=0.0)) or 1.0,
    )


def level_ratio(arcs: int) -> float:
    """Return how far latest starts that share a row may be apart with so many arcs."""
    return next(one for most, one in LEVEL_RATIOS if arcs <= most)


def inner(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return an inner product, not through BLAS: its threads wait for each other on busy cores."""
    return float((one * other).sum())


def cold_starts(instance: Instance, used: Ints) -> Floats:
    """Return, per site, the seconds a slot needs to load every cold model of the used options."""
    found = np.zeros(len(instance.sites))
    ways = options(instance)
    for site, model in {(ways[way].site, ways[way].model) for way in np.unique(used)}:
        name = instance.models[model].name
        offer = next(one for one in instance.sites[site].offers if one.model == name)
        found[site] += 0.0 if offer.warm else offer.cold_start_s
    return found


def _share(share: float, copies: int) -> float:
    return math.inf if share >= 1 else math.floor(share * copies + 1e-9)


def _domains(instance: Instance, of_class: Ints, site: Ints) -> tuple[Ints, Ints]:
    """Return the domain of each arc and how many copies of one item the domain may take."""
    most_copies: Sequence[int] = [one.copies for one in instance.classes]
    kinds = sorted({one.across for one in instance.classes})
    kind = np.array([kinds.index(one.across) for one in instance.classes], np.int64)[of_class]
    number, most = np.zeros_like(site), np.ones_like(site)
    for index, across in enumerate(kinds):
        here = kind == index
        number[here] = arcs.domain_numbers(across, instance.sites)[site[here]]
        if across == "node":
            nodes = np.array([one.nodes for one in instance.sites], np.int64)[site[here]]
            most[here] = np.minimum(nodes, np.array(most_copies)[of_class[here]])
    return number, most
