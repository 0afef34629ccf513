"""Judges a plan from the instance alone; shares no code with the solver.

What is recomputed, copy by copy: that the option exists and meets capability, hardware, residency
and the class's budget; that an item's copies are in different domains; that on each site, with the
copies executed in the order of their latest starts, mean durations stretched by the margin and
every cold model loaded once per slot, each begins by its latest start, but for copies said to stand
in a margin, with which this holds without the stretch; shares, money, cost; that every number of the
bound is one (`numbers`); the penalty, and both bounds by weak duality from the published prices
(`proof`), but for the word of the exact solver, which is claimed and not checked. Only data types come
from `model`.
"""

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from swarm_placement.checking.facts import Facts
from swarm_placement.checking.numbers import CERTAIN, flaws
from swarm_placement.checking.proof import Proof
from swarm_placement.model import Domain, Instance, Plan, copy_offsets, options

TOLERANCE = 1e-6
SOLVERS = ("classes", "distinct", "exact", "replan")
ROUNDING = 1e-11
"""Share of the penalty of all copies that adding numbers may cost."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What a plan breaks: a stable kind, where, and in words."""

    kind: str
    where: str
    message: str


def check(instance: Instance, plan: Plan, *, bounds: bool = True) -> list[Violation]:
    """Return everything a plan breaks; nothing for a sound one.

    Without `bounds` only the plan is judged: bounds and penalty need every class with every option,
    which takes minutes where there are many millions of them.
    """
    try:
        judge = _Judge(instance, plan)
        malformed = list(judge.malformed())
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return [Violation("form", "plan", f"a field is not what it must be: {error}")]
    if malformed:
        return malformed
    found = [*judge.options(), *judge.domains()]
    if not found:
        found += [*judge.starts(), *judge.shares(), *judge.money()]
        found += judge.chances()
        found += judge.bound() if bounds else []
    return found


class _Judge:
    def __init__(self, instance: Instance, plan: Plan) -> None:
        self.instance, self.plan = instance, plan
        self.ways = options(instance)
        self.facts = Facts(instance, self.ways)
        self.offsets = [int(one) for one in copy_offsets(instance.classes)]
        self.option = whole(plan.option)
        self.over = set(whole(plan.bound.over_margin))
        self.many: Counter[tuple[int, int]] = Counter()
        for number in range(len(instance.classes)):
            for way in self.option[self.offsets[number] : self.offsets[number + 1]]:
                self.many[number, way] += 1
        self.unplaced = sum(many for (_, way), many in self.many.items() if way < 0)
        self.used = {pair: many for pair, many in self.many.items() if pair[1] >= 0}

    def malformed(self) -> Iterator[Violation]:
        """Find options that do not exist, missing or surplus copies, and numbers that say nothing."""
        if len(self.option) != self.offsets[-1]:
            words = f"{len(self.option)} copies are answered for {self.offsets[-1]}"
            yield Violation("form", "option", words)
        elif not all(-1 <= way < len(self.ways) for way in self.option):
            yield Violation("form", "option", "an option does not exist")
        elif any(
            not 0 <= index < len(self.option) or self.option[index] < 0 for index in self.over
        ) or len(self.over) < len(self.plan.bound.over_margin):
            yield Violation("form", "over_margin", "it names something else than placed copies")
        if self.plan.solver not in SOLVERS:
            yield Violation("form", "solver", f"{self.plan.solver!r} is no solver")
        for where, words in flaws(self.instance, self.plan.bound):
            yield Violation("bound", where, words)

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

    def _domains(self, across: Domain, ways: list[int]) -> dict[str, tuple[int, int]]:
        """Return, per domain, how many copies are there and how many may be."""
        found: dict[str, tuple[int, int]] = {}
        for way in ways:
            name, most = self.facts.domain(across, self.ways[way].site)
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
        slots = [(free_s, slot) for slot, free_s in enumerate(self.facts.free(number))]
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

    def shares(self) -> Iterator[Violation]:
        """Find sites with more than their share of all copies."""
        share = self.instance.swarm.max_site_share
        if share >= 1:
            return
        most = math.floor(share * self.offsets[-1] + 1e-9)
        at: Counter[int] = Counter()
        for (_, way), many in self.used.items():
            at[self.ways[way].site] += many
        for site, many in at.items():
            if many > most:
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
        told: Counter[int] = Counter()
        for one in claimed.unplaced:
            told[one.item_class] += one.copies
        seen = Counter({number: many for (number, way), many in self.many.items() if way < 0})
        if dict(told) != dict(seen) or len(claimed.unplaced) != len(told):
            words = f"{sum(told.values())} are told of, {self.unplaced} are missing"
            yield Violation("unplaced", "unplaced", words)

    def bound(self) -> Iterator[Violation]:
        """Work out both bounds anew from the published prices."""
        claimed = self.plan.bound
        proof = Proof(self.instance, self.ways, self.facts, self.plan)
        if not _same(claimed.penalty_usd, proof.penalty_usd):
            words = (
                f"{claimed.penalty_usd} is claimed, the dearest copy makes it {proof.penalty_usd}"
            )
            yield Violation("bound", "penalty_usd", words)
        for where, most in (
            ("lower_usd", max(proof.lower_usd, 0.0)),
            ("within_rows_dual_usd", proof.within_rows_usd),
            ("within_rows_usd", max(proof.within_rows_usd, 0.0)),
        ):
            if where == "within_rows_usd" and claimed.within_rows_proof != "duality":
                continue  # claimed by the exact solver, and not checked
            usd, slack = getattr(claimed, where), ROUNDING * claimed.penalty_usd * self.offsets[-1]
            if not usd <= most + TOLERANCE * abs(most) + slack:
                words = f"{usd} is claimed, the prices prove {most}"
                yield Violation("bound", where, words)
        yield from self._gaps()

    def chances(self) -> Iterator[Violation]:
        """Find chances of items that are not complete: whatever is late, those are never done."""
        swarm, bound, done, every = self.instance.swarm, self.plan.bound, 0, 0
        for number, one in enumerate(self.instance.classes):
            begin = self.offsets[number]
            complete = sum(
                all(way >= 0 for way in self.option[at : at + one.copies])
                for at in range(begin, self.offsets[number + 1], one.copies)
            )
            done, every = done + complete, every + one.items
            if bound.class_probability[number] > complete / one.items * CERTAIN:
                words = f"{bound.class_probability[number]} is claimed, {complete} are complete"
                yield Violation("probability", one.name, words)
        needed = math.ceil(swarm.min_success_ratio * every - 1e-9)
        if done < needed and bound.probability > 0:
            words = f"{bound.probability} is claimed, {done} of {needed} items are complete"
            yield Violation("probability", "probability", words)

    def _gaps(self) -> Iterator[Violation]:
        """Find gaps that do not follow from their bounds."""
        claimed = self.plan.bound
        for where, gap, lower in (
            ("gap", claimed.gap, claimed.lower_usd),
            ("within_rows_gap", claimed.within_rows_gap, claimed.within_rows_usd),
        ):
            if lower > 0 and not _same(gap, max(0.0, claimed.objective_usd / lower - 1)):
                yield Violation("bound", where, f"{gap} does not follow from {lower}")
            if lower <= 0 and gap != (math.inf if claimed.objective_usd > lower else 0.0):
                yield Violation("bound", where, f"{gap} is claimed above a bound of {lower}")


def whole(values: Iterable[object]) -> list[int]:
    """Return whole numbers as they are.

    Raises:
        TypeError: for anything else, fractions and truth values too.
    """
    found = np.asarray(values)
    if found.size and (found.ndim != 1 or found.dtype.kind not in "iu"):
        raise TypeError(f"{found.dtype} are no whole numbers")
    return [int(one) for one in found]


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-12)
