"""What a partial plan leaves free: slot-seconds, domains, shares and money."""

import numpy as np
from numpy.typing import NDArray

from swarm_placement.program import bound
from swarm_placement.program.problem import Problem, inner

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
EPSILON = 1e-7


class Room:
    """The room beside some whole copies per arc; it is taken and given back arc by arc."""

    def __init__(self, flat: Problem, copies: Ints) -> None:
        self.flat = flat
        self.copies = copies.astype(np.int64)
        self.begin = np.searchsorted(flat.rows.site, np.arange(flat.site_most.size + 1))
        self.slack_s = flat.rows.slot_s - bound.loads(flat, copies.astype(float))
        self.slot_s = self._least_slack()
        self.group = flat.group_most - np.bincount(flat.group, copies, flat.group_most.size).astype(
            np.int64
        )
        self.site = flat.site_most - np.bincount(flat.site, copies, flat.site_most.size)
        self.left = flat.demand - np.bincount(flat.of_class, copies, flat.classes).astype(np.int64)
        self.money = flat.budget_usd - inner(copies, flat.cost_usd)

    def most(self, arcs: Ints) -> Ints:
        """Return how many more copies each arc could take, if it were the only one."""
        flat = self.flat
        slots = self.slot_s[flat.rows.of_arc[arcs]] / flat.work_s[arcs]
        least = np.minimum(slots + EPSILON, self.site[flat.site[arcs]])
        least = np.minimum(least, self.group[flat.group[arcs]])
        if np.isfinite(self.money):
            dear = np.maximum(flat.cost_usd[arcs], 1e-300)
            least = np.minimum(least, self.money / dear + EPSILON)
        return np.maximum(0, np.floor(least)).astype(np.int64)

    def take(self, arc: int, count: int) -> None:
        """Give an arc more copies; a negative count takes them back."""
        flat, site = self.flat, int(self.flat.site[arc])
        self.copies[arc] += count
        self.slack_s[flat.rows.of_arc[arc] : self.begin[site + 1]] -= count * flat.work_s[arc]
        self.group[flat.group[arc]] -= count
        self.site[site] -= count
        self.left[flat.of_class[arc]] -= count
        self.money -= count * float(flat.cost_usd[arc])
        self._settle(site)

    def _least_slack(self) -> Floats:
        """Return the least slack of each row and the later ones of its site."""
        site = self.flat.rows.site
        place = np.arange(site.size) - self.begin[site]
        grid = np.full((self.begin.size - 1, int(place.max(initial=-1)) + 1), np.inf)
        grid[site, place] = self.slack_s
        return np.asarray(np.minimum.accumulate(grid[:, ::-1], axis=1)[:, ::-1][site, place])

    def _settle(self, site: int) -> None:
        rows = slice(self.begin[site], self.begin[site + 1])
        self.slot_s[rows] = np.minimum.accumulate(self.slack_s[rows][::-1])[::-1]
