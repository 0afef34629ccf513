"""Items that are all distinct: how long a plan takes, and how far from its bound it is.

Instances are those of `swarm_placement.generate` with 50 classes, each class spread into single
items with a size (log-normal, sigma 0.3, mean 1), data and deadline (0.8 to 1.25 times) of their
own, in random order: the solver is told nothing of the classes. The family "distinct" is the
generator's own: hidden types, 50 of them or 2,000, each with requirements and a place of its data.
`load` is that of the classes or types, measured by the generator's linear program; over all items that
program is too large. Time is that of `solve`,
validation and conversion of the items included; CPU time stands beside it because other work may
share the machine. The checker judges every plan, and its bounds up to a quarter of a million pairs of item and
site; above, working them out anew takes it minutes. Copies that could not run even alone, because their own deadline is too near, are
not counted as without a place. Medians of seeds 81 to 85; settings were chosen on seeds 61 to 65.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.figures import Figure, median
from swarm_placement import check_plan, solve
from swarm_placement.distinct.items import items
from swarm_placement.generate import Family, Recipe, generate
from swarm_placement.model import Instance, ItemClass, Plan
from swarm_placement.validation import check

SEEDS = (81, 82, 83, 84, 85)
GAP = 0.02
CHECKED = 250_000
"""Items x sites up to which the bounds are worked out anew."""


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of instance, and the seconds a plan may take (None: for information)."""

    items: int
    sites: int
    family: Family
    load: float
    seconds: float | None
    types: int = 50

    @property
    def name(self) -> str:
        """What it is called in a table."""
        types = f" of {self.types:,} types" if self.family == "distinct" else ""
        return f"{self.items:,} x {self.sites}, {self.family}{types}, load {self.load:g}"

    def instance(self, seed: int) -> Instance:
        """Return the instance of a seed."""
        recipe = Recipe(self.items, self.sites, 50, self.load, self.family, seed, types=self.types)
        return generate(recipe) if self.family == "distinct" else individuals(recipe)


QUICK = (Case(10_000, 100, "product", 0.5, 5.0),)
CASES = (
    *QUICK,
    Case(10_000, 100, "interaction", 0.5, 5.0),
    Case(10_000, 100, "redundancy", 0.5, 5.0),
    Case(10_000, 100, "distinct", 0.5, 5.0),
    Case(10_000, 100, "distinct", 0.5, 5.0, types=2_000),
    Case(2_500, 20, "tight", 0.95, 5.0),
    Case(10_000, 100, "product", 0.9, 5.0),
    Case(100_000, 200, "product", 0.5, 1.0),
    Case(100_000, 200, "product", 0.8, 1.0),
)


@dataclass(frozen=True, slots=True)
class Run:
    """A plan and the seconds it took: on the clock, of the processor, to check, to convert."""

    plan: Plan
    wall_s: float
    cpu_s: float
    check_s: float
    convert_s: float


def individuals(recipe: Recipe) -> Instance:
    """Return the instance of a recipe with every item a class of its own."""
    instance, rng = generate(recipe), np.random.default_rng([recipe.seed, 1])
    owner = np.repeat(np.arange(len(instance.classes)), [one.items for one in instance.classes])
    found: list[ItemClass] = []
    for index in rng.permutation(owner):
        one, size = instance.classes[index], float(rng.lognormal(-0.045, 0.3))
        found.append(
            replace(
                one,
                name=f"item-{len(found):06d}",
                items=1,
                work_s=one.work_s * size,
                data_bytes=one.data_bytes * size,
                input_tokens=one.input_tokens * size,
                deadline_s=(one.deadline_s or 0.0) * float(rng.uniform(0.8, 1.25)),
            )
        )
    last_s = max(one.deadline_s or 0.0 for one in found)
    return replace(instance, classes=tuple(found), swarm=replace(instance.swarm, deadline_s=last_s))


def measured(instance: Instance) -> Run:
    """Solve an instance; its two first steps are measured again, alone."""
    wall, cpu = time.perf_counter(), time.process_time()
    plan = solve(instance)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    pairs = len(instance.classes) * len(instance.sites)
    wrong = check_plan(instance, plan, bounds=pairs <= CHECKED)
    if wrong:
        raise RuntimeError(f"{wrong[0]}")
    begin = time.process_time()
    check(instance)
    middle = time.process_time()
    items(instance)
    return Run(plan, wall, cpu, middle - begin, time.process_time() - middle)


def run(*, quick: bool) -> list[Figure]:
    """Plan every case with every seed."""
    figures = []
    for case in QUICK if quick else CASES:
        runs = [measured(case.instance(seed)) for seed in (SEEDS[:2] if quick else SEEDS)]
        figures += _figures(case, runs)
    return figures


def _figures(case: Case, runs: list[Run]) -> list[Figure]:
    wall = [one.wall_s for one in runs]
    gaps = [one.plan.bound.gap for one in runs]
    within = [one.plan.bound.within_rows_gap for one in runs]
    lost = [
        float(sum(gone.copies for gone in one.plan.bound.unplaced if gone.reason[:5] == "slots"))
        for one in runs
    ]
    return [
        Figure(
            f"{case.name}: time to plan",
            median(wall),
            "s",
            case.seconds,
            peers={
                "processor": median([one.cpu_s for one in runs]),
                "of which validation": median([one.check_s for one in runs]),
                "of which conversion": median([one.convert_s for one in runs]),
            },
            samples=wall,
        ),
        Figure(f"{case.name}: gap to any plan", median(gaps), "share", GAP, samples=gaps),
        Figure(f"{case.name}: gap within the rows", median(within), "share", GAP, samples=within),
        Figure(f"{case.name}: copies without a place", max(lost), "copies", 0.0, samples=lost),
    ]
