"""Placed copies move to cheaper candidates that have room."""

import numpy as np
from numpy.typing import NDArray

from swarm_placement.distinct.bidding import Assignment, admitted
from swarm_placement.program.arcs import ROUNDING

Ints = NDArray[np.int64]
SWEEPS = 3
SAVING = 1e-6
"""Share of its cost that a copy saves at least by moving."""


def relocate(plan: Assignment, sweeps: int = SWEEPS) -> None:
    """Move copies that become cheaper, in sweeps, those first that save most per slot-second.

    A sweep counts what a copy leaves as free only for the next one, so moves never exceed a row.
    """
    for _ in range(sweeps):
        moved = sum(_sweep(plan, ordinal) for ordinal in range(plan.chosen.shape[1]))
        if not moved:
            return


def _sweep(plan: Assignment, ordinal: int) -> int:
    """Move copies of one ordinal; return how many moved."""
    found = plan.found
    item = np.flatnonzero(plan.chosen[:, ordinal] >= 0)
    now = found.rank_usd[item, plan.chosen[item, ordinal]]
    at, column = np.nonzero(found.rank_usd[item] < (now * (1 - SAVING))[:, None])
    room_s = plan.room_s()
    item, now = item[at], now[at]
    fits = room_s[found.row[item, column]] >= found.work_s[item, column]
    item, column, now = item[fits], column[fits], now[fits]
    fits = (plan.copies[item] == 1) | plan.enters(item, column)
    item, column, now = item[fits], column[fits], now[fits]
    gain = now - found.rank_usd[item, column]
    order = np.lexsort((-gain, item))
    order = order[np.flatnonzero(np.diff(item[order], prepend=-1))]
    item, column, gain = item[order], column[order], gain[order]
    taken = admitted(plan, (item, column), gain / found.work_s[item, column])
    plan.put(item[taken], np.full(taken.size, ordinal), column[taken])
    return int(taken.size)


def within_budget(plan: Assignment, budget_usd: float) -> None:
    """Take places away, the dearest first, until the plan costs no more than the budget."""
    item, ordinal = np.nonzero(plan.chosen >= 0)
    cost = plan.found.cost_usd[item, plan.chosen[item, ordinal]]
    most_usd = budget_usd * (1 + ROUNDING)
    if cost.sum() <= most_usd:
        return
    order = np.argsort(cost, kind="stable")
    out = order[np.cumsum(cost[order]) > most_usd]
    for one in range(plan.chosen.shape[1]):
        mine = out[ordinal[out] == one]
        plan.put(item[mine], np.full(mine.size, one), np.full(mine.size, -1))
