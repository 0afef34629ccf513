"""From an instance of all-distinct items to a plan with its bound.

1. Items become columns, patterns and superclasses; 2. linear programs over superclasses give prices
and quotas; 3. each item gets candidates and its term of the bound; 4. copies bid for
candidates, first within the quotas; 5. what found no room looks at every option, and then makes room;
6. placed copies move to cheaper candidates with room.
"""

import numpy as np
from numpy.typing import NDArray

from swarm_placement.distinct import (
    bidding,
    candidates,
    linear,
    necessary,
    relocation,
    residue,
    superclasses,
    widening,
    windows,
)
from swarm_placement.distinct.assembly import assemble
from swarm_placement.distinct.dividing import divided
from swarm_placement.distinct.grid import grid
from swarm_placement.distinct.items import items
from swarm_placement.distinct.outermost import Outermost
from swarm_placement.distinct.shares import Limits, shares
from swarm_placement.model import Instance, Plan, options
from swarm_placement.program.problem import PENALTY_FACTOR

Floats = NDArray[np.float64]


def placed(instance: Instance, exact_s: float = 0.0) -> Plan:
    """Return a plan of a sound instance, item by item; the more seconds `exact_s` may be spent, the
    more arcs prices for windows are worked out for."""
    everyone = items(instance)
    target = superclasses.target(
        everyone.pattern.size, len(options(instance)), len(everyone.sample)
    )
    everyone, begin = superclasses.ordered(everyone, target)
    forms = linear.Forms(instance, everyone)
    extent = superclasses.extents(forms, everyone, begin)
    outer = Outermost(forms, everyone, begin, extent)
    rows = grid(instance, float(extent.latest_s[extent.exists].max(initial=1.0)), outer)
    penalty = PENALTY_FACTOR * outer.dearest_usd or 1.0
    site_most = _site_most(instance, int(everyone.copies.sum()))
    limits, whole = Limits(rows, site_most, penalty), extent
    share = shares(instance, everyone, begin, extent.exists, limits)
    prices = share.prices
    begin, extent, wanted_s = divided(begin, extent, share.wanted_s)
    likely = candidates.reduced_usd(forms, everyone, begin, prices)
    likely[~extent.exists] = np.inf
    likely = np.where(wanted_s > 0, -wanted_s, likely)
    count = max(candidates.CANDIDATES, int(everyone.copies.max()))
    found = candidates.candidates(forms, everyone, begin, likely, rows, count)
    domain, most = candidates.domain_table(instance, everyone)
    terms = candidates.lower_usd(
        forms, everyone, begin, found, extent, prices, penalty, (domain, most)
    )
    known = necessary.from_rows(
        instance, whole, prices, limits, float(terms.sum()), share.budget_usd
    )
    if everyone.of_class.size * forms.site.size <= windows.MOST_ARCS * exact_s:
        better = windows.best(instance, forms, everyone, limits, share.budget_usd)
        known = max(known, better, key=lambda one: one.lower_usd)
    lower = float(terms.sum()) - prices.charged_usd(rows, site_most, share.budget_usd)
    plan = bidding.Assignment(found, rows, everyone, domain, most, site_most)
    group = np.repeat(np.arange(begin.size - 1), np.diff(begin))
    first = found.option[begin[:-1], : int((wanted_s > 0).sum(axis=1).max())]
    quota = bidding.Quota(group, np.take_along_axis(wanted_s, first, axis=1))
    reduced = found.reduced_usd(prices)
    bidding.place(plan, reduced, penalty, quota)
    bidding.place(plan, reduced, penalty)
    widening.widen(plan, forms, everyone, prices, reduced, penalty)
    residue.settle(plan, forms, everyone, rows, penalty)
    relocation.relocate(plan)
    relocation.within_budget(plan, share.budget_usd)
    return assemble(instance, everyone, forms, plan, rows, prices, lower, penalty, known)


def _site_most(instance: Instance, copies: int) -> Floats:
    """Return how many copies each site may take."""
    share = instance.swarm.max_site_share
    most = np.floor(share * copies + bidding.EPSILON) if share < 1 else np.inf
    return np.full(len(instance.sites), most)
