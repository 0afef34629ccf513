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
    """How many more slot-seconds of each group's items its first candidates take (groups x
    candidates); the others take none. `group` is per item.

    A copy is within as long as more than half of it is, so that rounding errs to both sides.
    """

    group: Ints
    left_s: Floats

    def within(self, item: Ints, work_s: Floats) -> Flags:
        """Say which of the first candidates of items (both items x candidates) still take one."""
        return np.asarray(self.left_s[self.group[item]] > work_s / 2)

    def kept(self, item: Ints, column: Ints, work_s: Floats, worth: Floats) -> Ints:
        """Return which bids are within the quota, those of most `worth` first."""
        place = self.group[item] * self.left_s.shape[1] + column
        order = np.lexsort((-worth, place))
        taken = running(work_s[order], place[order]) - work_s[order] / 2
        return np.asarray(order[taken < self.left_s.ravel()[place[order]]])


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

    def fits(self, item: Ints, room_s: Floats, width: int | None = None) -> Flags:
        """Say which of the first candidates of items (all without a width) have room, in a domain
        that another copy may enter."""
        row, work_s = self.found.row[:, :width][item], self.found.work_s[:, :width][item]
        found = room_s[row] >= work_s
        found &= self.found.rank_usd[:, :width][item] < CLOSED / 2
        many = np.flatnonzero((self.copies[item] > 1) & (self.chosen[item] >= 0).any(axis=1))
        if many.size:
            found[many] &= self.enters(item[many, None], np.arange(found.shape[1]))
        return found

    def enters(self, item: Ints, column: Ints) -> Flags:
        """Say whether the domain of a candidate does not yet have its share of the item; items and
        columns are broadcast against each other."""
        pattern = self.pattern[item]
        cell = (pattern, self.found.option[item, column])
        domain, taken = self.domain[cell], np.zeros(np.broadcast_shapes(item.shape, column.shape))
        for ordinal in range(self.chosen.shape[1]):
            other = self.chosen[item, ordinal]
            there = self.domain[pattern, self.found.option[item, other]]
            taken += (domain == there) & (other >= 0)
        return np.asarray(taken < self.most[cell])

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
    width = quota.left_s.shape[1] if quota else plan.found.work_s.shape[1]
    reduced = reduced[:, :width]
    for _ in range(ROUNDS):
        item = np.flatnonzero(plan.missing > 0)
        open_ = plan.fits(item, plan.room_s(), width)
        if quota:
            open_ &= quota.within(item, plan.found.work_s[:, :width][item])
        some = np.flatnonzero(open_.any(axis=1))
        item, asked = item[some], np.where(open_[some], reduced[item[some]], np.inf)
        if not item.size:
            return
        column, regret = best(asked, penalty)
        work_s = plan.found.work_s[item, column]
        worth = regret / work_s
        if quota:
            kept = quota.kept(item, column, work_s, worth)
            item, column, worth = item[kept], column[kept], worth[kept]
        taken = admitted(plan, (item, column), worth)
        item, column = item[taken], column[taken]
        plan.put(item, (plan.chosen[item] < 0).argmax(axis=1), column)
        if quota:
            work_s = plan.found.work_s[item, column]
            np.subtract.at(quota.left_s, (quota.group[item], column), work_s)


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
