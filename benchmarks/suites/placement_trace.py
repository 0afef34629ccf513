"""Items of a recorded trace: time to plan and gap, beside items that are generated.

    python -m benchmarks placement_trace --trace FILE.csv --columns work_s=duration

The file is the user's: none is shipped. `--columns` says where a task's duration is (`work_s`,
`work_ms`, `work_us`) or its begin and end (`start_s`, `end_s`, ...), and `data_bytes` if there is such
a column; columns are named as in the first line, or numbered from 0 where there is none. Sites, prices,
data and deadlines are generated; see `swarm_placement.trace`. Without `--trace` the items are draws
from a log-normal distribution, written and read as a trace would be.
"""

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure, median
from swarm_placement import check_plan, solve
from swarm_placement.generate import Recipe
from swarm_placement.model import Plan
from swarm_placement.trace import Trace, columns_from, instance_of, read_trace

SEEDS = (91, 92, 93)
LOADS = (0.5, 0.9)
SIZES = ((1_000, 20), (10_000, 100))
DRAWN = 20_000


def run(*, quick: bool, trace: Path | None, columns: str) -> list[Figure]:
    """Plan items of the trace in two sizes at two loads."""
    if trace is None:
        found, name = read_trace(drawn(), columns_from("work_s=duration")), "drawn"
    else:
        with trace.open(encoding="utf-8", newline="") as file:
            found, name = read_trace(file, columns_from(columns)), trace.name
    figures = []
    for items, sites in SIZES[:1] if quick else SIZES:
        for load in LOADS:
            recipe = Recipe(items, sites, load=load, family="product")
            figures += planned(f"{name}, {items:,} x {sites}, load {load:g}", found, recipe)
    return figures


def drawn() -> Iterable[str]:
    """Return the lines of a file as one would get, with heavy tails."""
    rng = np.random.default_rng(90)
    yield "duration\n"
    yield from (f"{value:.3f}\n" for value in rng.lognormal(np.log(30), 1.2, DRAWN).clip(1, 3_600))


def planned(what: str, trace: Trace, recipe: Recipe) -> list[Figure]:
    """Return time and gaps for one size and load."""
    seconds, plans = [], []
    for seed in SEEDS:
        instance = instance_of(trace, replace(recipe, seed=seed))
        began_s = time.perf_counter()
        plan: Plan = solve(instance)
        seconds.append(time.perf_counter() - began_s)
        if wrong := check_plan(instance, plan):
            raise RuntimeError(f"{what}: {wrong[0]}")
        plans.append(plan)
    lost = [float(sum(one.copies for one in plan.bound.unplaced)) for plan in plans]
    gaps = [100 * plan.bound.gap for plan in plans]
    within = [100 * plan.bound.within_rows_gap for plan in plans]
    note = f"{len(trace.work_s):,} tasks read, {trace.skipped:,} lines skipped"
    return [
        Figure(f"{what}: time to plan", median(seconds), "s", samples=seconds, note=note),
        Figure(f"{what}: gap to any plan", median(gaps), "%", samples=gaps),
        Figure(f"{what}: gap within the rows", median(within), "%", samples=within),
        Figure(f"{what}: copies without a place", max(lost), "copies", samples=lost),
    ]
