"""Whole items first: an item with a copy missing is worth nothing, though its copies count.

The program counts copies. Where copies are stranded it may fill sites with copies of items that are
never complete. Then it is asked again for so many items of each class as the copies it placed would
make, and again for as many as were complete in that answer, so that what half an item held goes to
others. The answer with most complete items is kept, the first of several: never are fewer items
complete than if copies alone had counted. That no plan completes more is not promised.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance
from swarm_placement.placing.assembly import complete
from swarm_placement.program.problem import Problem
from swarm_placement.program.room import Room

Ints = NDArray[np.int64]
ROUNDS = 3


def completed(instance: Instance, room: Room, answer: Callable[[Problem], Room]) -> Room:
    """Return whole copies with at least as many complete items; `answer` places those of a problem.

    Nothing is asked where every item with several copies is complete.
    """
    flat, best = room.flat, room
    each = np.array([one.copies for one in instance.classes])
    most = whole(flat, room.copies, each)
    short = (each > 1) & (room.left > 0)
    asked = np.where(short, (flat.demand - room.left) // each, flat.items)
    for _ in range(ROUNDS if short.any() else 0):
        trial = Room(flat, answer(fewer(flat, asked, each)).copies)
        found = whole(flat, trial.copies, each)
        if found.sum() > most.sum():
            best, most = trial, found
        if (found >= asked)[each > 1].all():
            break
        asked = np.where(each > 1, found, asked)
    return best


def whole(flat: Problem, copies: Ints, each: Ints) -> Ints:
    """Return how many items of each class have all their copies, dealt as well as can be."""
    many = np.bincount(flat.group, copies, flat.group_most.size).astype(np.int64)
    begin = np.searchsorted(flat.group_class, np.arange(flat.classes + 1))
    most = flat.group_most // flat.items[flat.group_class]
    return np.array(
        [
            complete(many[first:end], most[first:end], int(copies_of), int(items))
            for first, end, copies_of, items in zip(
                begin[:-1], begin[1:], each, flat.items, strict=True
            )
        ]
    )


def fewer(flat: Problem, items: Ints, each: Ints) -> Problem:
    """Return the problem with fewer items to place in each class."""
    most = flat.group_most // flat.items[flat.group_class]
    return replace(flat, demand=items * each, group_most=most * items[flat.group_class])
