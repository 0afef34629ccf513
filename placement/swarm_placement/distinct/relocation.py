"""Placed copies move to cheaper candidates that have room."""

import numpy as np
from numpy.typing import NDArray

from swarm_placement.distinct.bidding import Assignment, admitted

Ints = NDArray[np.int64]
SWEEPS = 3


def relocate(plan: Assignment, sweeps: int = SWEEPS) -> None:
    """Move copies that become cheaper, in sweeps, those first that save most per slot-second.

    A sweep counts what a copy leaves as free only for the next one, so moves never exceed a row.
    """
    found = plan.found
    for _ in range(sweeps):
        moved = 0
        for ordinal in range(plan.chosen.shape[1]):
            item = np.flatnonzero(plan.chosen[:, ordinal] >= 0)
            now = plan.chosen[item, ordinal]
            dearer = found.rank_usd[item] - found.rank_usd[item, now][:, None]
            some = np.flatnonzero((dearer < 0).any(axis=1))
            item, dearer = item[some], dearer[some]
            dearer = np.where(plan.fits(item, plan.room_s()), dearer, 0.0)
            column = dearer.argmin(axis=1)
            gain = -dearer[np.arange(item.size), column]
            some = np.flatnonzero(gain > 0)
            item, column, gain = item[some], column[some], gain[some]
            taken = admitted(plan, (item, column), gain / found.work_s[item, column])
            plan.put(item[taken], np.full(taken.size, ordinal), column[taken])
            moved += taken.size
        if not moved:
            return


def within_budget(plan: Assignment, budget_usd: float) -> None:
    """Take places away, the dearest first, until the plan costs no more than the budget."""
    item, ordinal = np.nonzero(plan.chosen >= 0)
    cost = plan.found.cost_usd[item, plan.chosen[item, ordinal]]
    if cost.sum() <= budget_usd:
        return
    order = np.argsort(cost, kind="stable")
    out = order[np.cumsum(cost[order]) > budget_usd]
    for one in range(plan.chosen.shape[1]):
        mine = out[ordinal[out] == one]
        plan.put(item[mine], np.full(mine.size, one), np.full(mine.size, -1))
