"""What superclasses should take of each option, and at which prices: two linear programs.

A coarse program over few runs of superclasses says which arcs matter; the fine one begins with
those (`program`). Superclasses of a run share what it takes.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement.distinct import program, superclasses
from swarm_placement.distinct.candidates import Prices
from swarm_placement.distinct.grid import Grid
from swarm_placement.distinct.items import Items
from swarm_placement.model import Instance
from swarm_placement.program import bound
from swarm_placement.program.problem import Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
COARSE_RUNS = 64
FINE_RUNS = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """What all programs over the same items share: rows, copies a site may take, the penalty."""

    rows: Grid
    site_most: Floats
    penalty_usd: float


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """Slot-seconds of each option that superclasses should take (superclasses x options)."""

    wanted_s: Floats
    prices: Prices
    budget_usd: float


def shares(instance: Instance, items: Items, begin: Ints, exists: Flags, limits: Limits) -> Shares:
    """Return the shares of superclasses; `exists` (superclasses x options) is where they may run."""
    first = superclasses.runs(items, begin, FINE_RUNS)
    flat = _problem(instance, items, begin, first, limits)
    coarse = superclasses.runs(items, begin, COARSE_RUNS)
    if 2 * coarse.size >= first.size:
        optimum = program.solved(flat)
    else:
        rough = _problem(instance, items, begin, coarse, limits)
        known = program.solved(rough)
        parent = np.searchsorted(coarse, first, side="right") - 1
        uses = np.zeros((coarse.size, exists.shape[1]), dtype=bool)
        uses[rough.of_class, rough.option] = known.copies > program.EPSILON
        reduced = _reduced_usd(flat, _on_grid(rough, known.prices, limits.rows), limits.rows)
        used = uses[parent[flat.of_class], flat.option]
        optimum = program.priced_in(flat, reduced, used)
    taken_s = np.zeros((first.size, exists.shape[1]))
    taken_s[flat.of_class, flat.option] = optimum.copies * flat.work_s
    run = np.repeat(np.arange(first.size), np.diff(np.append(first, begin.size - 1)))
    part = np.diff(begin) / flat.items[run]
    wanted_s = np.where(exists, taken_s[run] * part[:, None], 0.0)
    return Shares(wanted_s, _on_grid(flat, optimum.prices, limits.rows), flat.budget_usd)


def _problem(instance: Instance, items: Items, begin: Ints, first: Ints, limits: Limits) -> Problem:
    """Return the problem of the runs that begin at these superclasses, within the limits of all."""
    flat = superclasses.aggregated(instance, items, np.append(begin[first], begin[-1]))
    return replace(
        flat,
        rows=limits.rows.rows(flat.site, flat.latest_s),
        site_most=limits.site_most,
        penalty_usd=limits.penalty_usd,
    )


def _on_grid(flat: Problem, prices: bound.Prices, rows: Grid) -> Prices:
    """Return the prices of a problem's rows on the grid."""
    row_usd = np.zeros_like(rows.slot_s)
    row_usd[flat.rows.site, np.searchsorted(rows.edge_s, flat.rows.edge_s)] = prices.row_usd
    return Prices(row_usd, prices.share_usd, prices.budget)


def _reduced_usd(flat: Problem, prices: Prices, rows: Grid) -> Floats:
    """Return the reduced costs of a problem's arcs at prices on the grid."""
    slot_usd = prices.slot_usd()[flat.site, rows.level(flat.latest_s)]
    own = flat.cost_usd * (1 + prices.budget) + prices.share_usd[flat.site]
    return np.asarray(own + flat.work_s * slot_usd)
