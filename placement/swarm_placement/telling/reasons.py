"""Why copies found no place."""

import numpy as np

from swarm_placement.model import Instance, ItemClass, Needs, Unplaced, options
from swarm_placement.program import arcs
from swarm_placement.program.room import Room


def unplaced(instance: Instance, room: Room) -> tuple[Unplaced, ...]:
    """Return every class with copies that found no place, and why."""
    return tuple(
        Unplaced(int(one), int(room.left[one]), reason(instance, room, int(one)))
        for one in np.flatnonzero(room.left > 0)
    )


def reason(instance: Instance, room: Room, number: int) -> str:
    """Return the constraint that keeps the copies of a class out, in words."""
    flat, one = room.flat, instance.classes[number]
    mine = np.flatnonzero(flat.of_class == number)
    if not mine.size:
        return _closed(instance, one)
    domains = np.unique(flat.group[mine]).size
    if flat.group_most[np.unique(flat.group[mine])].sum() < flat.demand[number]:
        return f"copies: {one.copies} per item, but only {domains} {one.across}(s) can run it"
    left = mine[room.group[flat.group[mine]] > 0]
    if not (room.site[flat.site[left]] >= 1).any():
        return "max_site_share: every site that could run it has its share"
    cheap = left[room.money >= flat.cost_usd[left]]
    if not cheap.size:
        return "budget_usd: the swarm's money is spent"
    return "slots: no site that could run it has a slot free before its latest start"


def _closed(instance: Instance, one: ItemClass) -> str:
    """Return the first requirement that leaves a class without any arc."""
    ways = options(instance)
    partial = (
        ("residency", Needs(residency=one.needs.residency)),
        ("hardware", Needs(hardware=one.needs.hardware)),
        ("capabilities", Needs(capabilities=one.needs.capabilities)),
        ("residency, hardware and capabilities together", one.needs),
    )
    for name, needs in partial:
        if not any(arcs.allows(instance, way, needs) for way in ways):
            return f"{name}: no site meets it"
    found = arcs.table(instance, [one])
    allowed = np.array([arcs.allows(instance, way, one.needs) for way in ways])
    if not (allowed & (found.latest_s[0] >= 0)).any():
        return "deadline_s: no site that may run it can end in time, even if it started now"
    return "budget_usd: every copy costs more than the class allows"
