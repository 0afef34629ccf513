"""Placing item classes: time from instance to plan, and how far from optimal it can be.

Instances come from the documented generator, families and loads in turn; every plan is judged by the
independent checker. Time is all of `solve`: input check, arrays, linear program, rounding, ejection
chains, decoding, bound. Large instances never use the exact solver; the tight small ones may use it
for four seconds.
"""

import time
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from benchmarks.figures import Figure, median
from swarm_placement import Plan, check_plan, solve
from swarm_placement.generate import Family, Recipe, generate
from swarm_placement.model import Instance

FAMILIES: tuple[Family, ...] = ("product", "interaction", "tight", "residency", "redundancy")
LOADS = (0.25, 0.5, 0.75, 0.9, 0.98)
SEEDS = 20
TIGHT_S = 4.0
REACH_S = {50: 0.15, 500: 0.4}


@dataclass(frozen=True, slots=True)
class Run:
    """One instance answered: where it is from, how long it took, what came out."""

    family: str
    load: float
    seconds: float
    plan: Plan

    @property
    def stranded(self) -> int:
        """Copies without a place."""
        return sum(one.copies for one in self.plan.bound.unplaced)


def run(*, quick: bool) -> list[Figure]:
    """Measure large, tight and small instances."""
    figures = []
    for classes in (50,) if quick else (50, 500):
        figures += large(classes, 5 if quick else SEEDS)
    figures += tight(5 if quick else SEEDS)
    figures += small(5 if quick else SEEDS)
    return figures


def answered(recipe: Recipe, exact_s: float) -> tuple[Instance, Run]:
    """Generate, solve, judge."""
    instance = generate(recipe)
    began_s = time.perf_counter()
    plan = solve(instance, exact_s)
    seconds = time.perf_counter() - began_s
    found = check_plan(instance, plan)
    if found:
        raise RuntimeError(f"{recipe}: {found[0]}")
    return instance, Run(recipe.family, recipe.load, seconds, plan)


def recipes(
    items: int, sites: int, classes: int, count: int, loads: tuple[float, ...]
) -> list[Recipe]:
    """Return recipes that meet every family with every load, as far as there are seeds."""
    pairs = cycle((family, loads[(shift + place) % len(loads)])
                  for shift in range(len(loads)) for place, family in enumerate(FAMILIES))  # fmt: skip
    return [
        Recipe(items, sites, classes, load, family, 1_000 + seed)
        for seed, (family, load) in zip(range(count), pairs, strict=False)
    ]


def large(classes: int, count: int) -> list[Figure]:
    """Measure 100,000 items on 200 sites."""
    runs = [answered(one, 0.0)[1] for one in recipes(100_000, 200, classes, count, LOADS)]
    seconds, gaps = [one.seconds for one in runs], [100 * one.plan.bound.gap for one in runs]
    what = f"100,000 items x 200 sites, {classes} classes"
    by_load = "; ".join(
        f"load {load:g}: {median([r.seconds for r in runs if r.load == load]) * 1000:.0f} ms, "
        f"{median([100 * r.plan.bound.gap for r in runs if r.load == load]):.3f} %, "
        f"{sum(r.stranded for r in runs if r.load == load)} stranded"
        for load in LOADS
        if any(r.load == load for r in runs)
    )
    return [
        Figure(f"{what}: time, p95", _p95(seconds), "s", REACH_S[classes], samples=seconds,
               peers={"median": median(seconds)}, note=f"{count} seeds, medians by {by_load}"),
        Figure(f"{what}: proven gap, p95", _p95(gaps), "%", 0.1, samples=gaps,
               peers={"median": median(gaps)}),
    ]  # fmt: skip


def tight(count: int) -> list[Figure]:
    """Measure 1,000 items on 20 sites with 1.02 times the least capacity."""
    runs = [answered(one, TIGHT_S)[1] for one in recipes(1_000, 20, 50, count, (0.98,))]
    gaps = [100 * one.plan.bound.gap for one in runs]
    seconds = [one.seconds for one in runs]
    told = ", ".join(
        f"{family}: {median([100 * r.plan.bound.gap for r in runs if r.family == family]):.2f} % "
        f"({sum(r.stranded for r in runs if r.family == family)} stranded)"
        for family in FAMILIES
    )
    return [
        Figure("1,000 items x 20 sites at load 0.98: gap, p95", _p95(gaps), "%", 2.0,
               samples=gaps, peers={"median": median(gaps)}, note=told),
        Figure("1,000 items x 20 sites at load 0.98: time, worst", max(seconds), "s", 5.0,
               samples=seconds),
    ]  # fmt: skip


def small(count: int) -> list[Figure]:
    """Compare at most 3,000 arcs with the exact solver given a minute."""
    gaps, seconds = [], []
    for recipe in recipes(200, 8, 15, count, (0.5, 0.8, 0.9)):
        instance, one = answered(recipe, 0.8)
        exact = solve(instance, 60.0).bound
        best = max(exact.lower_usd, one.plan.bound.lower_usd)
        gaps.append(100 * max(0.0, one.plan.bound.objective_usd / best - 1))
        seconds.append(one.seconds)
    return [
        Figure("200 items x 8 sites: above the exact solver's bound after a minute, worst",
               max(gaps), "%", 0.3, samples=gaps, peers={"median": median(gaps)}),
        Figure("200 items x 8 sites: time, worst", max(seconds), "s", 1.0, samples=seconds,
               peers={"median": median(seconds)}),
    ]  # fmt: skip


def _p95(values: list[float]) -> float:
    return float(np.quantile(values, 0.95))
