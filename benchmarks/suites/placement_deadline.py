"""Deadlines under stragglers and a slow site: hit rate of the worst class, and what it costs.

Monte Carlo by `swarm_placement.simulate`, which shares nothing with the solver and charges transfer
and loading: log-normal durations, 2 % stragglers (3 to 8 times as long), one used site, drawn anew
in each draw, computes at half speed unannounced. Drift detection, moving of waiting copies
and backups are on, backups within 5 % extra work, on slots that nothing is planned for. Plans keep
15 % of every site free, except for copies that would find no place otherwise. An item is done when all its copies are; classes have at least 20 items.
100 draws up to 1,000 items, 40 up to 10,000, else 20. Settings were chosen on seeds 3 and 4; figures
are the worst of seeds 41 to 45. Two earlier forms (10 % margin; 15 % kept at the price of copies
without a place) were looked at on seeds 21 to 25 and 31 to 35 and changed after it.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.figures import Figure, median
from benchmarks.probes.placements import LEAST_ITEMS, Row, execute, ours
from swarm_placement.generate import Family, Recipe, generate
from swarm_placement.model import Instance, options
from swarm_placement.simulate.conditions import Conditions

TIMED = False
SEEDS = (41, 42, 43, 44, 45)
TARGET = 0.95
EXTRA_WORK = 0.05
ALL_SITES = 40  # the busiest, each slow in turn


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of instance: items, sites, family, and load."""

    items: int
    sites: int
    family: Family
    load: float

    @property
    def name(self) -> str:
        """What it is called in a table."""
        return f"{self.items:,} x {self.sites} {self.family}, load {self.load:.0%}"

    @property
    def draws(self) -> int:
        """How often its plans are executed."""
        return 100 if self.items <= 1_000 else 40 if self.items <= 10_000 else 20

    def instance(self, seed: int) -> Instance:
        """Return the instance of a seed."""
        return generate(
            Recipe(self.items, self.sites, load=self.load, family=self.family, seed=seed)
        )


QUICK = (Case(1_000, 20, "interaction", 0.5),)
CASES = (
    *QUICK,
    Case(10_000, 100, "interaction", 0.5),
    Case(10_000, 100, "interaction", 0.8),
    Case(10_000, 100, "tight", 0.5),
    Case(10_000, 100, "residency", 0.5),
    Case(10_000, 100, "redundancy", 0.5),
    Case(100_000, 200, "interaction", 0.5),
)


def run(*, quick: bool) -> list[Figure]:
    """Execute the plans of all cases and seeds."""
    seeds = SEEDS[:2] if quick else SEEDS
    figures = []
    for case in QUICK if quick else CASES:
        rows, alone, any_site = [], [], []
        for seed in seeds:
            instance = case.instance(seed)
            option = ours(instance)
            rows.append(execute(instance, option, Conditions(draws=case.draws), seed))
            alone.append(
                execute(instance, option, Conditions(draws=case.draws, hedge_share=0.0), seed)
            )
            if case.items <= 1_000:
                any_site.append(_each_site_slow(instance, option, seed))
        figures += _figures(case, rows, alone, any_site)
    return figures


def _each_site_slow(instance: Instance, option: np.ndarray, seed: int) -> float:
    """Return the hit rate of the worst class when its worst site is the slow one in every draw."""
    site = np.array([way.site for way in options(instance)])[option[option >= 0]]
    used = np.argsort(-np.bincount(site), kind="stable")[:ALL_SITES]
    hits = [
        execute(instance, option, Conditions(draws=10, slow_site=int(one)), seed)
        for one in used
        if (site == one).any()
    ]
    items = np.array([one.items for one in instance.classes])
    worst = np.min([row.outcome.class_hit for row in hits], axis=0)
    return float(worst[items >= LEAST_ITEMS].min())


def _figures(case: Case, rows: list[Row], alone: list[Row], any_site: list[float]) -> list[Figure]:
    worst = [row.worst for row in rows]
    extra = [row.outcome.extra_work for row in rows]
    peers = {"without moving and backups": min(row.worst for row in alone)}
    if any_site:
        peers["each class's worst site slow in every draw"] = min(any_site)
    note = (
        f"all items {np.mean([row.outcome.hit for row in rows]):.4f}, without a place "
        f"{max(row.unplaced for row in rows)}, moved {np.mean([row.outcome.moved for row in rows]):.0f}"
        f" of {case.items:,}, enough items in {np.mean([row.outcome.success for row in rows]):.0%} of"
        " the draws"
    )
    return [
        Figure(
            f"{case.name}: hit rate of the worst class",
            min(worst),
            "share",
            TARGET,
            "least",
            peers,
            worst,
            note,
        ),
        Figure(
            f"{case.name}: extra work of backups", max(extra), "share", EXTRA_WORK, samples=extra
        ),
        Figure(
            f"{case.name}: money spent / planned",
            median([row.outcome.usd / row.planned_usd for row in rows]),
            "ratio",
        ),
    ]
