"""Placing item classes: time from instance to plan, and how far from optimal it can be.

Instances come from the documented generator, families and loads in turn; every plan is judged by the
independent checker. Time is all of `solve`: input check, arrays, linear program, rounding, ejection
chains, decoding, bound. Large instances are solved twice: quickly (`exact_s=0`), and as `solve` does by
default, which spends time on improving a plan that is not close to its bound. The tight small ones
may use the exact solver for three seconds.
"""

import time
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from benchmarks.figures import Figure, median
from swarm_placement import Plan, check_plan, solve
from swarm_placement.generate import Family, Recipe, generate
from swarm_placement.model import Instance
from swarm_placement.solve import EXACT_S

FAMILIES: tuple[Family, ...] = ("product", "interaction", "tight", "residency", "redundancy")
LOADS = (0.25, 0.5, 0.75, 0.9, 0.98)
SEEDS = 20
TIGHT_S = 3.0
SMALL_S = 0.7
DEPTHS = {"quick": 0.0, "default": EXACT_S}
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


def answered(recipe: Recipe, instance: Instance, exact_s: float) -> Run:
    """Solve, judge."""
    began_s = time.perf_counter()
    plan = solve(instance, exact_s)
    seconds = time.perf_counter() - began_s
    found = check_plan(instance, plan)
    if found:
        raise RuntimeError(f"{recipe}: {found[0]}")
    return Run(recipe.family, recipe.load, seconds, plan)


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
    runs: dict[str, list[Run]] = {depth: [] for depth in DEPTHS}
    for recipe in recipes(100_000, 200, classes, count, LOADS):
        instance = generate(recipe)
        for depth, exact_s in DEPTHS.items():
            runs[depth].append(answered(recipe, instance, exact_s))
    what = f"100,000 items x 200 sites, {classes} classes"
    return [
        one
        for depth in DEPTHS
        for one in time_and_gap(f"{what}, {depth}", runs[depth], REACH_S[classes])
    ]


def time_and_gap(what: str, runs: list[Run], reach_s: float) -> list[Figure]:
    """Return the figures of runs at all loads."""
    seconds, gaps = [one.seconds for one in runs], [100 * one.plan.bound.gap for one in runs]
    by_load = "; ".join(
        f"load {load:g}: {median([r.seconds for r in runs if r.load == load]) * 1000:.0f} ms, "
        f"{median([100 * r.plan.bound.gap for r in runs if r.load == load]):.3f} %, "
        f"{sum(r.stranded for r in runs if r.load == load)} stranded"
        for load in LOADS
        if any(r.load == load for r in runs)
    )
    return [
        Figure(f"{what}: time, p95", _p95(seconds), "s", reach_s, samples=seconds,
               peers={"median": median(seconds)}, note=f"{len(runs)} seeds, medians by {by_load}"),
        Figure(f"{what}: proven gap, p95", _p95(gaps), "%", 0.1, samples=gaps,
               peers={"median": median(gaps)}),
    ]  # fmt: skip


def tight(count: int) -> list[Figure]:
    """Measure 1,000 items on 20 sites with 1.02 times the least capacity."""
    runs = [answered(one, generate(one), TIGHT_S) for one in recipes(1_000, 20, 50, count, (0.98,))]
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
    gaps, above, seconds = [], [], []
    for recipe in recipes(200, 8, 15, count, (0.5, 0.8, 0.9)):
        instance = generate(recipe)
        one = answered(recipe, instance, SMALL_S)
        exact = solve(instance, 60.0).bound
        best = max(exact.lower_usd, one.plan.bound.lower_usd)
        gaps.append(100 * max(0.0, one.plan.bound.objective_usd / best - 1))
        above.append(100 * (one.plan.bound.objective_usd / exact.objective_usd - 1))
        seconds.append(one.seconds)
    return [
        Figure("200 items x 8 sites: above the exact solver's bound after a minute, worst",
               max(gaps), "%", 0.3, samples=gaps,
               peers={"median": median(gaps), "above its plan, worst": max(above)}),
        Figure("200 items x 8 sites: time, worst", max(seconds), "s", 1.0, samples=seconds,
               peers={"median": median(seconds)}),
    ]  # fmt: skip


def _p95(values: list[float]) -> float:
    return float(np.quantile(values, 0.95))
