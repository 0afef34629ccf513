"""Whole items first: an item with a copy missing is worth nothing, though its copies count.

The program counts copies. Where copies are stranded it may fill sites with copies of items that are
never complete. Then it is asked again for so many items of each class as the copies it placed would
make, and again for as many as were complete in that answer, so that what half an item held goes to
others. The answer with most complete items and the first one are both carried to their end, through
margins and insertion, and the one with more complete items then is the plan: never are fewer items
complete than if copies alone had counted. That no plan completes more is not promised.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, copy_offsets
from swarm_placement.placing import margin
from swarm_placement.placing.assembly import complete, decoded
from swarm_placement.placing.insertion import inserted
from swarm_placement.program.problem import Problem
from swarm_placement.program.room import Room

Ints = NDArray[np.int64]
ROUNDS = 3


class Ended(NamedTuple):
    """A plan to its end: whole copies per arc, the option of every copy (-1: none), and how many
    copies of which arcs stand in a margin."""

    room: Room
    option: NDArray[np.int32]
    over: Mapping[int, int]


def completed(instance: Instance, room: Room, answer: Callable[[Problem], Room]) -> Ended:
    """Return the plan of whole copies, or of others that complete more items; `answer` places those
    of a problem."""
    first, other = _ended(instance, room), _fuller(instance, room, answer)
    if other is room:
        return first
    return max(first, _ended(instance, other), key=lambda one: whole_items(instance, one.option))


def _ended(instance: Instance, room: Room) -> Ended:
    """Place what has no place in margins, and then wherever it would be in time."""
    room, over = margin.beyond(instance, room)
    room, option = inserted(instance, room, decoded(instance, room.flat, room.copies), over)
    return Ended(room, option, over)


def whole_items(instance: Instance, option: NDArray[np.int32]) -> int:
    """Return how many items of a plan have all their copies placed."""
    offsets = copy_offsets(instance.classes)
    return sum(
        int((option[first:end].reshape(-1, one.copies) >= 0).all(axis=1).sum())
        for one, first, end in zip(instance.classes, offsets, offsets[1:], strict=False)
    )


def _fuller(instance: Instance, room: Room, answer: Callable[[Problem], Room]) -> Room:
    """Return whole copies within the rows with more complete items, or those given.

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
