"""Idle slots of all sites in one draw, and who may use them: what is planned always goes first."""

import heapq
from dataclasses import dataclass

import numpy as np

from swarm_placement.simulate.queues import Floats, Ints
from swarm_placement.simulate.world import World


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """The options that may execute a class, none of them preemptible: option, site, domain, usd,
    and the quantile and the median of the last hop, loading included."""

    option: Ints
    site: Ints
    domain: Ints
    usd: Floats
    hop_s: Floats
    median_s: Floats


def choices(facts: World) -> list[Choices]:
    """Return the choices of every class."""
    found = []
    for number in range(len(facts.instance.classes)):
        option = np.flatnonzero(facts.allowed[number] & (facts.preemptions_per_s == 0))
        site = facts.site[option]
        fixed = facts.transfer_s[number, option] + facts.cold_s[option]
        spread = facts.sigma[number, option]
        median_s = fixed + facts.mean_s[number, option] * np.exp(-(spread**2) / 2)
        found.append(
            Choices(
                option,
                site,
                facts.domain[number, site],
                facts.usd[number, option],
                facts.hop_s[number, option],
                median_s,
            )
        )
    return found


class IdleSlots:
    """When each slot has done what is planned for it, and what was added since."""

    def __init__(self, free_s: list[Floats]) -> None:
        self._heaps = [free.tolist() for free in free_s]
        for heap in self._heaps:
            heapq.heapify(heap)
        self.earliest_s = np.array([heap[0] if heap else np.inf for heap in self._heaps])

    def replace(self, site: int, free_s: Floats) -> None:
        """Say anew when the slots of a site are free."""
        self._heaps[site] = free_s.tolist()
        heapq.heapify(self._heaps[site])
        self.earliest_s[site] = self._heaps[site][0]

    def occupy(self, site: int, until_s: float) -> None:
        """Use the slot of a site that is free first."""
        heapq.heapreplace(self._heaps[site], until_s)
        self.earliest_s[site] = self._heaps[site][0]

    def best(
        self,
        among: Choices,
        now_s: float,
        deadline_s: float,
        closed: Ints,
        own_site: int,
        factor: Floats,
    ) -> tuple[int, float] | None:
        """Return which choice to use and when it begins: the cheapest that ends in time at its
        quantile, else the first to end in time at its median, else None.

        `closed` are domains that must not be used, nor `own_site`; `factor` is how much slower each site is believed
        to be.
        """
        begin = np.maximum(now_s, self.earliest_s[among.site])
        slower = factor[among.site]
        left = np.where(among.site == own_site, -np.inf, deadline_s - begin)
        for domain in closed:
            left[among.domain == domain] = -np.inf
        sure = np.flatnonzero(left >= slower * among.hop_s)
        if len(sure):
            chosen = int(sure[among.usd[sure].argmin()])
            return chosen, float(begin[chosen])
        rest = left - slower * among.median_s
        chosen = int(rest.argmax()) if len(rest) else -1
        return (chosen, float(begin[chosen])) if chosen >= 0 and rest[chosen] >= 0 else None
