"""Slots as nested latest-start rows.

Within a site, copies run in the order of their latest starts. A copy whose latest start is T begins
late only if every slot is busy past T with the copies before it. One row per level of latest starts
therefore suffices:

    sum of work of all copies with latest start below the next level <= slot_s(level)

    slot_s(E) = sum over slots free by E of c(E - free_j - cold) + last

`free_j` is when slot j is free and `cold` what loading every cold model takes once per slot. c(t) is
the least work that keeps a slot busy past t: more than t, and where n copies never reach t while
n + 1 always pass it, that is n w_max <= t < (n + 1) w_min, it is (n + 1) w_min, with the least and the
largest work of a copy in the row. `last` is w_min, since the last copy needs no room before its
start; it is 0 when all copies of the row are equal, for c then counts whole copies. This is
McNaughton's argument for list schedules, with whole copies where they are long against t. It is a
sufficient condition: no plan within the rows starts late, a plan outside of them might be on time.
"""

import heapq
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, Site

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
EXACT = 1e-9
"""Relative difference below which times are equal."""
SHORT = 1e-5
NEAR = 4e-9
"""Relative difference up to which latest starts share a row: above what the checker takes as equal,
so that it counts the same arcs in it."""


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
    ranked_site, ranked_s = site[order], latest_s[order]
    new = np.ones(order.size, dtype=bool)
    new[1:] = ranked_site[1:] != ranked_site[:-1]
    apart = new.copy()
    apart[1:] |= np.diff(ranked_s) > NEAR * np.maximum(1.0, ranked_s[1:])
    # Latest starts that only rounding tells apart are in the level of the first of them.
    ranked_level = level[order][apart][np.cumsum(apart) - 1]
    new[1:] |= ranked_level[1:] != ranked_level[:-1]
    begins = np.flatnonzero(new)
    of_arc = np.empty(order.size, np.int64)
    of_arc[order] = np.cumsum(new) - 1
    row_site, edge_s = ranked_site[begins], ranked_s[begins]
    last = np.ones(begins.size, dtype=bool)
    last[:-1] = row_site[1:] != row_site[:-1]
    below_s = np.where(last, np.inf, np.append(edge_s[1:], np.inf))
    shortest, longest = extremes(of_arc, work_s, begins.size)
    slot_s = np.empty(begins.size)
    bounds = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(last) + 1))
    for begin, end in itertools.pairwise(bounds.tolist()):
        here = int(row_site[begin])
        slot_s[begin:end] = room(
            free_times(instance, here),
            edge_s[begin:end],
            np.minimum.accumulate(shortest[begin:end]),
            np.maximum.accumulate(longest[begin:end]),
            cold_s[here],
        )
    return Rows(row_site, edge_s, below_s, slot_s, of_arc)


def extremes(of_arc: Ints, work_s: Floats, count: int) -> tuple[Floats, Floats]:
    """Return the least and the largest work of the arcs that enter at each row."""
    shortest, longest = np.full(count, np.inf), np.zeros(count)
    np.minimum.at(shortest, of_arc, work_s)
    np.maximum.at(longest, of_arc, work_s)
    return shortest, longest


def room(
    free_s: Floats, edge_s: Floats, shortest_s: Floats, longest_s: Floats, cold_s: float
) -> Floats:
    """Return `slot_s` of the module's formula for ascending edges of one site."""
    least, most = shortest_s[:, None], longest_s[:, None]
    time_s = np.maximum(edge_s[:, None] - free_s - cold_s, 0.0)
    before = np.floor(time_s / least + EXACT)
    counted = before * most <= time_s + EXACT * most
    slots = np.where(counted, (before + 1) * least, time_s)
    is_open = free_s <= edge_s[:, None]
    # A total of the counted work is already late, so that the last copy must stay short of it.
    last = np.where((counted & is_open).any(axis=1), 1 - SHORT, 1.0) * shortest_s
    last = np.where((longest_s <= shortest_s * (1 + EXACT)) | ~is_open.any(axis=1), 0.0, last)
    return np.asarray((slots * is_open).sum(axis=1) + last)


def free_times(instance: Instance, site: int) -> Floats:
    """Return when each slot of a site is free, ascending: after boot and what occupies it. What
    occupied a site that has lost all its slots is lost with them."""
    here: Site = instance.sites[site]
    free = [here.boot_s] * here.slots
    for one in instance.occupancy if free else ():
        if one.site == here.name:
            for remaining_s in one.remaining_s:
                heapq.heapreplace(free, free[0] + remaining_s)
    return np.sort(np.array(free))
