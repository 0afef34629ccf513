"""The linear program of superclasses with the arcs that matter.

Arcs are priced in (column generation, Dantzig and Wolfe 1960): the program begins with what a
coarser one uses and with the cheapest arcs at its prices, and takes in what is cheaper than a
class's dual until the bound of all arcs is near the program's value. Rows are those its first arcs
enter; an arc taken in later counts from the next of them on. Any prices prove a bound, so both
shortcuts cost quality at most, never truth.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.program import bound, highs
from swarm_placement.program.bound import Prices
from swarm_placement.program.problem import Problem
from swarm_placement.program.relaxation import Relaxation

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
NEAR = 8
"""Arcs of each class the program begins with, besides those used before."""
TAKEN_IN = 8
"""Arcs of each class that a round takes in at most."""
LIKELY = 32
"""Arcs of each class whose rows the program has."""
ROUNDS = 4
EPSILON = 1e-9
"""Copies below are none."""
CLOSE = 0.004
"""Share of the value within which the bound ends the rounds."""


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """An optimum over the arcs considered: copies per arc of the problem (fractions), and prices
    on all of its rows."""

    copies: Floats
    prices: Prices


def solved(flat: Problem) -> Optimum:
    """Return the optimum over all arcs."""
    relaxed = Relaxation(flat).solve()
    return Optimum(relaxed.copies, relaxed.prices)


def priced_in(flat: Problem, reduced: Floats, used: Flags) -> Optimum:
    """Return an optimum close to that over all arcs; `reduced` are costs at prices already known,
    `used` says which arcs the program must have from the beginning."""
    first = used | cheapest(flat, reduced, NEAR)
    likely = first | cheapest(flat, reduced, LIKELY)
    program = _Program(flat, np.flatnonzero(first), np.unique(flat.rows.of_arc[likely]))
    optimum, dual_usd, value_usd = program.solve()
    for _ in range(ROUNDS - 1):
        if bound.lower_usd(flat, optimum.prices) >= (1 - CLOSE) * value_usd:
            break
        reduced = bound.reduced_usd(flat, optimum.prices) - dual_usd[flat.of_class]
        reduced[program.arcs] = np.inf
        more = cheapest(flat, reduced, TAKEN_IN) & (reduced < 0)
        if not more.any():
            break
        program.take_in(np.flatnonzero(more))
        optimum, dual_usd, value_usd = program.solve()
    return optimum


def cheapest(flat: Problem, reduced: Floats, count: int) -> Flags:
    """Say which arcs are among so many cheapest of their class (more where costs are equal)."""
    grid = np.full((flat.classes, max(count, int(flat.option.max(initial=0)) + 1)), np.inf)
    grid[flat.of_class, flat.option] = reduced
    last = np.partition(grid, count - 1, axis=1)[:, count - 1]
    return np.asarray(reduced <= last[flat.of_class])


class _Program:
    """The program over some arcs of a problem: rows are demand, domains, capacity, share, budget;
    columns are unplaced copies per class, then arcs in the order they were taken in."""

    def __init__(self, flat: Problem, arcs: Ints, rows: Ints) -> None:
        self.flat, self.arcs = flat, arcs
        many = np.bincount(flat.group[arcs], minlength=flat.group_most.size) > 1
        binding = flat.group_most < flat.demand[flat.group_class]
        self.groups = np.flatnonzero(many & binding)
        last = np.append(flat.rows.site[1:] != flat.rows.site[:-1], True)[: flat.rows.site.size]
        last[rows] = True
        self.rows = np.flatnonzero(last)
        self.limited = np.flatnonzero(np.isfinite(flat.site_most))
        self.budgets = int(np.isfinite(flat.budget_usd))
        counts = (flat.classes, self.groups.size, self.rows.size, self.limited.size, self.budgets)
        self.begins = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
        self.scale = 1.0 / (float(np.median(flat.cost_usd)) or 1.0) if flat.cost_usd.size else 1.0
        first = highs.joined(self._unplaced(), self._columns(arcs))
        self.solver = highs.program(first, *self._row_bounds())

    def take_in(self, arcs: Ints) -> None:
        """Add arcs."""
        highs.extend(self.solver, self._columns(arcs))
        self.arcs = np.append(self.arcs, arcs)

    def solve(self) -> tuple[Optimum, Floats, float]:
        """Return the optimum, the dual of each class's demand, and the value of the program."""
        flat, answer = self.flat, highs.run(self.solver)
        copies = np.zeros(flat.of_class.size)
        copies[self.arcs] = np.maximum(answer.values[flat.classes :], 0.0)
        duals = answer.duals / self.scale
        paid = np.maximum(0.0, -duals)
        row_usd, share_usd = np.zeros(flat.rows.site.size), np.zeros(flat.site_most.size)
        row_usd[self.rows] = paid[self.begins[2] : self.begins[3]]
        share_usd[self.limited] = paid[self.begins[3] : self.begins[4]]
        prices = Prices(row_usd, share_usd, float(paid[self.begins[4] :].sum()))
        return Optimum(copies, prices), duals[: flat.classes], answer.objective / self.scale

    def _row_bounds(self) -> tuple[Floats, Floats]:
        flat = self.flat
        demand = flat.demand.astype(float)
        most = (
            flat.group_most[self.groups].astype(float),
            flat.rows.slot_s[self.rows],
            flat.site_most[self.limited],
            np.full(self.budgets, flat.budget_usd),
        )
        upper = np.concatenate((demand, *most))
        return np.append(demand, np.full(upper.size - demand.size, -np.inf)), upper

    def _unplaced(self) -> highs.Columns:
        flat, each = self.flat, np.arange(self.flat.classes)
        cost = np.full(each.size, flat.penalty_usd * self.scale)
        return highs.columns(cost, flat.demand.astype(float), each, each, np.ones(each.size))

    def _columns(self, arcs: Ints) -> highs.Columns:
        """Return the columns of arcs; a row not kept stands for the next one that is."""
        flat, each = self.flat, np.arange(arcs.size)
        enters = np.searchsorted(self.rows, flat.rows.of_arc[arcs])
        end = np.searchsorted(flat.rows.site[self.rows], flat.site[arcs], side="right")
        many = end - enters
        crossing = np.repeat(each, many)
        step = np.arange(crossing.size) - np.repeat(np.cumsum(many) - many, many)
        grouped, group_row = _among(self.groups, flat.group[arcs])
        shared, share_row = _among(self.limited, flat.site[arcs])
        spent = each if self.budgets else each[:0]
        entries = (
            (each, flat.of_class[arcs], np.ones(each.size)),
            (grouped, self.begins[1] + group_row, np.ones(grouped.size)),
            (crossing, self.begins[2] + enters[crossing] + step, flat.work_s[arcs][crossing]),
            (shared, self.begins[3] + share_row, np.ones(shared.size)),
            (spent, np.full(spent.size, self.begins[4]), flat.cost_usd[arcs][spent]),
        )
        owner, rows, values = (np.concatenate(part) for part in zip(*entries, strict=True))
        cost, upper = flat.rank_usd[arcs] * self.scale, flat.group_most[flat.group[arcs]]
        return highs.columns(cost, upper.astype(float), owner, rows, values)


def _among(chosen: Ints, values: Ints) -> tuple[Ints, Ints]:
    """Return which values are among the chosen (ascending), and the place of each there."""
    at = np.minimum(np.searchsorted(chosen, values), max(0, chosen.size - 1))
    found = np.flatnonzero(chosen[at] == values) if chosen.size else at[:0]
    return found, at[found]
