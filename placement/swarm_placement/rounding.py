"""Whole copies from fractions.

The fractions are rounded down. What is missing goes to the arcs that are cheapest at the prices of
the linear program and still have room; the class first that would lose most by waiting, per
slot-second.
"""

import numpy as np
from numpy.typing import NDArray

from swarm_placement import bound
from swarm_placement.bound import Prices
from swarm_placement.problem import Problem
from swarm_placement.room import EPSILON, Room

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def rounded(flat: Problem, copies: Floats, prices: Prices) -> Room:
    """Return whole copies within all limits, close to the fractions given."""
    room = Room(flat, np.floor(copies + EPSILON).astype(np.int64))
    fill(room, bound.reduced_usd(flat, prices))
    return room


def fill(room: Room, reduced: Floats) -> None:
    """Place what is left, by least reduced cost, where there is room."""
    flat = room.flat
    begin = np.searchsorted(flat.of_class, np.arange(flat.classes + 1))
    for one in by_regret(flat, reduced, np.flatnonzero(room.left > 0), begin):
        arcs = np.arange(begin[one], begin[one + 1])
        arcs = arcs[np.argsort(reduced[arcs], kind="stable")]
        most = room.most(arcs)
        for arc in arcs[most > 0]:
            if room.left[one] <= 0:
                break
            count = int(min(room.most(arc[None])[0], room.left[one]))
            if count:
                room.take(int(arc), count)


def by_regret(flat: Problem, reduced: Floats, classes: Ints, begin: Ints) -> Ints:
    """Return classes by what each loses when its best arc is gone, per slot-second, most first."""
    regret = np.empty(classes.size)
    for place, one in enumerate(classes):
        here = slice(begin[one], begin[one + 1])
        best = np.sort(np.append(reduced[here], [flat.penalty_usd, flat.penalty_usd]))[:2]
        work_s = flat.work_s[here]
        regret[place] = (best[1] - best[0]) / (work_s.min() if work_s.size else 1.0)
    return classes[np.argsort(-regret, kind="stable")]
