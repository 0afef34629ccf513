"""New candidates for items none of whose candidates has room: the cheapest options that have."""

import numpy as np
from numpy.typing import NDArray

from swarm_placement.distinct.bidding import Assignment, place
from swarm_placement.distinct.candidates import CLOSED, Prices
from swarm_placement.distinct.grid import levels
from swarm_placement.distinct.items import Items
from swarm_placement.distinct.linear import Forms

Ints = NDArray[np.int64]
ROUNDS = 8


def widen(
    plan: Assignment,
    forms: Forms,
    items: Items,
    prices: Prices,
    reduced: NDArray[np.float64],
    penalty: float,
) -> None:
    """Place copies anywhere; `reduced` are the candidates' costs at the prices."""
    for _ in range(ROUNDS):
        item = np.flatnonzero(plan.missing > 0)
        if not item.size:
            return
        for part in np.split(item, np.flatnonzero(np.diff(items.pattern[item])) + 1):
            _renew(plan, forms, items, part, prices)
        reduced[item] = plan.found.reduced_usd(prices, item)
        place(plan, reduced, penalty)
        if plan.missing[item].sum() == plan.missing.sum() == 0:
            return
        if not (plan.missing[item] == 0).any():
            return


def _renew(plan: Assignment, forms: Forms, items: Items, item: Ints, prices: Prices) -> None:
    """Give items of one pattern the cheapest options with room; what they have stays."""
    found, pattern = plan.found, items.pattern[item[0]]
    site = forms.site
    exact = forms.arcs(items, item, np.arange(site.size))
    row = site * found.levels + levels(exact.latest_s, found.levels)
    open_ = exact.exists & (plan.room_s()[row] >= exact.work_s)
    reduced = exact.cost_usd * forms.liked[pattern] * (1 + prices.budget)
    reduced += exact.work_s * prices.slot_usd().ravel()[row] + prices.share_usd[site]
    reduced = np.where(open_, reduced, np.inf)
    each = np.arange(item.size)
    had = np.where(plan.chosen[item] >= 0, found.option[item[:, None], plan.chosen[item]], -1)
    for ordinal in range(had.shape[1]):
        has = np.flatnonzero(had[:, ordinal] >= 0)
        reduced[has, had[has, ordinal]] = -np.inf
    count = found.option.shape[1]
    columns = np.argpartition(reduced, count - 1, axis=1)[:, :count]
    cell = (each[:, None], columns)
    exists = exact.exists[cell]
    found.option[item] = columns
    found.row[item] = row[cell]
    found.latest_s[item] = exact.latest_s[cell]
    found.work_s[item] = np.where(exists, exact.work_s[cell], 1.0)
    found.cost_usd[item] = np.where(exists, exact.cost_usd[cell], CLOSED)
    found.rank_usd[item] = found.cost_usd[item] * forms.liked[pattern][columns]
    for ordinal in range(had.shape[1]):
        has = np.flatnonzero(had[:, ordinal] >= 0)
        same = columns[has] == had[has, ordinal][:, None]
        plan.chosen[item[has], ordinal] = same.argmax(axis=1)
