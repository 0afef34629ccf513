"""On tiny instances all plans are tried, by rules written anew here."""

import itertools
import math
from collections import defaultdict
from dataclasses import replace

import pytest

from swarm_placement import check_plan, solve
from swarm_placement.checking.facts import Facts
from swarm_placement.model import Instance, copy_offsets, options
from swarm_placement.tiny import tiny

SEEDS, FEW = range(120), 25
SOUND = 1e-9


class World:
    """What a plan of an instance costs and which plans are allowed, worked out copy by copy."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.ways = instance, options(instance)
        self.facts = Facts(instance, self.ways)
        self.classes = [
            number
            for number, one in enumerate(instance.classes)
            for _ in range(one.items * one.copies)
        ]

    def cheapest(self, penalty_usd: float, *, executed: bool = False) -> float:
        """The least objective of the plans within the rows, or else of all that begin in time when
        they are executed; of the latter none may stand in a margin, which never costs less than
        having no place."""
        allowed = self.begins_in_time if executed else self.within_rows
        choices = [
            [-1] + [way for way in range(len(self.ways)) if not self.facts.of(number, way).refused]
            for number in self.classes
        ]
        assert math.prod(map(len, choices)) < 2_000_000
        return min(
            self.objective(plan, penalty_usd)
            for plan in itertools.product(*choices)
            if self.apart(plan) and self.within_limits(plan) and allowed(plan)
        )

    def objective(self, plan: tuple[int, ...], penalty_usd: float) -> float:
        placed = [
            self.facts.of(number, way).usd
            for number, way in zip(self.classes, plan, strict=True)
            if way >= 0
        ]
        return sum(placed) + penalty_usd * (len(plan) - len(placed))

    def begins_in_time(self, plan: tuple[int, ...]) -> bool:
        """The checker's schedule: least latest start first, each on the slot that is free first."""
        for number in {self.ways[way].site for way in plan if way >= 0}:
            stretch = 1 / (1 - self.instance.sites[number].margin)
            queue = sorted(
                (self.facts.of(one, way).latest_s, index, self.facts.of(one, way).run_s, way)
                for index, (one, way) in enumerate(zip(self.classes, plan, strict=True))
                if way >= 0 and self.ways[way].site == number
            )
            slots = [(at, slot) for slot, at in enumerate(self.free(number))]
            loaded = set()
            for latest_s, _, run_s, way in queue:
                begin_s, slot = min(slots)
                if begin_s > latest_s * (1 + 1e-6) + 1e-6 * (latest_s < 1):
                    return False
                offer = self.facts.offer(self.ways[way])
                key = (slot, self.ways[way].model)
                cold_s = 0.0 if offer.warm or key in loaded else offer.cold_start_s
                loaded.add(key)
                slots[slots.index((begin_s, slot))] = (begin_s + cold_s + run_s * stretch, slot)
        return True

    def apart(self, plan: tuple[int, ...]) -> bool:
        offsets = copy_offsets(self.instance.classes)
        for number, one in enumerate(self.instance.classes):
            for item in range(one.items):
                begin = int(offsets[number]) + item * one.copies
                seen: dict[str, int] = defaultdict(int)
                for way in plan[begin : begin + one.copies]:
                    if way >= 0:
                        seen[self.domain(one.across, way)] += 1
                if any(many > self.most(one.across, name) for name, many in seen.items()):
                    return False
        return True

    def most(self, across: str, domain: str) -> int:
        nodes = {site.name: site.nodes for site in self.instance.sites}
        return nodes[domain] if across == "node" else 1

    def domain(self, across: str, way: int) -> str:
        site = self.instance.sites[self.ways[way].site]
        return {"node": site.name, "site": site.name, "region": site.region}.get(
            across, site.organisation
        )

    def within_limits(self, plan: tuple[int, ...]) -> bool:
        swarm = self.instance.swarm
        spent = self.objective(plan, 0.0)
        at = [self.ways[way].site for way in plan if way >= 0]
        share = swarm.max_site_share * len(plan)
        return (swarm.budget_usd is None or spent <= swarm.budget_usd * (1 + SOUND)) and all(
            at.count(site) <= share + SOUND for site in set(at)
        )

    def within_rows(self, plan: tuple[int, ...]) -> bool:
        """The documented capacity rows, one per latest start that any arc of the site has."""
        for site in {self.ways[way].site for way in plan if way >= 0}:
            arcs = [
                self.facts.of(number, way)
                for number in set(self.classes)
                for way, option in enumerate(self.ways)
                if option.site == site and not self.facts.of(number, way).refused
            ]
            placed = [
                self.facts.of(number, way)
                for number, way in zip(self.classes, plan, strict=True)
                if way >= 0 and self.ways[way].site == site
            ]
            stretch = 1 - self.instance.sites[site].margin
            for edge_s in {arc.latest_s for arc in arcs}:
                works = [a.run_s / stretch for a in arcs if a.latest_s <= edge_s + SOUND]
                load = sum(a.run_s for a in placed if a.latest_s <= edge_s + SOUND) / stretch
                if load > self.row(site, edge_s, min(works), max(works)) * (1 + 1e-6):
                    return False
        return True

    def row(self, site: int, edge_s: float, shortest_s: float, longest_s: float) -> float:
        models = {
            option.model: self.facts.offer(option)
            for index, option in enumerate(self.ways)
            if option.site == site
            and any(not self.facts.of(number, index).refused for number in set(self.classes))
        }
        cold_s = sum(0 if offer.warm else offer.cold_start_s for offer in models.values())
        slots, last = 0.0, shortest_s if longest_s > shortest_s * (1 + SOUND) else 0.0
        open_slots = [one for one in self.free(site) if one <= edge_s]
        for free_s in open_slots:
            time_s = max(0.0, edge_s - free_s - cold_s)
            copies = math.floor(time_s / shortest_s + SOUND)
            whole = copies * longest_s <= time_s + SOUND * longest_s
            slots += (copies + 1) * shortest_s if whole else time_s
            last = min(last, (1 - 1e-5) * shortest_s) if whole else last
        return slots + last if open_slots else 0.0

    def free(self, site: int) -> list[float]:
        here = self.instance.sites[site]
        free = [here.boot_s] * here.slots
        for one in self.instance.occupancy:
            if one.site == here.name:
                for remaining_s in one.remaining_s:
                    free.sort()
                    free[0] += remaining_s
        return free


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=pytest.mark.thorough if n >= FEW else ()) for n in SEEDS]
)
def test_the_answer_is_sound_and_no_plan_within_the_rows_is_cheaper_than_its_bound(
    seed: int,
) -> None:
    instance = tiny(seed)
    assert check_plan(instance, solve(instance, exact_s=5.0)) == [], f"seed {seed}"
    calm = replace(instance.swarm, target_probability=1e-9)  # nothing is paid for being surer
    plan = solve(replace(instance, swarm=calm), exact_s=5.0)
    best = World(instance).cheapest(plan.bound.penalty_usd)
    assert plan.bound.within_rows_usd <= best * (1 + 1e-6) + 1e-12, f"seed {seed}"
    assert plan.bound.objective_usd <= best * 1.003 + 1e-9, f"seed {seed}"


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=pytest.mark.thorough if n >= FEW else ()) for n in SEEDS]
)
def test_no_plan_that_begins_in_time_when_executed_is_below_the_bound_for_any_plan(
    seed: int,
) -> None:
    instance = tiny(seed)
    plan, quick = solve(instance, exact_s=0.5), solve(instance, exact_s=0)
    best = World(instance).cheapest(plan.bound.penalty_usd, executed=True)
    for one in (plan, quick):
        assert one.bound.lower_usd <= best * (1 + 1e-6) + 1e-12, f"seed {seed}"
        assert one.bound.objective_usd >= best * (1 - 1e-6) - 1e-12, f"seed {seed}"
