"""The margins of sites, for copies that have no other place.

A margin is kept free for slowdown. A copy that may be late is better than one that is not executed,
so what finds no place within the margins may use them; it still starts in time if every duration is
its mean. Which copies stand in a margin is part of the plan.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, copy_offsets
from swarm_placement.placing.ejection import repair
from swarm_placement.placing.remainder import evict, place_rest
from swarm_placement.program.problem import Problem, problem
from swarm_placement.program.room import Room

Ints = NDArray[np.int64]


def beyond(
    instance: Instance, room: Room, most_moves: int | None = None
) -> tuple[Room, dict[int, int]]:
    """Place copies that are left in the margins, ejecting at most so many others; sites take no more
    copies than the room permits.

    Returns:
        What is placed then, and the copies per arc that would have to go for all margins to be
        free again. Nothing changes where no site has a margin or all copies have a place.
    """
    if not room.left.any() or not any(site.margin for site in instance.sites):
        return room, {}
    wide = Room(replace(problem(without(instance)), site_most=room.flat.site_most), room.copies)
    place_rest(wide)
    repair(wide, wide.flat.cost_usd, most_moves)
    return Room(room.flat, wide.copies), evict(Room(room.flat, wide.copies))


def without(instance: Instance) -> Instance:
    """Return an instance whose sites keep nothing free; it has the same arcs."""
    return replace(instance, sites=tuple(replace(site, margin=0.0) for site in instance.sites))


def indices(
    instance: Instance, flat: Problem, option: NDArray[np.int32], over: Mapping[int, int]
) -> Ints:
    """Return which copies of a plan stand in a margin: of the arcs given, the last ones."""
    offsets = copy_offsets(instance.classes)
    found = []
    for arc, count in over.items():
        number = flat.of_class[arc]
        mine = option[offsets[number] : offsets[number + 1]]
        found.append(offsets[number] + np.flatnonzero(mine == flat.option[arc])[-count:])
    return np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)
