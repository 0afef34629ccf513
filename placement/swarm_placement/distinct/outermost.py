"""The extremes of all arcs that exist: what the penalty and the capacity rows are made from.

Both must be what anybody would work out from the instance, so the extents of superclasses, which
only bound their items, do not do. They say where to look: the items of a superclass are looked at
only for options where its extents go beyond the arcs that are known (branch and bound).
"""

import numpy as np
from numpy.typing import NDArray

from swarm_placement.distinct.items import Items
from swarm_placement.distinct.linear import Forms
from swarm_placement.distinct.superclasses import Extents

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
BEYOND = 1e-12
"""Share by which an extent must go beyond what is known to be looked at."""


class Outermost:
    """Dollars of the dearest arc (0 if there is none); per site the least and the most work of a copy in
    slot-seconds (infinite and 0 without an arc); per option whether any item may use it."""

    def __init__(self, forms: Forms, items: Items, begin: Ints, extent: Extents) -> None:
        self.dearest_usd = 0.0
        sites = len(forms.instance.sites)
        self.shortest_s, self.longest_s = np.full(sites, np.inf), np.zeros(sites)
        self.used = np.zeros(forms.site.size, dtype=bool)
        self._forms, self._items, self._begin, self._extent = forms, items, begin, extent
        for one, columns in self._likely():
            self._look(one, columns)
        for one in np.flatnonzero(self._beyond(slice(None)).any(axis=1)).tolist():
            self._look(one, np.flatnonzero(self._beyond(one)))

    def _likely(self) -> list[tuple[int, Ints]]:
        """Return the superclasses whose extents go farthest at some options, with these options."""
        extent, every = self._extent, np.arange(self.used.size)
        usd = np.where(extent.exists, extent.cost_usd, -np.inf)
        dearest = usd.max(axis=0).argmax()
        owner = np.concatenate(
            (
                np.where(extent.exists, extent.longest_s, -np.inf).argmax(axis=0),
                np.where(extent.exists, extent.shortest_s, np.inf).argmin(axis=0),
                usd[:, [dearest]].argmax(axis=0),
            )
        )
        column = np.concatenate((every, every, [dearest]))
        return [(one, np.unique(column[owner == one])) for one in np.unique(owner).tolist()]

    def _beyond(self, one: slice | int) -> Flags:
        """Say at which options the extents go beyond what is known."""
        extent, site = self._extent, self._forms.site
        found = extent.longest_s[one] > self.longest_s[site] * (1 + BEYOND)
        found |= extent.shortest_s[one] < self.shortest_s[site] * (1 - BEYOND)
        found |= extent.cost_usd[one] > self.dearest_usd * (1 + BEYOND)
        found |= ~self.used
        return np.asarray(found & extent.exists[one])

    def _look(self, one: int, columns: Ints) -> None:
        """Take in the arcs of a superclass to some options."""
        here = slice(self._begin[one], self._begin[one + 1])
        found = self._forms.arcs(self._items, here, columns)
        cell = np.nonzero(found.exists)
        column = columns[cell[1]]
        site = self._forms.site[column]
        self.used[column] = True
        np.minimum.at(self.shortest_s, site, found.work_s[cell])
        np.maximum.at(self.longest_s, site, found.work_s[cell])
        self.dearest_usd = max(self.dearest_usd, float(found.cost_usd[cell].max(initial=0.0)))
