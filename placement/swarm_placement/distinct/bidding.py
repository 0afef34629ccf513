"""Copies bid for candidates, sites admit within their capacity rows.

In each round every item with a copy to place bids for its cheapest candidate that has room; a site
that is asked for too much admits those first that would lose most per slot-second by going to
their next best candidate. Rows are met from the least level on, so what must start early is
admitted exactly. At the prices of the linear program this is the auction's one step from the dual
to a plan (Bertsekas 1988); prices do not move meanwhile, and admitted copies stay.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.distinct.candidates import CLOSED, Candidates
from swarm_placement.distinct.grid import Grid
from swarm_placement.distinct.items import Items

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
ROUNDS = 40
EPSILON = 1e-9
"""Share of a row that rounding may cost: whole copies often fill a row exactly."""


@dataclass(frozen=True, slots=True, eq=False)
class Quota:
    """How many more copies of each group's items each candidate takes; `group` is per item."""

    group: Ints
    left: Ints

    def kept(self, item: Ints, column: Ints, worth: Floats) -> Ints:
        """Return which bids are within the quota, those of most `worth` first."""
        place = self.group[item] * self.left.shape[1] + column
        order = np.lexsort((-worth, place))
        _, begin, size = np.unique(place[order], return_index=True, return_counts=True)
        rank = np.arange(order.size) - np.repeat(begin, size)
        return np.asarray(order[rank < self.left.ravel()[place[order]]])


class Assignment:
    """Which candidate each copy has, and what that leaves free.

    `chosen[item, ordinal]` is a column of the candidates, -1 for none; an ordinal an item does not
    have stays -1. `domain` and `most`, patterns x options, are as `candidates.domain_table` says.
    """

    def __init__(
        self,
        found: Candidates,
        rows: Grid,
        items: Items,
        domain: Ints,
        most: Ints,
        site_most: Floats,
    ) -> None:
        self.found, self.copies, self.pattern = found, items.copies, items.pattern
        self.domain, self.most = domain, most
        shape = (self.copies.size, int(self.copies.max(initial=1)))
        self.chosen = np.full(shape, -1, np.int64)
        self.slack_s = rows.slot_s * (1 + EPSILON)
        self.site_left = site_most.astype(np.float64)

    @property
    def missing(self) -> Ints:
        """Return how many copies of each item have no place."""
        return np.asarray(self.copies - (self.chosen >= 0).sum(axis=1), np.int64)

    def room_s(self) -> Floats:
        """Return what still fits into each row and all later ones, per row of the candidates."""
        room = np.minimum.accumulate(self.slack_s[:, ::-1], axis=1)[:, ::-1]
        room = np.where(self.site_left[:, None] >= 1, room, -1.0)
        return np.ascontiguousarray(room).ravel()

    def fits(self, item: Ints, room_s: Floats) -> Flags:
        """Say which candidates of items have room, in a domain that another copy may enter."""
        found = room_s[self.found.row[item]] >= self.found.work_s[item]
        found &= self.found.rank_usd[item] < CLOSED / 2
        many = np.flatnonzero((self.chosen[item] >= 0).any(axis=1))
        if many.size:
            found[many] &= self._open(item[many])
        return found

    def _open(self, item: Ints) -> Flags:
        """Say which candidates are in a domain that does not yet have its share of the item."""
        option = self.found.option[item]
        cell = (self.pattern[item][:, None], option)
        domain, most = self.domain[cell], self.most[cell]
        taken = np.zeros(option.shape, np.int64)
        for ordinal in range(self.chosen.shape[1]):
            column = self.chosen[item, ordinal]
            there = domain[np.arange(item.size), column]
            taken += (domain == there[:, None]) & (column >= 0)[:, None]
        return np.asarray(taken < most)

    def put(self, item: Ints, ordinal: Ints, column: Ints) -> None:
        """Give copies that have no place a candidate; -1 takes their place away."""
        before = self.chosen[item, ordinal]
        for old, sign in ((before, -1.0), (column, 1.0)):
            has = np.flatnonzero(old >= 0)
            cell = (item[has], old[has])
            row = self.found.row[cell]
            load = np.bincount(row, sign * self.found.work_s[cell], self.slack_s.size)
            self.slack_s -= np.cumsum(load.reshape(self.slack_s.shape), axis=1)
            site = row // self.found.levels
            self.site_left -= sign * np.bincount(site, minlength=self.site_left.size)
        self.chosen[item, ordinal] = column


def place(plan: Assignment, reduced: Floats, penalty: float, quota: Quota | None = None) -> None:
    """Place copies that have no place, round by round, until no bid is admitted; within a quota if
    there is one."""
    for _ in range(ROUNDS):
        item = np.flatnonzero(plan.missing > 0)
        open_ = plan.fits(item, plan.room_s())
        if quota:
            open_ &= quota.left[quota.group[item]] >= 1
        some = np.flatnonzero(open_.any(axis=1))
        item, asked = item[some], np.where(open_[some], reduced[item[some]], np.inf)
        if not item.size:
            return
        column, regret = best(asked, penalty)
        worth = regret / plan.found.work_s[item, column]
        if quota:
            kept = quota.kept(item, column, worth)
            item, column, worth = item[kept], column[kept], worth[kept]
        taken = admitted(plan, (item, column), worth)
        item, column = item[taken], column[taken]
        plan.put(item, (plan.chosen[item] < 0).argmax(axis=1), column)
        if quota:
            np.subtract.at(quota.left, (quota.group[item], column), 1)


def best(asked: Floats, penalty: float) -> tuple[Ints, Floats]:
    """Return the cheapest column of each row, and what the next best costs more."""
    column = asked.argmin(axis=1)
    each = np.arange(column.size)
    least = asked[each, column]
    asked[each, column] = np.inf
    regret = np.minimum(asked.min(axis=1), penalty) - least
    asked[each, column] = least
    return column, regret


def admitted(plan: Assignment, cell: tuple[Ints, Ints], worth: Floats) -> Ints:
    """Return which bids (item, column) the sites admit, those of most `worth` first."""
    work, row = plan.found.work_s[cell], plan.found.row[cell]
    site, level = np.divmod(row, plan.found.levels)
    order = np.lexsort((-worth, site))
    site, level, work, row = site[order], level[order], work[order], row[order]
    alive = np.ones(order.size, dtype=bool)
    limited = np.isfinite(plan.site_left)
    if limited.any():
        _, begin, size = np.unique(site, return_index=True, return_counts=True)
        rank = np.arange(site.size) - np.repeat(begin, size)
        alive &= rank < plan.site_left[site]
    sites, levels = plan.slack_s.shape
    own = np.bincount(row[alive], work[alive], sites * levels).reshape(sites, levels)
    total = np.zeros(sites)
    for step in range(levels):
        total += own[:, step]
        over = total > plan.slack_s[:, step]
        if not over.any():
            continue
        within = np.flatnonzero(alive & (level <= step) & over[site])
        summed = running(work[within], site[within])
        cut = within[summed > plan.slack_s[site[within], step]]
        alive[cut] = False
        total -= np.bincount(site[cut], work[cut], total.size)
    return order[alive]


def running(values: Floats, group: Ints) -> Floats:
    """Return cumulative sums that begin anew with each group of neighbours."""
    total = np.cumsum(values)
    begin = np.flatnonzero(np.diff(group, prepend=-1))
    before = total[begin] - values[begin]
    return np.asarray(total - np.repeat(before, np.diff(np.append(begin, values.size))))
