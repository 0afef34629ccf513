"""Pairs of arcs at one site: a copy enters one in the place of copies that leave the other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.program.room import EPSILON, Room

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Swaps:
    """One entry per pair, sorted by the class that enters: a copy enters `into` when `many` leave
    `out`; `usd` is what that costs until they have a place again. Those of class c are the entries
    from `begin[c]` up to `begin[c + 1]`."""

    into: Ints
    out: Ints
    many: Ints
    leaving: Ints
    usd: Floats
    begin: Ints


def swaps(room: Room, usd: Floats, width: int) -> Swaps:
    """Return all pairs for which the site then has the slot-seconds, each judged alone, with at most
    `width` copies leaving; `usd` is the price of an arc."""
    flat = room.flat
    into, out = _pairs(room)
    later = np.maximum(flat.rows.of_arc[into], flat.rows.of_arc[out])
    short_s = flat.work_s[into] - room.slot_s[later] - EPSILON
    many = np.maximum(np.ceil(short_s / flat.work_s[out]), 1.0)
    fits = (many <= width) & (many <= room.copies[out])
    fits &= flat.of_class[into] != flat.of_class[out]
    fits &= (room.group[flat.group[into]] > 0) | (flat.group[into] == flat.group[out])
    into, out, many = into[fits], out[fits], many[fits]
    fits = flat.work_s[into] <= least_before(room, into, out) + EPSILON
    into, out, many = into[fits], out[fits], many[fits].astype(np.int64)
    order = np.argsort(flat.of_class[into], kind="stable")
    into, out, many = into[order], out[order], many[order]
    begin = np.searchsorted(flat.of_class[into], np.arange(flat.classes + 1))
    return Swaps(into, out, many, flat.of_class[out], usd[into] - many * usd[out], begin)


def _pairs(room: Room) -> tuple[Ints, Ints]:
    """Return every arc with every used arc of its site, by site."""
    flat = room.flat
    used = np.flatnonzero(room.copies > 0)
    used = used[np.argsort(flat.site[used], kind="stable")]
    arcs = np.argsort(flat.site, kind="stable")
    low, high = np.searchsorted(flat.site[used], (flat.site[arcs], flat.site[arcs] + 1))
    each = high - low
    into = np.repeat(arcs, each)
    step = np.arange(into.size) - np.repeat(np.cumsum(each) - each, each)
    return into, used[np.repeat(low, each) + step]


def least_before(room: Room, into: Ints, out: Ints) -> Floats:
    """Return the least slack of the rows that hold the entering arc but not the leaving one, for
    pairs sorted by site."""
    begin, end = room.flat.rows.of_arc[into], room.flat.rows.of_arc[out]
    found = np.full(into.size, np.inf)
    earlier = np.flatnonzero(begin < end)
    if earlier.size:
        ends = np.column_stack((begin[earlier], end[earlier])).ravel()
        found[earlier] = np.minimum.reduceat(room.slack_s, ends)[::2]
    return found
