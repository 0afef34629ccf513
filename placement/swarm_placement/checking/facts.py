"""The checker's own reading of an instance, one class and one option at a time.

Written from the meaning of the fields in `model`, in plain Python and without the solver's tables,
so that a mistake in either shows as a difference.
"""

import heapq
import math
from dataclasses import dataclass
from statistics import NormalDist

from swarm_placement.model import Domain, Instance, ItemClass, Offer, Option, Site

SAME = 1e-9
"""Share by which decimals that are equal may differ in binary."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One class with one option: why it is not allowed (empty if it is), money, and seconds.

    `run_s` is the mean time on the slot, `latest_s` the latest start.
    """

    refused: str
    usd: float
    run_s: float
    latest_s: float


class Facts:
    """All facts of an instance, worked out when asked for."""

    def __init__(self, instance: Instance, ways: tuple[Option, ...]) -> None:
        self.instance, self.ways = instance, ways
        self.known: dict[tuple[int, int], Fact] = {}

    def of(self, item_class: int, way: int) -> Fact:
        """Return the fact about a class and an option."""
        if (item_class, way) not in self.known:
            self.known[item_class, way] = self.judged(item_class, way)
        return self.known[item_class, way]

    def judged(self, item_class: int, way: int) -> Fact:
        """Return the same without keeping it: all facts of many classes would fill the memory."""
        return self.known.get((item_class, way)) or self._judge(item_class, self.ways[way])

    def free(self, number: int) -> list[float]:
        """Return when each slot of a site is free of what was committed before; what was committed to
        a site that has no slots any more is lost."""
        site = self.instance.sites[number]
        slots = [site.boot_s] * site.slots
        for one in self.instance.occupancy if slots else ():
            if one.site == site.name:
                for remaining_s in one.remaining_s:
                    heapq.heapreplace(slots, slots[0] + remaining_s)
        return slots

    def domain(self, across: Domain, number: int) -> tuple[str, int]:
        """Return the domain a site is in, and how many copies of an item may be there."""
        site = self.instance.sites[number]
        organisation = site.organisation or site.name
        name = {
            "node": site.name,
            "site": site.name,
            "region": site.region or site.name,
            "organisation": organisation,
            "trust_domain": site.trust_domain or organisation,
        }[across]
        return name, site.nodes if across == "node" else 1

    def offer(self, way: Option) -> Offer:
        """Return what the site offers for an option's model."""
        name = self.instance.models[way.model].name
        return next(one for one in self.instance.sites[way.site].offers if one.model == name)

    def deadline_s(self, one: ItemClass) -> float:
        """Return when items of a class must be done."""
        swarm = self.instance.swarm
        last = swarm.deadline_s - swarm.reserve_s
        return last if one.deadline_s is None else min(last, one.deadline_s)

    def _judge(self, number: int, way: Option) -> Fact:
        one, site, offer = (
            self.instance.classes[number],
            self.instance.sites[way.site],
            self.offer(way),
        )
        mean_s, sigma = self._duration(one, way, offer)
        move_s, move_usd = self._move(one, site)
        cold_s = 0.0 if offer.warm else offer.cold_start_s
        price = site.spot.usd_per_slot_s if way.spot and site.spot else site.usd_per_slot_s
        tokens = (
            one.input_tokens * offer.usd_per_mtok_in + one.output_tokens * offer.usd_per_mtok_out
        )
        rate = site.spot.preemptions_per_hour / 3600 if way.spot and site.spot else 0.0
        run_s = mean_s + move_s
        hop_s = self._hop(move_s + cold_s, mean_s, sigma, rate)
        if rate:
            run_s = (math.exp(min(rate * run_s, 700)) - 1) / rate
        usd = run_s * price + move_usd + tokens / 1e6
        latest_s = self.deadline_s(one) - hop_s
        refused = self._refused(one, site, way, usd, latest_s, mean_s)
        return Fact(refused, usd, run_s, max(latest_s, 0.0))

    def _refused(
        self, one: ItemClass, site: Site, way: Option, usd: float, latest_s: float, mean_s: float
    ) -> str:
        model = self.instance.models[way.model]
        if not one.needs.residency <= site.residency:
            return "residency"
        if any(site.hardware.get(name, 0) < least for name, least in one.needs.hardware.items()):
            return "hardware"
        asked = one.needs.capabilities
        if any(model.capabilities.get(name, 0) < least for name, least in asked.items()):
            return "capability"
        if math.isnan(mean_s):
            return "duration"
        if latest_s < -SAME * self.deadline_s(one):
            return "deadline"
        if one.budget_usd is not None and usd > one.budget_usd * (1 + SAME):
            return "item_budget"
        return ""

    def _duration(self, one: ItemClass, way: Option, offer: Offer) -> tuple[float, float]:
        known = self.instance.durations
        if not one.kind or known is None:
            return one.work_s / (self.instance.sites[way.site].speed * offer.speed), one.sigma
        cell = (known.kinds.index(one.kind), way.site, way.model)
        mean, quantile = float(known.mean_s[cell]), float(known.quantile_s[cell])
        if math.isnan(mean) or math.isnan(quantile):
            return math.nan, math.nan
        z = NormalDist().inv_cdf(known.level)
        under = z * z - 2 * math.log(max(1.0, quantile / mean))
        return one.work_s * mean, z - math.sqrt(max(0.0, under))

    def _hop(self, fixed_s: float, mean_s: float, sigma: float, rate: float) -> float:
        """Return the quantile of the last hop, with restarts at a rate of preemptions."""
        probability = self.instance.swarm.item_probability
        miss = (1 - probability) / 2
        level = 1 - miss if rate else probability
        one_s = fixed_s + mean_s * math.exp(NormalDist().inv_cdf(level) * sigma - sigma * sigma / 2)
        if not rate:
            return one_s
        cut, restarts = 1 - math.exp(-rate * one_s), 0
        while cut ** (restarts + 1) > miss * (1 + 1e-12):
            restarts += 1
            if restarts > 10_000:
                return math.inf
        return one_s * (1 + restarts)

    def _move(self, one: ItemClass, target: Site) -> tuple[float, float]:
        """Return seconds and dollars of bringing the data from the quickest holder."""
        if one.data_bytes == 0 or not (one.data_site or one.dataset):
            return 0.0, 0.0
        best = (math.inf, 0.0)
        for source in self.instance.sites:
            holds = source.name == one.data_site or bool(
                one.dataset and one.dataset in source.datasets
            )
            if holds and source.name == target.name:
                return 0.0, 0.0
            if holds:
                way = self._link(source, target)
                seconds = way[0] + one.data_bytes / way[1]
                if seconds < best[0]:
                    best = (seconds, one.data_bytes / 1e9 * way[2])
        return best

    def _link(self, source: Site, target: Site) -> tuple[float, float, float]:
        for link in self.instance.links:
            if (link.source, link.target) == (source.name, target.name):
                return link.latency_s, link.bandwidth_bytes_per_s, link.egress_usd_per_gb
        slower = min(source.bandwidth_bytes_per_s, target.bandwidth_bytes_per_s)
        return source.latency_s + target.latency_s, slower, source.egress_usd_per_gb
