"""Stranded copies, tried where a plan would still be in time if it were executed.

The rows of `capacity` are sufficient, not necessary: what has no room within them may fit all the
same. Here a site takes a copy if all copies there begin in time in the schedule that the plan
prescribes, least latest start first, each on the slot that is free first, every duration its mean.
That is what makes a plan sound; the rows only find it quickly.
"""

from bisect import insort
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, copy_offsets, options
from swarm_placement.placing import margin
from swarm_placement.program import capacity
from swarm_placement.program.arcs import ROUNDING
from swarm_placement.program.problem import Problem
from swarm_placement.program.room import Room
from swarm_placement.telling.usage import Line, cold_of

Ints = NDArray[np.int64]
TRIALS = 2_000
"""Schedules that are worked out for stranded copies, at most."""


class Entry(NamedTuple):
    """A copy in the order of its site: by latest start, then by its place in the plan; its work in
    slot-seconds, margin included, and its model."""

    latest_s: float
    place: int
    work_s: float
    model: int


class Executed:
    """The copies of a plan by site, in order of execution; those in a margin are `over`. A site is
    looked at when it is asked for."""

    def __init__(
        self, instance: Instance, flat: Problem, option: NDArray[np.int32], over: Ints
    ) -> None:
        self.instance, self.flat, self.ways = instance, flat, options(instance)
        self.over = set(over.tolist())
        arc_of = np.full((flat.classes, len(self.ways)), -1, np.int64)
        arc_of[flat.of_class, flat.option] = np.arange(flat.of_class.size)
        owner = np.repeat(np.arange(flat.classes), np.diff(copy_offsets(instance.classes)))
        self.placed = np.flatnonzero(option >= 0)
        self.arcs = arc_of[owner[self.placed], option[self.placed]]
        self.queues: dict[int, list[Entry]] = {}

    def queue(self, site: int) -> list[Entry]:
        """Return the copies at a site in their order."""
        if site not in self.queues:
            here = np.flatnonzero(self.flat.site[self.arcs] == site)
            pairs = zip(self.placed[here].tolist(), self.arcs[here].tolist(), strict=True)
            self.queues[site] = sorted(self.entry(index, arc) for index, arc in pairs)
        return self.queues[site]

    def entry(self, index: int, arc: int) -> Entry:
        """Return the copy with this index on an arc."""
        flat = self.flat
        model = self.ways[int(flat.option[arc])].model
        return Entry(float(flat.latest_s[arc]), index, float(flat.work_s[arc]), model)

    def take(self, index: int, arc: int) -> bool:
        """Add a copy to its site if all there begin in time then, and say so."""
        site = int(self.flat.site[arc])
        queue = list(self.queue(site))
        insort(queue, self.entry(index, arc))
        if not self.is_timely(site, queue):
            return False
        self.queues[site] = queue
        return True

    def is_timely(self, site: int, queue: list[Entry]) -> bool:
        """Say whether copies at a site all begin in time: those outside of its margin with the margin
        kept free, and all of them without it."""
        within = [one for one in queue if one.place not in self.over]
        if not self._begins(site, within, 1.0):
            return False
        stretch = 1 - self.instance.sites[site].margin
        return len(within) == len(queue) or self._begins(site, queue, stretch)

    def _begins(self, site: int, queue: list[Entry], stretch: float) -> bool:
        free_s = capacity.free_times(self.instance, site).tolist()
        if not free_s:
            return not queue
        line = Line(free_s, cold_of(self.instance, site))
        return all(line.take(one.model, one.work_s * stretch)[1] <= one.latest_s for one in queue)


def inserted(
    instance: Instance,
    room: Room,
    option: NDArray[np.int32],
    over: Mapping[int, int],
    trials: int = TRIALS,
) -> tuple[Room, NDArray[np.int32]]:
    """Return a plan with more of its copies placed, each where it is cheapest of what executes in
    time; domains, shares and money are kept. So many schedules are worked out at most. Nothing costs anything where no copy is stranded."""
    if not room.left.any():
        return room, option
    flat, option = room.flat, option.copy()
    executed = Executed(instance, flat, option, margin.indices(instance, flat, option, over))
    closed, offsets = np.zeros(flat.site.size, dtype=bool), copy_offsets(instance.classes)
    for number in np.flatnonzero(room.left > 0).tolist():
        arcs = np.flatnonzero(flat.of_class == number)
        arcs = arcs[np.argsort(flat.rank_usd[arcs], kind="stable")]
        one = instance.classes[number]
        mine = option[offsets[number] : offsets[number + 1]].reshape(one.items, one.copies)
        for item, ordinal in _by_completeness(mine):
            for arc in arcs[~closed[arcs]].tolist():
                if not _permits(room, mine[item], arc):
                    continue
                trials -= 1
                if trials < 0:
                    return room, option
                index = int(offsets[number]) + item * one.copies + ordinal
                if executed.take(index, arc):
                    mine[item, ordinal] = flat.option[arc]
                    room.take(arc, 1)
                    break
                closed[arc] = True
    return room, option


def _by_completeness(mine: NDArray[np.int32]) -> list[tuple[int, int]]:
    """Return the cells (item, copy) without a place, items first that lack least."""
    missing = mine < 0
    cells = np.argwhere(missing)
    return [
        (int(item), int(ordinal))
        for item, ordinal in cells[np.argsort(missing.sum(axis=1)[cells[:, 0]], kind="stable")]
    ]


def _permits(room: Room, copies: NDArray[np.int32], arc: int) -> bool:
    """Say whether domain, share and money let a copy of an item onto an arc."""
    flat, group = room.flat, int(room.flat.group[arc])
    most = int(flat.group_most[group] // flat.items[flat.group_class[group]])
    same = flat.option[flat.group == group]
    return (
        int(np.isin(copies, same).sum()) < most
        and room.site[flat.site[arc]] >= 1
        and room.money >= flat.cost_usd[arc] - ROUNDING * flat.budget_usd
    )
