"""The bound that holds for every plan whose copies begin in time, whatever rows found it.

The rows of `capacity` are sufficient: a plan outside of them may be on time, and cheaper. Here are
necessary ones. A window is a site and a time L. A copy that begins by its latest start T and is busy
for w has, at L, been busy for at least

    e = min(w, max(0, L - T))

(energetic reasoning, Erschler and Lopez 1990, Baptiste, Le Pape and Nuijten 2001), and a slot cannot
have been busy for longer than it was there. So all copies of the site together meet

    sum e x <= slot_s(L)
    slot_s(L) = sum over slots free by T_max of
                min(max(L - free_j - cold, w_max), (floor((T_max - free_j) / w_min) + 1) w_max)

with the extremes of T and w over the arcs that have T < L. A slot free after T_max begins none of
them. `cold` is the least that loading a model takes at the site: of two and more such copies on a
slot the first, which comes before all that may start later than L, loads its model and ends before
the last begins; one alone takes w_max at most. The last of n copies on a slot begins by T_max, and
the n - 1 before it took w_min each.

Copies in a margin change nothing: with the penalty for it, one costs no less than an unplaced one,
and the checker wants the others in time as if it were not there. What the checker forgives in times
and money is granted here as well (`FORGIVEN`), so no plan that it accepts is below the bound.

Any prices of windows, shares and budget prove a bound, as in `bound`. Prices come from the rows'
(`from_rows`: each goes to the window in which all copies of its row are busy to their end) or from the
linear program over the windows (`best`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, Option, WindowPrice, options
from swarm_placement.program import bound, capacity
from swarm_placement.program.bound import Prices
from swarm_placement.program.problem import Problem, inner, level_ratio
from swarm_placement.program.relaxation import Limits, Relaxation

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FORGIVEN = 1e-6
"""Share by which a start, or the money spent, may be over its limit before the checker objects."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows by site, then time, and the slot-seconds there can be in each."""

    site: Ints
    until_s: Floats
    slot_s: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Necessary:
    """Prices of windows, of copies above a site's share and of budget, and the bound they prove."""

    windows: tuple[WindowPrice, ...]
    share_usd: Floats
    budget: float
    lower_usd: float


def from_rows(instance: Instance, flat: Problem, prices: Prices) -> Necessary:
    """Return what the prices of the rows prove for any plan, or no prices at all if that is more."""
    ends = np.zeros(flat.rows.site.size)
    np.maximum.at(ends, flat.rows.of_arc, latest(flat) + flat.work_s)
    for begin, end in _runs(flat.rows.site):
        ends[begin:end] = np.maximum.accumulate(ends[begin:end])
    paid = np.flatnonzero(prices.row_usd > 0)
    some = windows(instance, flat, flat.rows.site[paid], ends[paid])
    charging = Prices(prices.row_usd[paid], prices.share_usd, prices.budget)
    found = _proven(flat, some, charging)
    nothing = np.zeros(0)
    free = Prices(nothing, np.zeros_like(prices.share_usd), 0.0)
    none = _proven(flat, Windows(paid[:0], nothing, nothing), free)
    return max(none, found, key=lambda one: one.lower_usd)


def best(instance: Instance, flat: Problem) -> Necessary:
    """Return the best bound that prices of windows prove, by a linear program.

    Windows end where copies do that start at their latest; those within the problem's level ratio
    share the last of their ends.
    """
    ends, ratio = latest(flat) + flat.work_s, level_ratio(flat.of_class.size)
    level = ends if ratio == 1 else np.floor(np.log(np.maximum(ends, 1.0)) / np.log(ratio))
    order = np.lexsort((ends, level, flat.site))
    site, level = flat.site[order], level[order]
    last = np.append((site[1:] != site[:-1]) | (level[1:] != level[:-1]), True)[: order.size]
    some = windows(instance, flat, site[last], ends[order][last])
    arc, window, busy_s = entries(flat, some)
    program = Relaxation(flat, Limits(arc, window, busy_s, some.slot_s))
    return _proven(flat, some, program.prices())


def latest(flat: Problem) -> Floats:
    """Return the latest start of each arc that the checker still accepts."""
    return np.asarray(flat.latest_s + FORGIVEN * np.maximum(1.0, flat.latest_s))


def windows(instance: Instance, flat: Problem, site: Ints, until_s: Floats) -> Windows:
    """Return the windows of these sites and times, which are sorted by site."""
    slot_s, last_s = np.zeros(site.size), latest(flat)
    cold_s = least_cold(instance, flat)
    order = np.lexsort((last_s, flat.site))
    begin = np.searchsorted(flat.site[order], np.arange(len(instance.sites) + 1))
    for first, end in _runs(site):
        here = int(site[first])
        arcs = order[begin[here] : begin[here + 1]]
        within = np.searchsorted(last_s[arcs], until_s[first:end]) - 1
        slot_s[first:end] = slot_time(
            until_s[first:end],
            capacity.free_times(instance, here),
            last_s[arcs][within],
            np.minimum.accumulate(flat.work_s[arcs])[within],
            np.maximum.accumulate(flat.work_s[arcs])[within],
            float(cold_s[here]),
        )
    return Windows(site, until_s, slot_s)


def slot_time(
    until_s: Floats,
    free_s: Floats,
    latest_s: Floats,
    shortest_s: Floats,
    longest_s: Floats,
    cold_s: float,
) -> Floats:
    """Return `slot_s` of the module's formula for windows of one site; the extremes of latest start
    and work are those of the arcs in each window."""
    longest, last = longest_s[:, None], latest_s[:, None] - free_s
    time_s = np.maximum(until_s[:, None] - free_s - cold_s, longest)
    counted = (np.floor(last / shortest_s[:, None]) + 1) * longest
    return np.asarray(np.where(last >= 0, np.minimum(time_s, counted), 0.0).sum(axis=1))


def least_cold(instance: Instance, flat: Problem) -> Floats:
    """Return per site the least seconds that loading the model of any of its arcs takes."""
    cold_s = np.array([_cold_s(instance, way) for way in options(instance)])
    found = np.full(len(instance.sites), np.inf)
    used = np.unique(flat.option, return_index=True)[1]
    np.minimum.at(found, flat.site[used], cold_s[flat.option[used]])
    return found


def _cold_s(instance: Instance, way: Option) -> float:
    name = instance.models[way.model].name
    offer = next(one for one in instance.sites[way.site].offers if one.model == name)
    return 0.0 if offer.warm else offer.cold_start_s


def entries(flat: Problem, some: Windows) -> tuple[Ints, Ints, Floats]:
    """Return arcs, windows, and how long a copy of the arc is at least busy in the window."""
    begin = np.searchsorted(some.site, np.arange(flat.site_most.size + 1))
    many = np.diff(begin)[flat.site]
    arc = np.repeat(np.arange(flat.site.size), many)
    window = np.arange(arc.size) - np.repeat(np.cumsum(many) - many, many) + begin[flat.site[arc]]
    busy_s = np.minimum(some.until_s[window] - latest(flat)[arc], flat.work_s[arc])
    inside = busy_s > 0
    return arc[inside], window[inside], busy_s[inside]


def charged(flat: Problem, some: Windows, usd: Floats) -> Floats:
    """Return what the prices of windows charge a copy of each arc.

    min(w, max(0, L - T)) is max(0, L - T) - max(0, L - T - w), so it is the difference of one
    function of time, the sum of usd max(0, L - t) over the site's windows, at T and at T + w.
    """
    found, last_s = np.zeros(flat.site.size), latest(flat)
    order = np.argsort(flat.site, kind="stable")
    begin = np.searchsorted(flat.site[order], np.arange(flat.site_most.size + 1))
    for first, end in _runs(some.site):
        arcs = order[begin[some.site[first]] : begin[some.site[first] + 1]]
        ranked = first + np.argsort(some.until_s[first:end], kind="stable")
        until_s, paid = some.until_s[ranked], usd[ranked]
        rate = np.append(np.cumsum(paid[::-1])[::-1], 0.0)
        worth = np.append(np.cumsum((paid * until_s)[::-1])[::-1], 0.0)
        for time_s, sign in ((last_s[arcs], 1.0), (last_s[arcs] + flat.work_s[arcs], -1.0)):
            after = np.searchsorted(until_s, time_s, side="right")
            found[arcs] += sign * (worth[after] - rate[after] * time_s)
    return np.maximum(found, 0.0)


def _proven(flat: Problem, some: Windows, prices: Prices) -> Necessary:
    """Return the bound of prices whose rows are windows."""
    usd = prices.row_usd
    reduced = flat.cost_usd * (1 + prices.budget) + prices.share_usd[flat.site]
    limited = np.isfinite(flat.site_most)
    paid = inner(usd, some.slot_s) + inner(prices.share_usd[limited], flat.site_most[limited])
    paid += prices.budget * flat.budget_usd * (1 + FORGIVEN) if prices.budget else 0.0
    lower = bound.class_terms(flat, reduced + charged(flat, some, usd)) - paid
    priced = tuple(
        WindowPrice(int(some.site[one]), float(some.until_s[one]), float(usd[one]))
        for one in np.flatnonzero(usd > 0)
    )
    return Necessary(priced, prices.share_usd, prices.budget, lower)


def _runs(site: Ints) -> list[tuple[int, int]]:
    """Return where runs of equal neighbours begin and end."""
    bounds = np.flatnonzero(np.diff(site, prepend=-1, append=-1))
    return list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
