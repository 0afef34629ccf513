"""Placing item classes: time from instance to plan, and how far from optimal it can be.

Instances come from the documented generator, families and loads in turn; every plan is judged by the
independent checker. Time is all of `solve`: input check, arrays, linear program, rounding, ejection
chains, decoding, bound. Large instances are solved twice: quickly (`exact_s=0`), and as `solve` does by
default, which spends time on improving a plan that is not close to its bound. The tight small ones
may use the exact solver for three seconds.

There are two gaps. That to any plan is to the bound that holds for every plan which is on time; that
within the rows is to the bound of plans within the solver's sufficient capacity rows, and says how
well the search went. Where a tight instance strands copies, an exact solver of those rows is given a
minute for comparison.
"""

import time
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from benchmarks.figures import Figure, median
from swarm_placement import Plan, check_plan, solve
from swarm_placement.generate import Family, Recipe, generate
from swarm_placement.model import Instance
from swarm_placement.placing import whole
from swarm_placement.placing.exact import improved
from swarm_placement.program.problem import problem
from swarm_placement.program.relaxation import Relaxation
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
    for items, sites in ((1_000, 20),) if quick else ((1_000, 20), (10_000, 100)):
        figures += tight(items, sites, 5 if quick else SEEDS)
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
    seconds = [one.seconds for one in runs]
    by_load = "; ".join(
        f"load {load:g}: {median([r.seconds for r in runs if r.load == load]) * 1000:.0f} ms, "
        f"{median(_gaps([r for r in runs if r.load == load])):.3f} % "
        f"({median(_within([r for r in runs if r.load == load])):.3f} % within the rows), "
        f"{sum(r.stranded for r in runs if r.load == load)} stranded"
        for load in LOADS
        if any(r.load == load for r in runs)
    )
    return [
        Figure(f"{what}: time, p95", _p95(seconds), "s", reach_s, samples=seconds,
               peers={"median": median(seconds)}, note=f"{len(runs)} seeds, medians by {by_load}"),
        *_two_gaps(what, runs, 0.1),
    ]  # fmt: skip


def _two_gaps(what: str, runs: list[Run], reach: float) -> list[Figure]:
    """Return the gap to any plan and that within the rows."""
    gaps, within = _gaps(runs), _within(runs)
    return [
        Figure(f"{what}: gap to any plan, p95", _p95(gaps), "%", reach, samples=gaps,
               peers={"median": median(gaps)}),
        Figure(f"{what}: gap within the rows, p95", _p95(within), "%", reach, samples=within,
               peers={"median": median(within)}),
    ]  # fmt: skip


def _gaps(runs: list[Run]) -> list[float]:
    return [100 * one.plan.bound.gap for one in runs]


def _within(runs: list[Run]) -> list[float]:
    return [100 * one.plan.bound.within_rows_gap for one in runs]


def tight(items: int, sites: int, count: int) -> list[Figure]:
    """Measure instances with 1.02 times the least capacity, where copies may be stranded."""
    what = f"{items:,} items x {sites} sites at load 0.98"
    asked = recipes(items, sites, 50, count, (0.98,))
    runs = [answered(one, generate(one), TIGHT_S) for one in asked]
    seconds = [one.seconds for one in runs]
    told = ", ".join(
        f"{family}: {median(_gaps([r for r in runs if r.family == family])):.2f} %, "
        f"{median(_within([r for r in runs if r.family == family])):.2f} % within the rows, "
        f"{sum(r.stranded for r in runs if r.family == family)} stranded"
        for family in FAMILIES
    )
    more = [
        float(max(0, one.stranded - exactly_stranded(generate(recipe))))
        for recipe, one in zip(asked, runs, strict=True)
        if one.stranded
    ]
    return [
        *_two_gaps(what, runs, 2.0),
        Figure(f"{what}: time, worst", max(seconds), "s", 5.0, samples=seconds, note=told),
        Figure(f"{what}: stranded copies that an exact solver places in a minute", sum(more),
               "copies", 0.0, samples=more, note=f"{len(more)} of {count} instances strand any"),
    ]  # fmt: skip


def exactly_stranded(instance: Instance) -> int:
    """Return how many copies branch and bound over the rows strands after a minute, from a quick
    plan."""
    program = Relaxation(problem(instance))
    room = whole.large(program, program.solve(), rounds=0)
    return int(improved(program.flat, room, 60.0)[0].left.sum())


def small(count: int) -> list[Figure]:
    """Compare at most 3,000 arcs with the exact solver given a minute."""
    gaps, above, seconds = [], [], []
    for recipe in recipes(200, 8, 15, count, (0.5, 0.8, 0.9)):
        instance = generate(recipe)
        one = answered(recipe, instance, SMALL_S)
        exact = solve(instance, 60.0).bound
        best = max(exact.within_rows_usd, one.plan.bound.within_rows_usd)
        gaps.append(100 * max(0.0, one.plan.bound.objective_usd / best - 1))
        above.append(100 * (one.plan.bound.objective_usd / exact.objective_usd - 1))
        seconds.append(one.seconds)
    return [
        Figure("200 items x 8 sites: above the exact solver's bound (within the rows), worst",
               max(gaps), "%", 0.3, samples=gaps,
               peers={"median": median(gaps), "above its plan, worst": max(above)}),
        Figure("200 items x 8 sites: time, worst", max(seconds), "s", 1.0, samples=seconds,
               peers={"median": median(seconds)}),
    ]  # fmt: skip


def _p95(values: list[float]) -> float:
    return float(np.quantile(values, 0.95))
