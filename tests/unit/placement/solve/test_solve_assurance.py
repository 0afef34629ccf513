"""A swarm that misses its probability is planned with nearer deadlines, if that helps."""

from dataclasses import replace

import numpy as np
import pytest

from swarm_placement import check_plan, solve
from swarm_placement.chance.likelihood import at_least
from swarm_placement.generate import Recipe, generate
from swarm_placement.model import Instance, ItemClass, Site, Swarm
from swarm_placement.placing.assurance import each_probability, nearer, same_arcs
from swarm_placement.program.problem import problem

FEW = Instance(
    Swarm(50.0),
    (ItemClass("work", 20, 10.0, 0.4),),
    (Site("cheap", 5, 1e-4), Site("dear", 20, 2e-4)),
)
"""Four after each other at the cheap site meet their quantile each, and not all of them together."""


@pytest.mark.parametrize("ratio", [0.9, 0.99, 1.0])
def test_the_probability_asked_of_each_item_is_the_least_that_is_enough(ratio: float) -> None:
    instance = replace(FEW, swarm=replace(FEW.swarm, min_success_ratio=ratio))
    items = np.array([120, 80])
    asked = each_probability(instance, items)
    needed = int(np.ceil(ratio * 200 - 1e-9))
    enough, less = (at_least(items, np.full(2, each), needed) for each in (asked, asked - 1e-6))
    assert less < instance.swarm.target_probability <= enough


def test_a_plan_that_misses_its_target_is_made_surer() -> None:
    quick, sure = solve(FEW, exact_s=0), solve(FEW)
    assert quick.bound.probability < 0.95 <= sure.bound.probability
    assert sure.bound.cost_usd > quick.bound.cost_usd
    assert check_plan(FEW, sure) == []


def test_a_target_out_of_reach_changes_nothing() -> None:
    hopeless = replace(FEW, swarm=replace(FEW.swarm, deadline_s=22.0))
    quick, sure = solve(hopeless, exact_s=0), solve(hopeless)
    assert sure.bound.probability < 0.95
    assert sure.bound.cost_usd <= quick.bound.cost_usd


def test_a_plan_that_meets_its_target_needs_nothing() -> None:
    calm = replace(FEW, swarm=replace(FEW.swarm, min_success_ratio=0.5))
    assert nearer(calm, calm, problem(calm), solve(calm)) is None


@pytest.mark.parametrize("seed", range(4))
def test_what_is_planned_with_nearer_deadlines_holds_for_the_real_ones(seed: int) -> None:
    instance = generate(Recipe(400, 10, 12, 0.5, "interaction", seed))
    instance = replace(instance, swarm=replace(instance.swarm, min_success_ratio=1.0))
    plan = solve(instance)
    assert check_plan(instance, plan) == [], f"seed {seed}"


def test_copies_keep_their_arcs_where_there_are_more_of_them() -> None:
    flat = problem(FEW)
    fewer = problem(replace(FEW, sites=(replace(FEW.sites[0], boot_s=0.0), replace(
        FEW.sites[1], speed=0.1))))  # fmt: skip
    assert fewer.of_class.size < flat.of_class.size
    assert same_arcs(flat, fewer, np.array([7])).tolist() == [7, 0]
