"""Plans of the solver and of schedulers people use, executed in the same simulated world."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, copy_offsets
from swarm_placement.simulate.baselines import (
    cheapest,
    earliest_finish,
    greedy_by_deadline,
    locality_first,
    ray_hybrid,
)
from swarm_placement.simulate.conditions import Conditions, Order
from swarm_placement.simulate.execution import Outcome, simulate
from swarm_placement.simulate.world import World, world
from swarm_placement.solve import solve

MARGIN = 0.15  # 2 % stragglers are 9 % more work than planned; the rest is for chance
Assignment = NDArray[np.int32]
LEAST_ITEMS = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One policy on one instance: planned dollars of what is placed, copies without a place, and
    what became of it."""

    planned_usd: float
    unplaced: int
    outcome: Outcome
    worst: float


def ours(instance: Instance) -> Assignment:
    """Return the solver's assignment, with a margin on every site; copies without another place
    use it, for a copy that may be late is better than one that is not executed."""
    return solve(with_margin(instance)).option


def with_margin(instance: Instance, margin: float = MARGIN) -> Instance:
    """Keep a share of the slot-seconds of all sites free."""
    sites = tuple(replace(site, margin=margin) for site in instance.sites)
    return replace(instance, sites=sites)


POLICIES: dict[str, tuple[Callable[[Instance], Assignment], tuple[Order, ...]]] = {
    "solver": (ours, ("latest start",)),
    "greedy by deadline, cost-aware": (greedy_by_deadline, ("latest start",)),
    "earliest finish, like Dask": (earliest_finish, ("arrival", "latest start")),
    "locality first": (locality_first, ("arrival", "latest start")),
    "Ray's hybrid with locality": (
        lambda instance: ray_hybrid(instance, np.random.default_rng(0)),
        ("arrival", "latest start"),
    ),
    "cheapest, queue-blind, like SkyPilot": (cheapest, ("arrival", "latest start")),
}


def execute(instance: Instance, option: Assignment, conditions: Conditions, seed: int) -> Row:
    """Return what becomes of a plan under conditions."""
    outcome = simulate(instance, option, conditions, np.random.default_rng(seed))
    items = np.array([one.items for one in instance.classes])
    return Row(
        planned_usd(world(instance), option),
        int((option < 0).sum()),
        outcome,
        outcome.worst(items, LEAST_ITEMS),
    )


def compared(instance: Instance, name: str, conditions: Conditions, seed: int) -> Row:
    """Return what becomes of a policy's plan, in the better of the orders it may be executed in:
    first come, first served, or by latest start, which is ours and granted to it."""
    policy, orders = POLICIES[name]
    option = policy(instance)
    rows = [execute(instance, option, replace(conditions, order=order), seed) for order in orders]
    return max(rows, key=lambda row: row.outcome.hit)


def planned_usd(facts: World, option: Assignment) -> float:
    """Return the mean cost of the copies that are placed."""
    offsets = copy_offsets(facts.instance.classes)
    index = np.flatnonzero(option >= 0)
    of_class = np.searchsorted(offsets, index, side="right") - 1
    return float(facts.usd[of_class, option[index]].sum())
