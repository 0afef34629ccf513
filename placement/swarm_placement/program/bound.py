"""Prices of scarce things, and the lower bound that any such prices prove.

For any prices y >= 0 on the capacity rows, on the share of a site and on the budget, relaxing those
rows (Lagrange) leaves one small problem per class, whose answer is: each item's copies take the
cheapest domains at the reduced cost, none dearer than the penalty. Its value minus what the prices
charge for the limits is below the objective of every plan within the rows (weak duality).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.program.problem import Problem, inner

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """Dollars per slot-second of each capacity row, per copy above a site's share, and per dollar
    of budget."""

    row_usd: Floats
    share_usd: Floats
    budget: float


def slot_usd(flat: Problem, prices: Prices) -> Floats:
    """Return what a slot-second costs arcs that enter at each row: it counts in all later rows of
    the site as well."""
    after = np.cumsum(prices.row_usd[::-1])[::-1]
    end = np.searchsorted(flat.rows.site, flat.rows.site, side="right")
    return np.asarray(after - np.append(after, 0.0)[end])


def reduced_usd(flat: Problem, prices: Prices) -> Floats:
    """Return the reduced cost of each arc: its own and what it takes from others."""
    return np.asarray(
        flat.cost_usd * (1 + prices.budget)
        + flat.work_s * slot_usd(flat, prices)[flat.rows.of_arc]
        + prices.share_usd[flat.site]
    )


def loads(flat: Problem, copies: Floats) -> Floats:
    """Return the slot-seconds in each capacity row for copies per arc."""
    work = np.bincount(flat.rows.of_arc, copies * flat.work_s, flat.rows.site.size)
    before = np.concatenate((np.zeros(1), np.cumsum(work)))
    begin = np.searchsorted(flat.rows.site, flat.rows.site)
    return np.asarray(before[1:] - before[begin], np.float64)


def lower_usd(flat: Problem, prices: Prices) -> float:
    """Return the bound the prices prove; see the module's docstring."""
    charged = inner(prices.row_usd, flat.rows.slot_s)
    limited = np.isfinite(flat.site_most)
    charged += inner(prices.share_usd[limited], flat.site_most[limited])
    charged += prices.budget * flat.budget_usd if prices.budget else 0.0
    return class_terms(flat, reduced_usd(flat, prices)) - charged


def class_terms(flat: Problem, reduced: Floats) -> float:
    """Return the least sum of reduced costs when only demand and domains hold.

    Where one domain may take all copies of a class, they take its cheapest arc. Otherwise the
    domains of a class are sorted by their cheapest arc, and each takes what it may until the demand
    is met. No copy costs more than the penalty.
    """
    begins = np.flatnonzero(np.diff(flat.group, prepend=-1))
    group = flat.group[begins]
    cheapest = np.minimum.reduceat(reduced, begins) if begins.size else reduced[:0]
    owner, most = flat.group_class[group], flat.group_most[group]
    scarce = np.zeros(flat.classes, dtype=bool)
    scarce[owner[most < flat.demand[owner]]] = True
    least = np.full(flat.classes, flat.penalty_usd)
    np.minimum.at(least, owner, cheapest)
    total = inner(flat.demand[~scarce], least[~scarce])
    among = np.flatnonzero(scarce[owner])
    among = among[np.lexsort((cheapest[among], owner[among]))]
    owner, most = owner[among], most[among]
    before = np.cumsum(most) - most
    first = np.searchsorted(owner, owner)
    taken = np.clip(flat.demand[owner] - (before - before[first]), 0, most)
    price = np.minimum(cheapest[among], flat.penalty_usd)
    left = int(flat.demand[scarce].sum() - taken.sum())
    return total + inner(taken, price) + left * flat.penalty_usd
