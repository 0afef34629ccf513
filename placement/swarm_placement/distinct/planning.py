"""From an instance of all-distinct items to a plan with its bound.

1. Items become columns, patterns and superclasses; 2. the linear program over superclasses gives
prices and quotas; 3. each item gets candidates and its term of the bound; 4. copies bid for
candidates, first within the quotas; 5. what found no room looks at every option; 6. placed copies
move to cheaper candidates with room.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement.distinct import (
    bidding,
    candidates,
    linear,
    relocation,
    superclasses,
    widening,
)
from swarm_placement.distinct.assembly import assemble
from swarm_placement.distinct.candidates import Prices
from swarm_placement.distinct.grid import Grid
from swarm_placement.distinct.items import items
from swarm_placement.model import Instance, Plan, options
from swarm_placement.problem import PENALTY_FACTOR, Problem
from swarm_placement.relaxation import Relaxation, Relaxed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def placed(instance: Instance) -> Plan:
    """Return a plan of a sound instance, item by item."""
    everyone = items(instance)
    target = superclasses.target(everyone.pattern.size, len(options(instance)))
    everyone, begin = superclasses.ordered(everyone, target)
    forms = linear.Forms(instance, everyone)
    extent = superclasses.extents(forms, everyone, begin)
    rows = superclasses.capacity_grid(instance, extent)
    penalty = PENALTY_FACTOR * float(extent.cost_usd[extent.exists].max(initial=0.0)) or 1.0
    chosen, number = superclasses.standing_for(begin, 2 * target)
    flat = superclasses.aggregated(instance, everyone, begin, chosen, number)
    flat = replace(
        flat,
        rows=rows.rows(flat.site, flat.latest_s),
        site_most=_site_most(instance, int(everyone.copies.sum())),
        penalty_usd=penalty,
    )
    relaxed = Relaxation(flat).solve()
    prices = _prices(flat, relaxed, rows)
    copies = np.zeros(extent.exists.shape)
    share = (np.diff(begin)[chosen] / number)[flat.of_class]
    copies[chosen[flat.of_class], flat.option] = relaxed.copies * share
    likely = candidates.reduced_usd(forms, everyone, begin, extent, prices)
    found = candidates.candidates(
        forms, everyone, begin, np.where(copies > bidding.EPSILON, -np.inf, likely), rows
    )
    terms = candidates.lower_usd(forms, everyone, begin, found, extent, prices, penalty)
    lower = float(terms.sum()) - prices.charged_usd(rows, flat.site_most, flat.budget_usd)
    domain, most = candidates.domain_table(instance, everyone)
    plan = bidding.Assignment(found, rows, everyone, domain, most, flat.site_most)
    group = np.repeat(np.arange(begin.size - 1), np.diff(begin))
    quota = bidding.Quota(group, _quotas(copies, found.option[begin[:-1]]))
    reduced = found.reduced_usd(prices)
    bidding.place(plan, reduced, penalty, quota)
    bidding.place(plan, reduced, penalty)
    widening.widen(plan, forms, everyone, group, prices, penalty)
    relocation.relocate(plan)
    relocation.within_budget(plan, flat.budget_usd)
    return assemble(instance, everyone, forms, plan, rows, prices, lower, penalty)


def _site_most(instance: Instance, copies: int) -> Floats:
    """Return how many copies each site may take."""
    share = instance.swarm.max_site_share
    most = np.floor(share * copies + bidding.EPSILON) if share < 1 else np.inf
    return np.full(len(instance.sites), most)


def _prices(flat: Problem, relaxed: Relaxed, rows: Grid) -> Prices:
    """Return the prices of the superclasses' rows on the grid."""
    row_usd = np.zeros_like(rows.slot_s)
    row_usd[flat.rows.site, np.searchsorted(rows.edge_s, flat.rows.edge_s)] = relaxed.prices.row_usd
    return Prices(row_usd, relaxed.prices.share_usd, relaxed.prices.budget)


def _quotas(copies: Floats, option: NDArray[np.int32]) -> Ints:
    """Return the fractions of the linear program as whole numbers, none below them."""
    each = np.arange(option.shape[0])[:, None]
    return np.ceil(copies[each, option] - 1e-6).astype(np.int64)
