"""Judges a plan from the instance alone; shares no code with the solver.

What is recomputed, copy by copy: that the option exists and meets capability, hardware, residency
and the class's budget; that an item's copies are in different domains; that on each site, with the
copies executed in the order of their latest starts, mean durations stretched by the margin and
every cold model loaded once per slot, each begins by its latest start, but for copies said to stand
in a margin, with which this holds without the stretch; shares, money, cost,
penalty, and the lower bound by weak duality from the published prices. Only data types come from
`model`.
"""

import heapq
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from swarm_placement.facts import Facts
from swarm_placement.model import Instance, Plan, copy_offsets, options

TOLERANCE = 1e-6
COARSE = 1.1
"""A capacity row may be judged at a time so many times earlier than its last latest start."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What a plan breaks: a stable kind, where, and in words."""

    kind: str
    where: str
    message: str


def check(instance: Instance, plan: Plan) -> list[Violation]:
    """Return everything a plan breaks; nothing for a sound one."""
    judge = _Judge(instance, plan)
    malformed = list(judge.malformed())
    if malformed:
        return malformed
    found = [*judge.options(), *judge.domains()]
    if not found:
        found += [*judge.starts(), *judge.shares(), *judge.money(), *judge.bound()]
    return found


class _Judge:
    def __init__(self, instance: Instance, plan: Plan) -> None:
        self.instance, self.plan = instance, plan
        self.ways = options(instance)
        self.facts = Facts(instance, self.ways)
        self.offsets = [int(one) for one in copy_offsets(instance.classes)]
        self.option = [int(one) for one in plan.option]
        self.over = {int(one) for one in plan.bound.over_margin}
        self.many: Counter[tuple[int, int]] = Counter()
        for number in range(len(instance.classes)):
            for way in self.option[self.offsets[number] : self.offsets[number + 1]]:
                self.many[number, way] += 1
        self.unplaced = sum(many for (_, way), many in self.many.items() if way < 0)
        self.used = {pair: many for pair, many in self.many.items() if pair[1] >= 0}

    def malformed(self) -> Iterator[Violation]:
        """Find options that do not exist, and missing or surplus copies."""
        if len(self.option) != self.offsets[-1]:
            words = f"{len(self.option)} copies are answered for {self.offsets[-1]}"
            yield Violation("form", "option", words)
        elif not all(-1 <= way < len(self.ways) for way in self.option):
            yield Violation("form", "option", "an option does not exist")
        elif any(
            not 0 <= index < len(self.option) or self.option[index] < 0 for index in self.over
        ) or len(self.over) < len(self.plan.bound.over_margin):
            yield Violation("form", "over_margin", "it names something else than placed copies")

    def options(self) -> Iterator[Violation]:
        """Find copies where they must not be."""
        for (number, way), many in self.used.items():
            refused = self.facts.of(number, way).refused
            if refused:
                one, site = self.instance.classes[number], self.instance.sites[self.ways[way].site]
                words = f"{many} copies of {one.name} at {site.name} break it"
                yield Violation(refused, one.name, words)

    def domains(self) -> Iterator[Violation]:
        """Find items with too many copies in one domain."""
        for number, one in enumerate(self.instance.classes):
            if one.copies == 1:
                continue
            for item in range(one.items):
                begin = self.offsets[number] + item * one.copies
                ways = [way for way in self.option[begin : begin + one.copies] if way >= 0]
                for name, (many, most) in self._domains(one.across, ways).items():
                    if many > most:
                        words = f"item {item} has {many} copies in {one.across} {name}"
                        yield Violation("domain", one.name, words)

    def _domains(self, across: str, ways: list[int]) -> dict[str, tuple[int, int]]:
        """Return, per domain, how many copies are there and how many may be."""
        found: dict[str, tuple[int, int]] = {}
        for way in ways:
            site = self.instance.sites[self.ways[way].site]
            organisation = site.organisation or site.name
            name = {
                "node": site.name,
                "site": site.name,
                "region": site.region or site.name,
                "organisation": organisation,
                "trust_domain": site.trust_domain or organisation,
            }[across]
            most = site.nodes if across == "node" else 1
            found[name] = (found.get(name, (0, most))[0] + 1, most)
        return found

    def starts(self) -> Iterator[Violation]:
        """Execute the plan with mean durations and find copies that begin too late."""
        queues: dict[int, list[tuple[float, int, float, int]]] = {}
        for number in range(len(self.instance.classes)):
            for index in range(self.offsets[number], self.offsets[number + 1]):
                way = self.option[index]
                if way >= 0:
                    fact = self.facts.of(number, way)
                    entry = (fact.latest_s, index, fact.run_s, way)
                    queues.setdefault(self.ways[way].site, []).append(entry)
        for number, queue in queues.items():
            site, ordered = self.instance.sites[number], sorted(queue)
            within = [entry for entry in ordered if entry[1] not in self.over]
            late = self._late(number, within, 1 / (1 - site.margin))
            if len(within) < len(ordered):
                late = late or self._late(number, ordered, 1.0)
            if late:
                words = f"{late[0]} copies begin up to {late[1]:.3g} s after their latest start"
                yield Violation("capacity", site.name, words)

    def _late(
        self, number: int, queue: list[tuple[float, int, float, int]], stretch: float
    ) -> tuple[int, float] | None:
        slots = [(free_s, slot) for slot, free_s in enumerate(self._free(number))]
        heapq.heapify(slots)
        loaded: set[tuple[int, int]] = set()
        late, worst_s = 0, 0.0
        for latest_s, _, run_s, way in queue:
            begin_s, slot = heapq.heappop(slots)
            if begin_s > latest_s + TOLERANCE * max(1.0, latest_s):
                late, worst_s = late + 1, max(worst_s, begin_s - latest_s)
            offer = self.facts.offer(self.ways[way])
            key = (slot, self.ways[way].model)
            cold_s = 0.0 if offer.warm or key in loaded else offer.cold_start_s
            loaded.add(key)
            heapq.heappush(slots, (begin_s + cold_s + run_s * stretch, slot))
        return (late, worst_s) if late else None

    def _free(self, number: int) -> list[float]:
        """Return when each slot is free of what was committed before."""
        site = self.instance.sites[number]
        slots = [site.boot_s] * site.slots
        for one in self.instance.occupancy:
            if one.site == site.name:
                for remaining_s in one.remaining_s:
                    heapq.heapreplace(slots, slots[0] + remaining_s)
        return slots

    def shares(self) -> Iterator[Violation]:
        """Find sites with more than their share of all copies."""
        share = self.instance.swarm.max_site_share
        if share >= 1:
            return
        most = share * self.offsets[-1]
        at: Counter[int] = Counter()
        for (_, way), many in self.used.items():
            at[self.ways[way].site] += many
        for site, many in at.items():
            if many > most + TOLERANCE:
                name = self.instance.sites[site].name
                yield Violation("share", name, f"{many} copies, at most {most:g} are allowed")

    def money(self) -> Iterator[Violation]:
        """Compare what is claimed about money, and the budget."""
        claimed = self.plan.bound
        cost = sum(many * self.facts.of(*pair).usd for pair, many in self.used.items())
        if not _same(cost, claimed.cost_usd):
            yield Violation("cost", "cost_usd", f"{claimed.cost_usd} is claimed for {cost}")
        objective = cost + claimed.penalty_usd * (self.unplaced + len(self.over))
        if not _same(objective, claimed.objective_usd):
            words = f"{claimed.objective_usd} is claimed for {objective}"
            yield Violation("cost", "objective_usd", words)
        most = self.instance.swarm.budget_usd
        if most is not None and cost > most * (1 + TOLERANCE):
            yield Violation("budget", "swarm.budget_usd", f"{cost} is more than {most}")
        told = Counter({one.item_class: one.copies for one in claimed.unplaced})
        seen = Counter({number: many for (number, way), many in self.many.items() if way < 0})
        if told != seen:
            words = f"{sum(told.values())} are told of, {self.unplaced} are missing"
            yield Violation("unplaced", "unplaced", words)

    def bound(self) -> Iterator[Violation]:
        """Recompute the lower bound from the published prices."""
        claimed = self.plan.bound
        negative = [one for one in claimed.capacity if one.usd_per_slot_s < 0]
        if negative or claimed.budget_price < 0 or min(claimed.share_price_usd, default=0) < 0:
            yield Violation("bound", "capacity", "a price is negative")
            return
        lower = self.lower_usd()
        if claimed.dual_lower_usd > lower + TOLERANCE * max(abs(lower), claimed.penalty_usd):
            words = f"the prices prove {lower}, {claimed.dual_lower_usd} is claimed"
            yield Violation("bound", "dual_lower_usd", words)
        if claimed.lower_usd > claimed.objective_usd * (1 + TOLERANCE):
            words = f"{claimed.lower_usd} is above the objective {claimed.objective_usd}"
            yield Violation("bound", "lower_usd", words)
        if claimed.proof == "duality" and claimed.lower_usd > max(lower, 0) * (1 + TOLERANCE):
            yield Violation("bound", "lower_usd", "the prices do not prove it")
        if claimed.lower_usd > 0 and not _same(
            claimed.gap, max(0.0, claimed.objective_usd / claimed.lower_usd - 1)
        ):
            yield Violation("bound", "gap", f"{claimed.gap} does not follow from the two")

    def lower_usd(self) -> float:
        """Return the Lagrangian bound of the published prices (weak duality)."""
        bound, swarm = self.plan.bound, self.instance.swarm
        lower = -sum(
            row.usd_per_slot_s * self._room(row.site, row.below_s, row.slot_s)
            for row in bound.capacity
        )
        if swarm.max_site_share < 1:
            most = math.floor(swarm.max_site_share * self.offsets[-1] + 1e-9)
            lower -= most * sum(float(one) for one in bound.share_price_usd)
        if swarm.budget_usd is not None:
            lower -= bound.budget_price * swarm.budget_usd
        return lower + sum(map(self._least, range(len(self.instance.classes))))

    def _room(self, site: int, below_s: float, claimed_s: float) -> float:
        """Return the slot-seconds of a row; never less than until its coarse last start."""
        starts = [
            fact.latest_s
            for number in range(len(self.instance.classes))
            for way, option in enumerate(self.ways)
            if option.site == site
            and not (fact := self.facts.of(number, way)).refused
            and _before(fact.latest_s, below_s)
        ]
        until = max(starts, default=0.0) / COARSE
        free = self._free(site)
        cold = {
            option.model: self.facts.offer(option) for option in self.ways if option.site == site
        }
        load_s = sum(0.0 if offer.warm else offer.cold_start_s for offer in cold.values())
        fluid = sum(max(0.0, until - one) for one in free) - load_s * len(free)
        return max(claimed_s, fluid)

    def _least(self, number: int) -> float:
        """Return the least reduced cost of a class when only demand and domains hold."""
        one, bound = self.instance.classes[number], self.plan.bound
        cheapest: dict[str, tuple[float, int]] = {}
        for way, option in enumerate(self.ways):
            fact = self.facts.of(number, way)
            if fact.refused:
                continue
            site = self.instance.sites[option.site]
            busy_s = fact.run_s / (1 - site.margin)
            usd = fact.usd * (1 + bound.budget_price) + float(bound.share_price_usd[option.site])
            usd += busy_s * self._slot_usd(option.site, fact.latest_s)
            [(name, (_, most))] = self._domains(one.across, [way]).items()
            cheapest[name] = min(cheapest.get(name, (math.inf, most)), (usd, most))
        left, total = one.items * one.copies, 0.0
        for usd, most in sorted(cheapest.values()):
            taken = min(left, one.items * min(most, one.copies))
            total += taken * min(usd, bound.penalty_usd)
            left -= taken
        return total + left * bound.penalty_usd

    def _slot_usd(self, site: int, latest_s: float) -> float:
        return sum(
            row.usd_per_slot_s
            for row in self.plan.bound.capacity
            if row.site == site and _before(latest_s, row.below_s)
        )


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-12)


def _before(time_s: float, limit_s: float) -> bool:
    """Compare times that were worked out in two ways."""
    return time_s < limit_s - 1e-9 * max(1.0, abs(time_s))
