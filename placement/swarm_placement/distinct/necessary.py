"""The bound for any plan on time, of items that are all distinct.

Each row's price goes to a window in which all copies of the row are busy to their end, so every
item's term of the bound within the rows is one of this bound as well, and only the slot-seconds
differ. They are worked out from the extents of superclasses, which no item exceeds; the formula is
that of `swarm_placement.program.necessary`.
"""

import numpy as np
from numpy.typing import NDArray

from swarm_placement.distinct.candidates import Prices
from swarm_placement.distinct.grid import levels
from swarm_placement.distinct.shares import Limits
from swarm_placement.distinct.superclasses import Extents
from swarm_placement.model import Instance, WindowPrice, options
from swarm_placement.program.capacity import free_times
from swarm_placement.program.necessary import FORGIVEN, Necessary, slot_time
from swarm_placement.program.problem import inner

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def from_rows(
    instance: Instance,
    extent: Extents,
    prices: Prices,
    limits: Limits,
    terms_usd: float,
    budget_usd: float,
) -> Necessary:
    """Return what the prices of the rows prove for any plan; `terms_usd` is the sum of the items'
    least reduced costs."""
    site = np.array([way.site for way in options(instance)], np.int64)
    limited = np.isfinite(limits.site_most)
    paid = inner(prices.share_usd[limited], limits.site_most[limited])
    paid += prices.budget * budget_usd * (1 + FORGIVEN) if prices.budget else 0.0
    found = []
    for here in np.flatnonzero(prices.row_usd.any(axis=1)).tolist():
        level = np.flatnonzero(prices.row_usd[here])
        usd = prices.row_usd[here, level]
        mine = extent.exists & (site == here)
        if not mine.any():
            continue  # only the mean of items that are too dear each may run there
        until_s = _ends(extent, mine, limits.rows.edge_s)[level]
        paid += inner(usd, _slot_s(extent, mine, until_s, free_times(instance, here)))
        found += [
            WindowPrice(here, one, price)
            for one, price in zip(until_s.tolist(), usd.tolist(), strict=True)
        ]
    return Necessary(tuple(found), prices.share_usd, prices.budget, terms_usd - paid)


def _ends(extent: Extents, mine: Flags, edge_s: Floats) -> Floats:
    """Return per level when the copies that its row may hold have all ended."""
    count = edge_s.size
    enters = levels(np.maximum(extent.first_s[mine], 0.0), count)
    end_s, longest_s = np.zeros(count), np.zeros(count)
    np.maximum.at(end_s, enters, extent.end_s[mine])
    np.maximum.at(longest_s, enters, extent.longest_s[mine])
    below_s = np.append(edge_s[1:], np.inf) + np.maximum.accumulate(longest_s)
    until_s = np.minimum(np.maximum.accumulate(end_s), below_s)
    return np.asarray(until_s + 2 * FORGIVEN * np.maximum(1.0, until_s))


def _slot_s(extent: Extents, mine: Flags, until_s: Floats, free_s: Floats) -> Floats:
    """Return the slot-seconds of windows by the site's extremes, loading of models aside."""
    last_s = float(extent.latest_s[mine].max())
    last_s += FORGIVEN * max(1.0, last_s)
    every = np.ones(until_s.size)
    return slot_time(
        until_s,
        free_s,
        np.minimum(until_s, last_s),
        float(extent.shortest_s[mine].min()) * every,
        float(extent.longest_s[mine].max()) * every,
        0.0,
    )
