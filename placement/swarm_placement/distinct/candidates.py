"""Each item's candidate options, and the lower bound over all its options.

An item keeps the options its superclass should use, and those that are cheapest for the mean item
at the prices of the linear program. The bound needs every option: each has a value below its reduced
cost, linear in the item's size, charged at the cheapest row any item of the superclass may have
there and admitted if it exists for any of them. Options that this makes cheaper than the candidates
for any item get their exact value; the others cannot lower the bound.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.distinct.grid import Grid, levels
from swarm_placement.distinct.items import Items
from swarm_placement.distinct.linear import Forms
from swarm_placement.distinct.superclasses import Extents
from swarm_placement.model import Instance, options
from swarm_placement.program import arcs
from swarm_placement.program.problem import inner

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ALL = slice(None)
CANDIDATES = 16
CLOSED = 1e30
"""Dollars of what is not permitted; finite, so that products with zero stay numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """Dollars per slot-second of each row (sites x levels), per copy at a site above its share,
    and per dollar of budget."""

    row_usd: Floats
    share_usd: Floats
    budget: float

    def slot_usd(self) -> Floats:
        """Return what a slot-second costs arcs that enter at each row, sites x levels."""
        return np.ascontiguousarray(np.cumsum(self.row_usd[:, ::-1], axis=1)[:, ::-1])

    def charged_usd(self, rows: Grid, site_most: Floats, budget_usd: float) -> float:
        """Return what the prices charge for all limits together."""
        limited = np.isfinite(site_most)
        charged = inner(self.row_usd, rows.slot_s)
        charged += inner(self.share_usd[limited], site_most[limited])
        return charged + (self.budget * budget_usd if self.budget else 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Items x candidates, by superclass; `rank_usd` is `CLOSED` where an item may not run.

    `row` is site * levels + level, the first capacity row of the arc.
    """

    option: NDArray[np.int32]
    cost_usd: Floats
    rank_usd: Floats
    work_s: Floats
    latest_s: Floats
    row: Ints
    levels: int

    def reduced_usd(self, prices: Prices, item: Ints | slice = ALL) -> Floats:
        """Return the reduced costs of some items."""
        row = self.row[item]
        found = self.work_s[item] * prices.slot_usd().ravel()[row]
        found += self.rank_usd[item] * (1 + prices.budget)
        if prices.share_usd.any():
            found += np.repeat(prices.share_usd, self.levels)[row]
        return found


def candidates(
    forms: Forms, items: Items, begin: Ints, reduced: Floats, rows: Grid, count: int = CANDIDATES
) -> Candidates:
    """Return the options with the least `reduced` (superclasses x options, infinite where none), the
    least first."""
    count = min(count, reduced.shape[1])
    chosen = np.argpartition(reduced, count - 1, axis=1)[:, :count]
    order = np.argsort(np.take_along_axis(reduced, chosen, axis=1), axis=1, kind="stable")
    chosen = np.take_along_axis(chosen, order, axis=1)
    shape = (items.pattern.size, count)
    option, row = np.empty(shape, np.int32), np.empty(shape, np.int64)
    cost, rank, work, latest = (np.empty(shape) for _ in range(4))
    for one, columns in enumerate(chosen):
        here = slice(begin[one], begin[one + 1])
        found = forms.arcs(items, here, columns)
        option[here], latest[here] = columns, found.latest_s
        work[here] = np.where(found.exists, found.work_s, 1.0)
        cost[here] = np.where(found.exists, found.cost_usd, CLOSED)
        rank[here] = cost[here] * forms.liked[items.pattern[begin[one]], columns]
        row[here] = forms.site[columns] * rows.edge_s.size + rows.level(found.latest_s)
    return Candidates(option, cost, rank, work, latest, row, rows.edge_s.size)


def reduced_usd(forms: Forms, items: Items, begin: Ints, prices: Prices) -> Floats:
    """Return the reduced costs of the mean item of each superclass, superclasses x options."""
    number = np.diff(begin)
    mean = (np.add.reduceat(items.size, begin[:-1], axis=1) / number).T[:, None]
    pattern, slot_usd = items.pattern[begin[:-1]], prices.slot_usd()
    deadline_s = (np.add.reduceat(items.deadline_s, begin[:-1]) / number)[:, None]
    level = levels(deadline_s - (mean @ forms.hop_s[pattern])[:, 0], slot_usd.shape[1])
    found = (mean @ forms.work_s[pattern])[:, 0] * slot_usd[forms.site, level]
    found += (mean @ forms.cost_usd[pattern])[:, 0] * (1 + prices.budget)
    return np.asarray(found + prices.share_usd[forms.site])


def lower_usd(
    forms: Forms,
    items: Items,
    begin: Ints,
    found: Candidates,
    extent: Extents,
    prices: Prices,
    penalty: float,
    table: tuple[Ints, Ints],
) -> Floats:
    """Return per item the least sum of reduced costs of its copies in different domains, each at
    most the penalty, or less than that; `table` is that of the domains."""
    own = found.cost_usd + (found.reduced_usd(prices) - found.rank_usd)
    total, slot_usd = np.empty(items.pattern.size), prices.slot_usd()
    small = np.minimum.reduceat(items.size, begin[:-1], axis=1)
    for one, pattern in enumerate(items.pattern[begin[:-1]]):
        here, columns = slice(begin[one], begin[one + 1]), found.option[begin[one]]
        copies = items.sample[pattern].copies
        domains = (table[0][pattern], table[1][pattern])
        nearest = nearest_usd(copies, own[here], columns, domains, penalty)
        last = nearest.max(axis=1)
        form = _below(forms, pattern, extent, one, prices, slot_usd)
        maybe = small[:, one] @ form < last.max()
        maybe[columns] = False
        more = np.flatnonzero(maybe)
        more = more[(items.size[:, here].T @ form[:, more] < last[:, None]).any(axis=0)]
        if more.size:
            exact = _exact(forms, items, here, more, prices, slot_usd)
            reduced, columns = np.concatenate((own[here], exact), axis=1), np.append(columns, more)
            nearest = nearest_usd(copies, reduced, columns, domains, penalty)
        total[here] = nearest.sum(axis=1)
    return total


def _below(
    forms: Forms, pattern: int, extent: Extents, one: int, prices: Prices, slot_usd: Floats
) -> Floats:
    """Return forms in the size of an item that no reduced cost of the superclass is below."""
    level = levels(extent.latest_s[one], slot_usd.shape[1])
    form = forms.cost_usd[pattern] * (1 + prices.budget)
    form += forms.work_s[pattern] * slot_usd[forms.site, level]
    form[0] += prices.share_usd[forms.site]
    form[0, ~extent.exists[one]] = CLOSED
    return np.asarray(form)


def _exact(
    forms: Forms, items: Items, here: slice, columns: Ints, prices: Prices, slot_usd: Floats
) -> Floats:
    """Return the reduced costs of some items of one pattern to some options."""
    arc, site = forms.arcs(items, here, columns), forms.site[columns]
    level = levels(arc.latest_s, slot_usd.shape[1])
    reduced = arc.cost_usd * (1 + prices.budget) + arc.work_s * slot_usd[site, level]
    return np.asarray(np.where(arc.exists, reduced + prices.share_usd[site], CLOSED))


def nearest_usd(
    copies: int, reduced: Floats, columns: Ints, domains: tuple[Ints, Ints], penalty: float
) -> Floats:
    """Return the cheapest places for the copies of each item (items x copies), at most the penalty
    each; `reduced` is items x columns, which are options, `domains` a row of `domain_table`."""
    if copies == 1:
        return np.asarray(np.minimum(reduced.min(axis=1), penalty)[:, None])
    domain, most = (part[columns] for part in domains)
    order = np.argsort(domain, kind="stable")
    ranked = domain[order]
    begins = np.flatnonzero(np.diff(ranked, prepend=-1))
    cheapest = np.minimum.reduceat(reduced[:, order], begins, axis=1)
    cheapest = np.repeat(cheapest, most[order[begins]], axis=1)
    if cheapest.shape[1] < copies:
        missing = np.full((reduced.shape[0], copies - cheapest.shape[1]), penalty)
        cheapest = np.concatenate((cheapest, missing), axis=1)
    nearest = np.partition(cheapest, copies - 1, axis=1)[:, :copies]
    return np.asarray(np.minimum(nearest, penalty))


def domain_table(instance: Instance, items: Items) -> tuple[Ints, Ints]:
    """Return, patterns x options, the domain and how many copies of one item it may take."""
    site = np.array([way.site for way in options(instance)], np.int64)
    nodes = np.array([one.nodes for one in instance.sites], np.int64)[site]
    ones = np.ones_like(nodes)
    kinds = {one.across for one in items.sample}
    number = {across: arcs.domain_numbers(across, instance.sites)[site] for across in kinds}
    most = [np.minimum(nodes, one.copies) if one.across == "node" else ones for one in items.sample]
    return np.stack([number[one.across] for one in items.sample]), np.stack(most)
