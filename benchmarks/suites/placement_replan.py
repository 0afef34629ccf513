"""Loss of a site: time to a new plan, how many other copies move, and its gap.

100,000 items on 200 sites; each site in turn of a sample is lost from the same plan. The arrays of the
instance stand ready, as they do while a swarm runs; the time includes the new capacity, placement,
dealing to items and the bound. The checker judges every plan.
"""

import time

import numpy as np

from benchmarks.figures import Figure, median
from swarm_placement import Replanner, check_plan, solve
from swarm_placement.generate import Family, Recipe, generate

FAMILIES: tuple[Family, ...] = ("product", "interaction", "tight", "residency", "redundancy")
LOADS = (0.5, 0.75, 0.9)
EVENTS = 10


def run(*, quick: bool) -> list[Figure]:
    """Lose sites."""
    return [
        one for classes in ((50,) if quick else (50, 500)) for one in lost(classes, quick=quick)
    ]


def lost(classes: int, *, quick: bool) -> list[Figure]:
    """Measure losses with so many classes."""
    seconds, moved, gaps, within, stranded = [], [], [], [], 0
    for number, family in enumerate(FAMILIES[: 2 if quick else 5]):
        recipe = Recipe(100_000, 200, classes, LOADS[number % 3], family, 2_000 + number)
        instance = generate(recipe)
        plan, replanner = solve(instance, 0.0), Replanner(instance)
        for site in instance.sites[:: len(instance.sites) // EVENTS]:
            began_s = time.perf_counter()
            found = replanner.replan(plan, {site.name: 0})
            seconds.append(1000 * (time.perf_counter() - began_s))
            wrong = check_plan(found.instance, found.plan)
            if wrong:
                raise RuntimeError(f"{recipe}, {site.name}: {wrong[0]}")
            moved.append(100 * found.moved.size / plan.option.size)
            gaps.append(100 * found.plan.bound.gap)
            within.append(100 * found.plan.bound.within_rows_gap)
            stranded += sum(one.copies for one in found.plan.bound.unplaced)
    what = f"a site of 200 lost, {classes} classes"
    return [
        Figure(f"{what}: time, p95", float(np.quantile(seconds, 0.95)), "ms", 50.0,
               samples=seconds, peers={"median": median(seconds)}),
        Figure(f"{what}: unaffected copies that move, worst", max(moved), "%", 5.0, samples=moved),
        Figure(f"{what}: gap to any plan, p95", float(np.quantile(gaps, 0.95)), "%",
               peers={"median": median(gaps)}, samples=gaps, note=f"{stranded} copies stranded"),
        Figure(f"{what}: gap within the rows, p95", float(np.quantile(within, 0.95)), "%",
               peers={"median": median(within)}, samples=within),
    ]  # fmt: skip
