"""A plan's bounds, worked out anew from the instance and the published prices, in plain Python.

For the checker alone; nothing of the solver is used. Both bounds are weak duality: the least reduced
cost of each class when only demand and domains hold, less what the prices charge for the limits. They
differ in how a copy takes capacity and in how much there is:

- any plan: a copy with latest start T and mean time w is busy for min(w, max(0, L - T)) at least in a
  window until L, and a slot has no more than it can have been busy by then (argued in `necessary`);
- within the rows: a copy takes w in every row it is in, and a row has what begins by its edge for
  certain (argued in `capacity`). A row may be judged at an edge before its last latest start, but not
  by more than `COARSE` says, and never at less than its formula says.

Items that are all distinct are planned by rows that take the shortest and the longest copy of the site
for those of each row.

The penalty is one price for all: `PENALTY` times the dearest copy that is permitted anywhere.
"""

import bisect
import math
from array import array
from itertools import accumulate

from swarm_placement.checking.facts import Facts
from swarm_placement.model import Bound, CapacityPrice, Instance, Option, Plan

FORGIVEN = 1e-6
"""Share by which the checker lets starts and money exceed their limits."""
COARSE = ((3_000, 1.0), (20_000, 1.03), (math.inf, 1.05))
"""Permitted arcs, up to which latest starts that share a row may be so many times apart."""
COARSEST = 1.1
"""The same for items that are all distinct."""
PENALTY = 5.0
"""A copy without a place costs this many times the dearest one that is permitted."""
SAME = 1e-9
SHORT = 1e-5
"""The last copy of a row stays so far below what would be late (`capacity`)."""


class Proof:
    """What the prices of a plan prove: `lower_usd` for any plan, `within_rows_usd` for its rows."""

    def __init__(
        self, instance: Instance, ways: tuple[Option, ...], facts: Facts, plan: Plan
    ) -> None:
        self.instance, self.ways, self.facts = instance, ways, facts
        self.bound: Bound = plan.bound
        self.is_distinct = plan.solver == "distinct"
        bound = self.bound
        sites = range(len(instance.sites))
        self.starts = [array("d") for _ in sites]
        self.works = [array("d") for _ in sites]
        self.models: list[set[int]] = [set() for _ in sites]
        self.dearest_usd = 0.0
        self.windows = [_Falling() for _ in sites]
        for one in bound.windows:
            self.windows[one.site].add(one.until_s, one.usd_per_slot_s)
        self.rows = [_Falling() for _ in sites]
        for row in bound.capacity:
            self.rows[row.site].add(row.below_s, row.usd_per_slot_s)
        sums = [self._least(number) for number in range(len(instance.classes))]
        self.order = [sorted(range(len(one)), key=one.__getitem__) for one in self.starts]
        self.lower_usd = math.fsum(any_usd for any_usd, _ in sums) - self._windows_usd()
        self.within_rows_usd = math.fsum(within for _, within in sums) - self._rows_usd()

    @property
    def penalty_usd(self) -> float:
        """What a copy without a place must cost; one dollar if no copy costs anything."""
        return PENALTY * self.dearest_usd or 1.0

    def _least(self, number: int) -> tuple[float, float]:
        """Return the least reduced costs of a class by both ways of counting; note its arcs."""
        one, bound = self.instance.classes[number], self.bound
        cheapest: dict[str, tuple[float, float, int]] = {}
        for way, option in enumerate(self.ways):
            fact = self.facts.judged(number, way)
            if fact.refused:
                continue
            site = option.site
            busy_s = fact.run_s / (1 - self.instance.sites[site].margin)
            self.starts[site].append(fact.latest_s)
            self.works[site].append(busy_s)
            self.models[site].add(option.model)
            self.dearest_usd = max(self.dearest_usd, fact.usd)
            last_s = _forgiven(fact.latest_s)
            windows = self.windows[site]
            usd = windows.beyond(last_s) - windows.beyond(last_s + busy_s)
            usd += fact.usd * (1 + bound.window_budget) + float(bound.window_share_usd[site])
            within = busy_s * self.rows[site].after(fact.latest_s + SAME * max(1.0, fact.latest_s))
            within += fact.usd * (1 + bound.budget_price) + float(bound.share_price_usd[site])
            name, most = self.facts.domain(one.across, site)
            known = cheapest.get(name, (math.inf, math.inf, most))
            cheapest[name] = (min(known[0], usd), min(known[1], within), most)
        found = list(cheapest.values())
        return (
            self._taken(number, sorted((usd, most) for usd, _, most in found)),
            self._taken(number, sorted((usd, most) for _, usd, most in found)),
        )

    def _taken(self, number: int, domains: list[tuple[float, int]]) -> float:
        """Return what a class costs if its copies take these domains in turn."""
        one, penalty = self.instance.classes[number], self.bound.penalty_usd
        left, total = one.items * one.copies, 0.0
        for usd, most in domains:
            taken = min(left, one.items * min(most, one.copies))
            total += taken * min(usd, penalty)
            left -= taken
        return total + left * penalty

    def _windows_usd(self) -> float:
        """Return what the prices charge for windows, shares and budget."""
        bound = self.bound
        budget = bound.window_budget * (1 + FORGIVEN)
        paid = self._limits_usd([float(one) for one in bound.window_share_usd], budget)
        for number, site in enumerate(self.windows):
            for until_s, usd in site.priced:
                paid += usd * self._window_s(number, until_s)
        return paid

    def _rows_usd(self) -> float:
        """Return what the prices charge for rows, shares and budget."""
        bound = self.bound
        paid = self._limits_usd([float(one) for one in bound.share_price_usd], bound.budget_price)
        return paid + math.fsum(row.usd_per_slot_s * self._row_s(row) for row in bound.capacity)

    def _limits_usd(self, share_usd: list[float], budget: float) -> float:
        swarm, paid = self.instance.swarm, 0.0
        if swarm.max_site_share < 1:
            copies = sum(one.items * one.copies for one in self.instance.classes)
            paid += math.floor(swarm.max_site_share * copies + SAME) * sum(share_usd)
        if swarm.budget_usd is not None:
            paid += budget * swarm.budget_usd
        return paid

    def _window_s(self, site: int, until_s: float) -> float:
        """Return how long the slots of a site can have been busy by then with copies of the window."""
        starts, works = self.starts[site], self.works[site]
        edge_s = until_s - SAME * max(1.0, until_s)
        inside = [one for one in self.order[site] if _forgiven(starts[one]) < edge_s]
        if not inside:
            return 0.0
        last_s = _forgiven(starts[inside[-1]])
        longest = max(works[one] for one in inside)
        shortest = min(works[one] for one in inside)
        cold_s = min(self._cold_s(site), default=0.0)
        total = 0.0
        for free_s in self.facts.free(site):
            if free_s <= last_s:
                counted = (math.floor((last_s - free_s) / shortest) + 1) * longest
                total += min(max(until_s - free_s - cold_s, longest), counted)
        return total

    def _row_s(self, row: CapacityPrice) -> float:
        """Return the slot-seconds of a row: what is published, or what its formula says if that is
        more."""
        starts, works = self.starts[row.site], self.works[row.site]
        inside = [
            one
            for one in self.order[row.site]
            if starts[one] < row.below_s - SAME * max(1.0, starts[one])
        ]
        if not inside:
            return row.slot_s
        edge_s = max(row.edge_s, starts[inside[-1]] / self._coarse())
        if starts[inside[-1]] <= max(row.edge_s, 1.0) * self._coarse() * (1 + SAME):
            edge_s = row.edge_s
        cold_s = sum(self._cold_s(row.site))
        times = [
            edge_s - free_s - cold_s for free_s in self.facts.free(row.site) if free_s <= edge_s
        ]
        times = [max(0.0, one) for one in times]
        copies_s = works if self.is_distinct else [works[one] for one in inside]
        return max(row.slot_s, _room(times, min(copies_s), max(copies_s)))

    def _coarse(self) -> float:
        if self.is_distinct:
            return COARSEST
        many = sum(map(len, self.starts))
        return next(ratio for most, ratio in COARSE if many <= most)

    def _cold_s(self, site: int) -> list[float]:
        """Return how long loading takes of each model that is used at a site."""
        names = {self.instance.models[one].name for one in self.models[site]}
        return [
            0.0 if offer.warm else offer.cold_start_s
            for offer in self.instance.sites[site].offers
            if offer.model in names
        ]


class _Falling:
    """Prices at times, and their sums over all later times."""

    def __init__(self) -> None:
        self.priced: list[tuple[float, float]] = []
        self.sums: tuple[list[float], list[float], list[float]] | None = None

    def add(self, time_s: float, usd: float) -> None:
        """Add a price."""
        self.priced.append((time_s, usd))

    def after(self, time_s: float) -> float:
        """Return the sum of the prices after a time."""
        times, usd, _ = self._summed()
        return usd[bisect.bisect_right(times, time_s)]

    def beyond(self, time_s: float) -> float:
        """Return the sum of price times what is left until it."""
        times, usd, worth = self._summed()
        place = bisect.bisect_right(times, time_s)
        return worth[place] - time_s * usd[place]

    def _summed(self) -> tuple[list[float], list[float], list[float]]:
        if self.sums is None:
            priced = sorted(self.priced)
            usd = [price for _, price in priced]
            worth = [time_s * price if price else 0.0 for time_s, price in priced]
            self.sums = ([time_s for time_s, _ in priced], _after(usd), _after(worth))
        return self.sums


def _after(values: list[float]) -> list[float]:
    """Return the sum of the values from each place on; one entry more than values."""
    return [*accumulate(reversed(values), initial=0.0)][::-1]


def _forgiven(latest_s: float) -> float:
    return latest_s + FORGIVEN * max(1.0, latest_s)


def _room(times: list[float], shortest: float, longest: float) -> float:
    """Return what begins for certain on slots with so much time until the edge of their row."""
    if not times:
        return 0.0
    total, is_counted = 0.0, False
    for time_s in times:
        before = math.floor(time_s / shortest + SAME)
        if before * longest <= time_s + SAME * longest:
            total, is_counted = total + (before + 1) * shortest, True
        else:
            total += time_s
    if longest <= shortest * (1 + SAME):
        return total
    return total + shortest * (1 - SHORT if is_counted else 1.0)
