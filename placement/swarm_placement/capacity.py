"""Slots as nested latest-start rows.

Within a site, copies run in the order of their latest starts. A copy whose latest start is T
begins on time if the copies before it need no more slot-seconds than the slots have until T
(McNaughton's argument for list schedules). One row per level of latest starts therefore suffices:

    sum of work of all copies with latest start below the next level <= slot_s(level)

    slot_s(E) = max( sum_j max(0, E - free_j) - slots * cold + shortest,  |{j: free_j <= E}| * shortest )

`free_j` is when slot j is free, `cold` what loading every cold model takes once per slot,
`shortest` the least work of a copy in the row: the last copy needs no room before its start, and as
many copies as there are free slots start at once whatever they need. Both are sufficient
conditions, so no plan within the rows starts late; a plan outside of them might be on time too.
"""

import heapq
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, Site

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Capacity rows, sorted by site, then level.

    Row r holds all arcs of `site[r]` with a latest start before `below_s[r]`, in sum at most
    `slot_s[r]` slot-seconds; `edge_s[r]` is the least latest start of those that are in no earlier
    row of the site. `of_arc` is the first row an arc is in; it is in all later ones of its site.
    """

    site: Ints
    edge_s: Floats
    below_s: Floats
    slot_s: Floats
    of_arc: Ints


def rows(
    instance: Instance, site: Ints, latest_s: Floats, work_s: Floats, cold_s: Floats, ratio: float
) -> Rows:
    """Return the rows for arcs with these sites, latest starts and work.

    Latest starts of a site within a factor of `ratio` share a row, judged by the least of them;
    `ratio` 1 gives every latest start a row of its own. `cold_s` is per site.
    """
    level = latest_s if ratio == 1 else np.floor(np.log(np.maximum(latest_s, 1.0)) / np.log(ratio))
    order = np.lexsort((latest_s, level, site))
    new = np.ones(order.size, dtype=bool)
    ranked_site, ranked_level = site[order], level[order]
    new[1:] = (ranked_site[1:] != ranked_site[:-1]) | (ranked_level[1:] != ranked_level[:-1])
    begins = np.flatnonzero(new)
    of_arc = np.empty(order.size, np.int64)
    of_arc[order] = np.cumsum(new) - 1
    row_site, edge_s = ranked_site[begins], latest_s[order][begins]
    last = np.ones(begins.size, dtype=bool)
    last[:-1] = row_site[1:] != row_site[:-1]
    below_s = np.where(last, np.inf, np.append(edge_s[1:], np.inf))
    shortest = np.minimum.reduceat(work_s[order], begins) if begins.size else work_s[:0]
    slot_s = np.empty(begins.size)
    bounds = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(last) + 1))
    for begin, end in itertools.pairwise(bounds.tolist()):
        here = int(row_site[begin])
        slot_s[begin:end] = room(
            free_times(instance, here),
            edge_s[begin:end],
            np.minimum.accumulate(shortest[begin:end]),
            cold_s[here],
        )
    return Rows(row_site, edge_s, below_s, slot_s, of_arc)


def room(free_s: Floats, edge_s: Floats, shortest_s: Floats, cold_s: float) -> Floats:
    """Return `slot_s` of the module's formula for ascending edges of one site; `free_s` ascends."""
    count = np.searchsorted(free_s, edge_s, side="right")
    until = np.concatenate((np.zeros(1), np.cumsum(free_s)))
    fluid = edge_s * count - until[count] - free_s.size * cold_s
    fluid = np.where((fluid >= 0) & (count > 0), fluid + shortest_s, 0.0)
    return np.maximum(fluid, count * shortest_s)


def free_times(instance: Instance, site: int) -> Floats:
    """Return when each slot of a site is free, ascending: after boot and what occupies it."""
    here: Site = instance.sites[site]
    free = [here.boot_s] * here.slots
    for one in instance.occupancy:
        if one.site == here.name:
            for remaining_s in one.remaining_s:
                heapq.heapreplace(free, free[0] + remaining_s)
    return np.sort(np.array(free))
