"""Solver and checker agree on every family of generated instances, and the bound is a bound."""

from dataclasses import replace

import numpy as np
import pytest

from swarm_placement import check_plan, solve
from swarm_placement.generate import FAMILIES, Family, Recipe, generate
from swarm_placement.model import Occupancy, Plan


def deadlines_met(plan: Plan) -> bool:
    return bool((plan.bound.class_probability >= 0).all() and plan.bound.probability <= 1)


THOROUGH = pytest.mark.thorough


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("load", [0.3, 0.8, 0.98])
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=THOROUGH) for n in range(1, 4))])
def test_a_plan_is_sound_and_its_bound_is_proven(family: Family, load: float, seed: int) -> None:
    instance = generate(Recipe(600, 10, 25, load, family, seed))
    plan = solve(instance, exact_s=0.2)
    told = f"{family}, load {load}, seed {seed}"
    assert check_plan(instance, plan) == [], told
    assert plan.bound.lower_usd <= plan.bound.objective_usd * (1 + 1e-9), told
    assert deadlines_met(plan), told


@pytest.mark.parametrize("seed", range(8))
def test_limits_on_money_share_and_occupied_slots_hold_together(seed: int) -> None:
    free = generate(Recipe(500, 10, 20, 0.5, FAMILIES[seed % 5], seed))
    cost = solve(free, exact_s=0).bound.cost_usd
    rng = np.random.default_rng(seed)
    limited = replace(
        free,
        swarm=replace(free.swarm, budget_usd=1.02 * cost, max_site_share=0.25),
        sites=tuple(
            replace(site, margin=0.1, boot_s=float(rng.uniform(0, 20))) for site in free.sites
        ),
        occupancy=tuple(
            Occupancy(site.name, tuple(rng.uniform(1, 60, 3).tolist())) for site in free.sites[:5]
        ),
    )
    plan = solve(limited, exact_s=0)
    assert check_plan(limited, plan) == [], f"seed {seed}"
    assert plan.bound.cost_usd <= 1.02 * cost * (1 + 1e-9), f"seed {seed}"
    assert plan.bound.budget_price >= 0, f"seed {seed}"


@pytest.mark.parametrize("seed", range(6))
def test_more_slots_never_raise_the_bound(seed: int) -> None:
    less = generate(Recipe(500, 10, 20, 0.9, "interaction", seed))
    more = replace(less, sites=tuple(replace(one, slots=one.slots + 3) for one in less.sites))
    before, after = solve(less, exact_s=0.01).bound, solve(more, exact_s=0.01).bound
    assert after.lower_usd <= before.lower_usd * (1 + 1e-6), f"seed {seed}"
    dual_usd = before.within_rows_dual_usd
    assert after.within_rows_dual_usd <= dual_usd * (1 + 1e-6), f"seed {seed}"
