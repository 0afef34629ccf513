"""Stranded copies, placed anew together with items that stand in their way.

Bids never make room for one another. What they strand is a small problem of its own: the items
with a missing copy and some of those at the sites they could use, over what the rest of the plan
leaves free. There the class path can afford its chains and rounds, each item being a class.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement.distinct.bidding import Assignment
from swarm_placement.distinct.grid import Grid, levels
from swarm_placement.distinct.items import Items
from swarm_placement.distinct.linear import Forms
from swarm_placement.placing import whole
from swarm_placement.program import problem
from swarm_placement.program.problem import Problem
from swarm_placement.program.relaxation import Relaxation

Ints = NDArray[np.int64]
ARCS = 40_000
"""Items x options of an attempt, more or less."""
MOST_ITEMS = 1_200
STRANDED_SHARE = 0.25
"""Share of an attempt's items that is stranded, at most."""
ATTEMPTS = 4
IMPROVED = 2
"""Rounds of improvement the class path is given."""


def settle(plan: Assignment, forms: Forms, items: Items, rows: Grid, penalty: float) -> None:
    """Place stranded copies where moving others makes room, money aside; each attempt sees other
    companions, and one that places nothing is taken back."""
    number = max(2, min(MOST_ITEMS, ARCS // max(1, forms.site.size)))
    for attempt in range(ATTEMPTS):
        stranded = np.flatnonzero(plan.missing > 0)[: int(number * STRANDED_SHARE) + 1]
        sites = _sites(forms, items, stranded)
        if not sites.any():
            return
        others = _companions(plan, sites, stranded)
        step = -(-others.size // (number - stranded.size)) or 1
        chosen = np.append(stranded, others[attempt % step :: step])
        if not _anew(plan, forms, items, rows, chosen, penalty) and step == 1:
            return


def _sites(forms: Forms, items: Items, stranded: Ints) -> NDArray[np.bool_]:
    """Say which sites any of the items may use."""
    found = np.zeros(int(forms.site.max(initial=-1)) + 1, dtype=bool)
    every = np.arange(forms.site.size)
    for part in np.split(stranded, np.flatnonzero(np.diff(items.pattern[stranded])) + 1):
        if part.size:
            found[forms.site[forms.arcs(items, part, every).exists.any(axis=0)]] = True
    return found


def _companions(plan: Assignment, sites: NDArray[np.bool_], stranded: Ints) -> Ints:
    """Return the other items with a copy at these sites."""
    item, ordinal = np.nonzero(plan.chosen >= 0)
    site = plan.found.row[item, plan.chosen[item, ordinal]] // plan.found.levels
    return np.setdiff1d(item[sites[site]], stranded)


def _anew(
    plan: Assignment, forms: Forms, items: Items, rows: Grid, chosen: Ints, penalty: float
) -> bool:
    """Place some items anew, and say so, unless that strands as many copies as before."""
    before, missing = plan.chosen[chosen].copy(), int(plan.missing[chosen].sum())
    for ordinal in range(before.shape[1]):
        _put(plan, chosen, ordinal, np.full(chosen.size, -1))
    flat = _problem(plan, forms, items, rows, chosen, penalty)
    program = Relaxation(flat)
    room = whole.large(program, program.solve(), rounds=IMPROVED)
    if int(room.left.sum()) >= missing:
        for ordinal in range(before.shape[1]):
            _put(plan, chosen, ordinal, before[:, ordinal])
        return False
    arc = np.flatnonzero(room.copies)
    owner = flat.of_class[arc]
    column = _within(owner)  # an arc that several copies of an item use is one candidate
    item, found = chosen[owner], plan.found
    cell = (item, column)
    found.option[cell], found.cost_usd[cell] = flat.option[arc], flat.cost_usd[arc]
    found.rank_usd[cell], found.work_s[cell] = flat.rank_usd[arc], flat.work_s[arc]
    found.latest_s[cell] = flat.latest_s[arc]
    found.row[cell] = flat.site[arc] * found.levels + levels(flat.latest_s[arc], found.levels)
    many = room.copies[arc]
    item, column = np.repeat(item, many), np.repeat(column, many)
    each = _within(np.repeat(owner, many))
    for ordinal in range(before.shape[1]):
        here = each == ordinal
        _put(plan, item[here], ordinal, column[here])
    return True


def _within(owner: Ints) -> Ints:
    """Return which of its owner's entries each one is; owners ascend."""
    return np.arange(owner.size) - np.searchsorted(owner, owner)


def _put(plan: Assignment, item: Ints, ordinal: int, column: Ints) -> None:
    plan.put(item, np.full(item.size, ordinal), column)


def _problem(
    plan: Assignment, forms: Forms, items: Items, rows: Grid, chosen: Ints, penalty: float
) -> Problem:
    """Return the problem of some items, each a class, over what the others leave free."""
    instance = forms.instance
    classes = tuple(
        replace(instance.classes[one], items=1) for one in items.of_class[chosen].tolist()
    )
    flat = problem.problem(replace(instance, classes=classes), problem.LEVEL_RATIO)
    least = np.minimum.accumulate(plan.slack_s[:, ::-1], axis=1)[:, ::-1]
    free = Grid(rows.edge_s, np.maximum(least, 0.0))
    return replace(
        flat,
        rows=free.rows(flat.site, flat.latest_s),
        site_most=plan.site_left.copy(),
        budget_usd=np.inf,
        penalty_usd=penalty,
    )
