"""The class x option linear program.

    minimise    sum_a rank_a x_a + penalty sum_c u_c
    demand      sum_{a in c} x_a + u_c = items_c copies_c                      for each class c
    domains     sum_{a in (c, g)} x_a <= items_c most_cg            for each class c and domain g
    capacity    sum_{a at s, level <= l} work_a x_a <= slot_s_sl       for each site s and level l
    share       sum_{a at s} x_a <= site_most_s;    budget    sum_a cost_a x_a <= budget

The dual simplex starts where nothing is placed, which is dual feasible because no cost is negative;
presolve, interior points, column generation and lazy rows were all measured slower (ADR 7).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.program import bound, highs
from swarm_placement.program.bound import Prices
from swarm_placement.program.problem import Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Relaxed:
    """The optimum: copies per arc (fractions), unplaced copies, prices, and the bound they prove."""

    copies: Floats
    unplaced: float
    prices: Prices
    lower_usd: float


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """Rows on capacity: entry e says that a copy of `arc[e]` takes `work_s[e]` of the `slot_s` of
    `row[e]`."""

    arc: Ints
    row: Ints
    work_s: Floats
    slot_s: Floats


class Relaxation:
    """The program of a problem; rows are demand, domains, capacity, share, budget, columns are arcs,
    then unplaced copies per class. Capacity rows are those of the problem, or others."""

    def __init__(self, flat: Problem, capacity: Limits | None = None) -> None:
        self.flat = flat
        self.capacity = capacity or nested(flat)
        many = np.bincount(flat.group, minlength=flat.group_most.size) > 1
        binding = flat.group_most < flat.demand[flat.group_class]
        self.groups = np.flatnonzero(many & binding)
        self.limited = np.flatnonzero(np.isfinite(flat.site_most))
        self.budgets = int(np.isfinite(flat.budget_usd))
        self.capacity_row = flat.classes + self.groups.size
        self.share_row = self.capacity_row + self.capacity.slot_s.size
        self.budget_row = self.share_row + self.limited.size
        self.scale = 1.0 / (float(np.median(flat.cost_usd)) or 1.0) if flat.cost_usd.size else 1.0
        self.solver = highs.program(self._columns(), *self._row_bounds())

    def solve(self) -> Relaxed:
        """Solve, from the last basis if there is one."""
        answer = highs.run(self.solver)
        prices = self._prices(answer.duals / self.scale)
        copies = np.maximum(answer.values[: self.flat.of_class.size], 0.0)
        unplaced = max(0.0, float(answer.values[self.flat.of_class.size :].sum()))
        return Relaxed(copies, unplaced, prices, bound.lower_usd(self.flat, prices))

    def prices(self) -> Prices:
        """Solve, and return the prices alone, whatever the capacity rows are."""
        return self._prices(highs.run(self.solver).duals / self.scale)

    def limit(self, slot_s: Floats) -> None:
        """Give the capacity rows these slot-seconds; bounds are worked out with those of the problem
        all the same."""
        rows = np.arange(self.capacity_row, self.share_row)
        highs.limit(self.solver, rows, slot_s)

    def _row_bounds(self) -> tuple[Floats, Floats]:
        flat = self.flat
        demand = flat.demand.astype(float)
        most = np.concatenate(
            (
                flat.group_most[self.groups].astype(float),
                self.capacity.slot_s,
                flat.site_most[self.limited],
                np.full(self.budgets, flat.budget_usd),
            )
        )
        lower = np.concatenate((demand, np.full(most.size, -np.inf)))
        return lower, np.concatenate((demand, most))

    def _columns(self) -> highs.Columns:
        """Return all columns; entries are listed by kind of row."""
        flat, arc = self.flat, np.arange(self.flat.of_class.size)
        group_row = _numbered(self.groups, flat.group_most.size, flat.classes)[flat.group]
        share_row = _numbered(self.limited, flat.site_most.size, self.share_row)[flat.site]
        taken = self.capacity
        grouped, shared = np.flatnonzero(group_row >= 0), np.flatnonzero(share_row >= 0)
        spent = arc if self.budgets else arc[:0]
        left = np.arange(flat.classes)
        ones = np.ones(max(arc.size, left.size))
        entries = (
            (arc, flat.of_class, ones[: arc.size]),
            (grouped, group_row[grouped], ones[: grouped.size]),
            (taken.arc, self.capacity_row + taken.row, taken.work_s),
            (shared, share_row[shared], ones[: shared.size]),
            (spent, np.full(spent.size, self.budget_row), flat.cost_usd[spent]),
            (arc.size + left, left, ones[: left.size]),
        )
        owner, rows, values = (np.concatenate(part) for part in zip(*entries, strict=True))
        cost = np.concatenate((flat.rank_usd, np.full(left.size, flat.penalty_usd)))
        upper = np.concatenate((flat.group_most[flat.group], flat.demand)).astype(float)
        return highs.columns(cost * self.scale, upper, owner, rows, values)

    def _prices(self, duals: Floats) -> Prices:
        """Return the prices that the duals of the rows mean."""
        paid = np.maximum(0.0, -duals)
        share = np.zeros(self.flat.site_most.size)
        share[self.limited] = paid[self.share_row : self.budget_row]
        budget = float(paid[self.budget_row]) if self.budgets else 0.0
        return Prices(paid[self.capacity_row : self.share_row], share, budget)


def crossings(flat: Problem) -> tuple[Ints, Ints]:
    """Return the pairs (arc, capacity row) where the arc counts in the row."""
    many = np.searchsorted(flat.rows.site, flat.site, side="right") - flat.rows.of_arc
    arc = np.repeat(np.arange(flat.site.size), many)
    step = np.arange(arc.size) - np.repeat(np.cumsum(many) - many, many)
    return arc, flat.rows.of_arc[arc] + step


def nested(flat: Problem) -> Limits:
    """Return the capacity rows of a problem."""
    arc, row = crossings(flat)
    return Limits(arc, row, flat.work_s[arc], flat.rows.slot_s)


def _numbered(chosen: Ints, size: int, first: int) -> Ints:
    """Return consecutive numbers from `first` on for the chosen, -1 for the others."""
    found = np.full(size, -1, np.int64)
    found[chosen] = first + np.arange(chosen.size)
    return found
