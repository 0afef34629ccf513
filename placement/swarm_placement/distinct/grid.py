"""Capacity rows as a site x level grid, the same levels at every site.

The rows are those of `capacity` with round edges: level l holds latest starts from `edge_s[l]` to
the next edge and is judged by `edge_s[l]`, never by the least latest start actually in it. That
costs less than looking at every arc, and an arc's row does not depend on other arcs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.distinct.outermost import Outermost
from swarm_placement.model import CapacityPrice, Instance
from swarm_placement.program import capacity
from swarm_placement.program.problem import LEVEL_RATIO, cold_starts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NEAR = 5e-8
"""Share of a level by which a latest start may be short of the next one: half a billionth of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Levels x sites: row (s, l) holds what starts before `edge_s[l + 1]`, at most `slot_s[s, l]`
    slot-seconds."""

    edge_s: Floats
    slot_s: Floats

    def level(self, latest_s: Floats) -> Ints:
        """Return the first row of arcs with these latest starts; they are in all later ones."""
        return levels(latest_s, self.edge_s.size)

    def rows(self, site: Ints, latest_s: Floats) -> capacity.Rows:
        """Return the rows that hold any of these arcs, in the form `capacity` gives them."""
        count = self.edge_s.size
        used, of_arc = np.unique(site * count + self.level(latest_s), return_inverse=True)
        at, level = np.divmod(used, count)
        last = np.append(at[1:] != at[:-1], True)
        below = np.where(last, np.inf, self.edge_s[np.append(level[1:], 0)])
        return capacity.Rows(at, self.edge_s[level], below, self.slot_s[at, level], of_arc)

    def prices(self, row_usd: Floats) -> tuple[CapacityPrice, ...]:
        """Return the rows that cost something, for prices sites x levels."""
        below = np.append(self.edge_s[1:], np.inf)
        return tuple(
            CapacityPrice(
                int(site), float(below[level]), float(self.slot_s[site, level]),
                float(row_usd[site, level]), float(self.edge_s[level]),
            )
            for site, level in np.argwhere(row_usd > 0)
        )  # fmt: skip


def levels(latest_s: Floats, count: int) -> Ints:
    """Return the level of latest starts, below `count`: powers of `LEVEL_RATIO` seconds, with all
    below one second in level 0. A latest start within rounding of the next level is in that."""
    power = np.log(np.maximum(latest_s, 1.0)) * (1 / np.log(LEVEL_RATIO)) + NEAR
    return np.asarray(np.minimum(power.astype(np.int64), count - 1))


def grid(instance: Instance, last_s: float, found: Outermost) -> Grid:
    """Return the rows for arcs with these extremes and no latest start after `last_s`.

    A copy may be in any row of its site, so a site has one least and one largest work for all its
    rows; where no arc is, it is one second and nothing is charged.
    """
    count = int(levels(np.array([last_s]), np.iinfo(np.int64).max)[0]) + 1
    edge_s: Floats = LEVEL_RATIO ** np.arange(count, dtype=np.float64)
    edge_s[0] = 0.0
    cold_s = cold_starts(instance, np.flatnonzero(found.used))
    none, every = found.longest_s <= 0, np.ones(count)
    least, most = np.where(none, 1.0, found.shortest_s), np.where(none, 1.0, found.longest_s)
    slot_s = [
        capacity.room(
            capacity.free_times(instance, at),
            edge_s,
            least[at] * every,
            most[at] * every,
            cold_s[at],
        )
        for at in range(len(instance.sites))
    ]
    return Grid(edge_s, np.stack(slot_s))
