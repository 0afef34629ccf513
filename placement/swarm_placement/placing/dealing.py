"""Which copy takes which arc when most copies already have one.

Whole copies per arc say how many; here each copy that has no arc gets one of those that are short,
never in a domain that is full for its item, and copies are taken from arcs that have too many.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import ItemClass, copy_offsets
from swarm_placement.program.problem import Problem
from swarm_placement.program.room import Room

Ints = NDArray[np.int64]


def dealt(classes: Sequence[ItemClass], room: Room, arc: Ints, moves: int) -> Ints:
    """Return the arc of every copy so that each arc has `room.copies`; `arc` is what copies have.

    Where an item's domains are in the way, copies are exchanged with others of their class, first with
    such as have no arc yet; at most so many `moves` of copies that have one, in all. A copy for which
    no exchange is left stays without an arc, and `room` is told.
    """
    flat, arc = room.flat, arc.copy()
    _release(room, arc)
    short = room.copies - np.bincount(arc[arc >= 0], minlength=flat.of_class.size)
    offsets = copy_offsets(tuple(classes))
    for number in np.unique(flat.of_class[short > 0]):
        one = classes[number]
        mine = slice(offsets[number], offsets[number + 1])
        grid = arc[mine].reshape(one.items, one.copies)
        wanted = np.flatnonzero((short > 0) & (flat.of_class == number))
        moves = _fill(room, grid, np.repeat(wanted, short[wanted]), moves)
        arc[mine] = grid.ravel()
    return arc


def _release(room: Room, arc: Ints) -> None:
    """Take copies off arcs that have too many, the last ones first."""
    has = np.bincount(arc[arc >= 0], minlength=room.flat.of_class.size)
    for over in np.flatnonzero(has > room.copies):
        arc[np.flatnonzero(arc == over)[room.copies[over] :]] = -1


def _fill(room: Room, grid: Ints, wanted: Ints, moves: int) -> int:
    """Give the open cells of a class (items x copies) the wanted arcs; return what is left of the
    moves."""
    flat, fresh = room.flat, grid < 0
    items, ordinals = np.nonzero(fresh)
    if grid.shape[1] == 1:
        grid[items[: wanted.size], 0] = wanted
        return moves
    left = Counter(wanted.tolist())
    group = {arc: int(flat.group[arc]) for arc in left}
    most = {arc: _most(flat, group[arc]) for arc in left}
    for item, ordinal in zip(items.tolist(), ordinals.tolist(), strict=True):
        there = [int(flat.group[arc]) for arc in grid[item].tolist() if arc >= 0]
        some = sorted((arc for arc, many in left.items() if many), key=lambda one: -left[one])
        arc = next((one for one in some if there.count(group[one]) < most[one]), -1)
        if arc >= 0:
            grid[item, ordinal] = arc
            left[arc] -= 1
            continue
        for arc in some:
            used = _exchange(flat, grid, fresh, (item, ordinal), arc, moves)
            if used >= 0:
                left[arc] -= 1
                moves -= used
                break
    for one, many in left.items():
        if many:
            room.take(one, -many)
    return moves


def _full(flat: Problem, row: Ints) -> set[int]:
    """Return the domains that may take no further copy of an item with these arcs."""
    many = Counter(flat.group[row[row >= 0]].tolist())
    return {group for group, count in many.items() if count >= _most(flat, group)}


def _most(flat: Problem, group: int) -> int:
    """Return how many copies of one item a domain may take."""
    return int(flat.group_most[group] // flat.items[flat.group_class[group]])


def _exchange(
    flat: Problem,
    grid: Ints,
    fresh: NDArray[np.bool_],
    cell: tuple[int, int],
    arc: int,
    moves: int,
) -> int:
    """Give the arc to another item's copy and that copy's arc to the cell, preferring copies that are
    being dealt anyway; return how many of the moves that took, -1 if there is no exchange."""
    groups = np.where(grid >= 0, flat.group[grid], -1)
    wanted = int(flat.group[arc])
    there = groups == wanted
    fits = there.sum(axis=1, keepdims=True) - there < _most(flat, wanted)
    fits &= (grid >= 0) & ~np.isin(groups, list(_full(flat, grid[cell[0]])))
    fits[cell[0]] = False
    found, used = np.argwhere(fits & fresh), 0
    if not found.size and moves > 0:
        found, used = np.argwhere(fits), 1
    if not found.size:
        return -1
    other = tuple(found[0])
    grid[cell], grid[other] = grid[other], arc
    fresh[other] = True  # a copy that has moved may move again
    return used
