"""Capacity rows as a site x level grid, the same levels at every site.

The rows are those of `capacity` with round edges: level l holds latest starts from `edge_s[l]` to
the next edge and is judged by `edge_s[l]`, never by the least latest start actually in it. That
costs less than looking at every arc, and an arc's row does not depend on other arcs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import CapacityPrice, Instance
from swarm_placement.program import capacity
from swarm_placement.program.problem import LEVEL_RATIO, cold_starts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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
    below one second in level 0."""
    power = np.log(np.maximum(latest_s, 1.0)) * (1 / np.log(LEVEL_RATIO))
    return np.asarray(np.minimum(power.astype(np.int64), count - 1))


def grid(
    instance: Instance, site: Ints, latest_s: Floats, shortest_s: Floats, longest_s: Floats
) -> Grid:
    """Return the rows for arcs, each of which stands for copies with no later start than `latest_s`
    and work between `shortest_s` and `longest_s`."""
    last_s = latest_s.max(initial=1.0)
    count = int(levels(np.array([last_s]), np.iinfo(np.int64).max)[0]) + 1
    edge_s: Floats = LEVEL_RATIO ** np.arange(count, dtype=np.float64)
    edge_s[0] = 0.0
    least, most = _extremes((len(instance.sites), count), site, shortest_s, longest_s)
    options = np.arange(sum(len(one.offers) * (2 if one.spot else 1) for one in instance.sites))
    cold_s = cold_starts(instance, options)
    slot_s = [
        capacity.room(capacity.free_times(instance, at), edge_s, least[at], most[at], cold_s[at])
        for at in range(len(instance.sites))
    ]
    return Grid(edge_s, np.stack(slot_s))


def _extremes(
    shape: tuple[int, int], site: Ints, shortest_s: Floats, longest_s: Floats
) -> tuple[Floats, Floats]:
    """Return the least and the largest work of a copy in each row.

    An arc's copies may start at any level up to its own, so a site has one pair for all its rows.
    A site without arcs gets one second; nothing is charged there.
    """
    least, most = np.full(shape[0], np.inf), np.zeros(shape[0])
    np.minimum.at(least, site, shortest_s)
    np.maximum.at(most, site, longest_s)
    least[np.isinf(least)], most[most <= 0] = 1.0, 1.0
    return np.repeat(least[:, None], shape[1], 1), np.repeat(most[:, None], shape[1], 1)
