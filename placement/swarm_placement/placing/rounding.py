"""Whole copies from fractions.

The fractions are rounded down. What is missing goes, class by class, first to the arcs with the
largest fractions, then to those that are cheapest at the prices of the linear program, as far as
there is room. The class whose copies take the dearest slot-seconds goes first: the others find other
places more easily.

A row that the fractions fill has no room for what was rounded down. Solving once more with part of
a copy held back in every such row (`held_back`) spreads the loss where it costs least; the dual
simplex needs a few steps for it.
"""

import numpy as np
from numpy.typing import NDArray

from swarm_placement.program import bound
from swarm_placement.program.bound import Prices
from swarm_placement.program.problem import Problem
from swarm_placement.program.room import EPSILON, Room

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def rounded(flat: Problem, copies: Floats, prices: Prices) -> Room:
    """Return whole copies within all limits, close to the fractions given."""
    whole = np.floor(copies + EPSILON).astype(np.int64)
    room = Room(flat, whole)
    reduced = bound.reduced_usd(flat, prices)
    begin = np.searchsorted(flat.of_class, np.arange(flat.classes + 1))
    for one in by_scarcity(flat, reduced, copies):
        arcs = np.arange(begin[one], begin[one + 1])
        if room.left[one] > 0:
            _fill(room, int(one), arcs, reduced[arcs], copies[arcs] - whole[arcs])
    return room


def by_scarcity(flat: Problem, reduced: Floats, copies: Floats) -> Ints:
    """Return the classes by what the capacity that a copy takes is worth to others, most first."""
    worth = np.bincount(flat.of_class, (reduced - flat.cost_usd) * copies, flat.classes)
    many = np.bincount(flat.of_class, copies, flat.classes)
    return np.argsort(-worth / np.maximum(many, EPSILON), kind="stable")


def _fill(room: Room, one: int, arcs: Ints, reduced: Floats, fraction: Floats) -> None:
    """Place what is left of a class: a copy for each fraction, then wherever it is cheapest."""
    partial = np.flatnonzero(fraction > EPSILON)
    partial = partial[np.argsort(-fraction[partial], kind="stable")]
    cheapest = np.argsort(reduced, kind="stable")
    for arc, most in ((arcs[partial], 1), (arcs[cheapest], None)):
        for open_arc in arc[room.most(arc) > 0].tolist():
            left = int(room.left[one])
            if left <= 0:
                return
            count = min(int(room.most(np.array([open_arc]))[0]), left, most or left)
            if count:
                room.take(open_arc, count)


def held_back(flat: Problem, copies: Floats, prices: Prices, share: float | Floats) -> Floats:
    """Return `slot_s` of the rows with a share (one, or one per row) of a copy held back in each row
    that has a price.

    A copy counts as long as those on average that are in fractions and enter at the row, or at the
    last row before it that has such copies.
    """
    count = flat.rows.site.size
    partial = np.abs(copies - np.rint(copies)) > EPSILON
    entry = flat.rows.of_arc[partial]
    many = np.bincount(entry, minlength=count)
    one_s = np.bincount(entry, flat.work_s[partial], count) / np.maximum(many, 1)
    known = np.maximum.accumulate(np.where(many > 0, np.arange(count), 0))
    one_s = np.where(flat.rows.site[known] == flat.rows.site, one_s[known], 0.0)
    held = np.where(prices.row_usd > 0, share * one_s, 0.0)
    return np.maximum(flat.rows.slot_s - held, 0.0)
