"""What a plan uses: copies, money and slot-seconds of each class with each option, and when.

Only pairs of class and option that the plan uses are kept; the classes are looked at some at a time,
for all classes times all options may not fit into memory.
"""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, Plan, copy_offsets, options
from swarm_placement.program import arcs
from swarm_placement.program.capacity import free_times

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CELLS = 500_000
"""So many class x option cells are looked at together."""


@dataclass(frozen=True, slots=True, eq=False)
class Usage:
    """One array entry per pair of class and option, by class, then option.

    `busy_s` is the mean time of one copy on its slot, without a cold start; `latest_s` its latest
    start; `cost_usd` its mean money. `of_copy` is the pair of each copy of the plan, -1 for none.
    """

    item_class: Ints
    option: Ints
    site: Ints
    copies: Ints
    busy_s: Floats
    latest_s: Floats
    cost_usd: Floats
    of_copy: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """When each placed copy begins and ends if every duration is its mean.

    One array entry per placed copy, in the order of execution by site: its pair in `Usage`, its
    slot (a number within the site), and seconds from now. A cold start is part of the time of the
    copy that waits for it.
    """

    pair: Ints
    site: Ints
    slot: Ints
    start_s: Floats
    end_s: Floats


def usage(instance: Instance, plan: Plan) -> Usage:
    """Return what each pair of class and option of a plan uses."""
    ways = options(instance)
    owner = np.repeat(np.arange(len(instance.classes)), np.diff(copy_offsets(instance.classes)))
    placed = np.flatnonzero(plan.option >= 0)
    keys, pair, copies = np.unique(
        owner[placed] * len(ways) + plan.option[placed], return_inverse=True, return_counts=True
    )
    item_class, option = np.divmod(keys, len(ways))
    of_copy = np.full(plan.option.size, -1, np.int64)
    of_copy[placed] = pair
    busy_s, latest_s, cost_usd = np.empty((3, keys.size))
    margin = np.array([instance.sites[way.site].margin for way in ways])
    step = max(1, CELLS // max(1, len(ways)))
    for begin in range(0, len(instance.classes), step):
        here = slice(*np.searchsorted(item_class, (begin, begin + step)))
        table = arcs.table(instance, instance.classes[begin : begin + step])
        cell = (item_class[here] - begin, option[here])
        busy_s[here] = table.work_s[cell] * (1 - margin[option[here]])
        latest_s[here], cost_usd[here] = table.latest_s[cell], table.cost_usd[cell]
    site = np.array([way.site for way in ways], np.int64)[option]
    return Usage(item_class, option, site, copies, busy_s, latest_s, cost_usd, of_copy)


def schedule(instance: Instance, used: Usage) -> Schedule:
    """Return the list schedule that the plan prescribes: least latest start first, then index."""
    ways = options(instance)
    placed = np.flatnonzero(used.of_copy >= 0)
    pair = used.of_copy[placed]
    pair = pair[np.lexsort((placed, used.latest_s[pair], used.site[pair]))]
    site = used.site[pair]
    bounds = np.searchsorted(site, np.arange(len(instance.sites) + 1))
    slots, starts, ends = np.empty(pair.size, np.int64), np.empty(pair.size), np.empty(pair.size)
    for number in np.unique(site):
        here = slice(bounds[number], bounds[number + 1])
        cold = cold_of(instance, int(number))
        models = [ways[option].model for option in used.option[pair[here]]]
        line = Line(free_times(instance, int(number)).tolist(), cold)
        found = [
            line.take(model, busy_s)
            for model, busy_s in zip(models, used.busy_s[pair[here]].tolist(), strict=True)
        ]
        slots[here], starts[here], ends[here] = np.array(found).T
    return Schedule(pair, site, slots, starts, ends)


class Line:
    """The slots of a site: when each is free, and which models it has loaded."""

    def __init__(self, free_s: list[float], cold_s: dict[int, float]) -> None:
        self.free = [(at, slot) for slot, at in enumerate(free_s)]
        heapq.heapify(self.free)
        self.cold_s = cold_s
        self.loaded: set[tuple[int, int]] = set()

    def take(self, model: int, busy_s: float) -> tuple[int, float, float]:
        """Give the next copy the slot that is free first; return slot, start and end."""
        start_s, slot = self.free[0]
        cold_s = 0.0 if (slot, model) in self.loaded else self.cold_s[model]
        self.loaded.add((slot, model))
        end_s = start_s + cold_s + busy_s
        heapq.heapreplace(self.free, (end_s, slot))
        return slot, start_s, end_s


def cold_of(instance: Instance, site: int) -> dict[int, float]:
    """Return the seconds that loading each model a site offers takes there."""
    number = {one.name: index for index, one in enumerate(instance.models)}
    return {
        number[one.model]: 0.0 if one.warm else one.cold_start_s
        for one in instance.sites[site].offers
    }
