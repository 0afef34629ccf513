"""Plans for items that are all distinct, judged by the independent checker."""

from dataclasses import replace

import numpy as np
import pytest

from swarm_placement import check_plan, solve
from swarm_placement.distinct import placed, residue
from swarm_placement.generate import Family, Recipe, generate
from swarm_placement.model import Instance, ItemClass, Site, Swarm
from swarm_placement.solve import MOST_CLASSES
from swarm_placement.tiny import tiny


def individuals(recipe: Recipe) -> Instance:
    """Return the instance of a recipe with every item a class of its own size and deadline."""
    instance, rng = generate(recipe), np.random.default_rng(recipe.seed)
    found: list[ItemClass] = []
    for one in instance.classes:
        for _ in range(one.items):
            size = float(rng.lognormal(-0.045, 0.3))
            found.append(
                replace(
                    one,
                    name=f"item-{len(found)}",
                    items=1,
                    work_s=one.work_s * size,
                    data_bytes=one.data_bytes * size,
                    deadline_s=(one.deadline_s or 0.0) * float(rng.uniform(0.9, 1.25)),
                )
            )
    order = rng.permutation(len(found))
    last = max(one.deadline_s or 0.0 for one in found)
    return replace(
        instance,
        classes=tuple(found[index] for index in order),
        swarm=replace(instance.swarm, deadline_s=last),
    )


@pytest.mark.parametrize("exact_s", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(40))
def test_everything_that_can_occur_in_a_tiny_instance_is_planned_soundly(
    seed: int, exact_s: float
) -> None:
    instance = tiny(seed)
    assert check_plan(instance, placed(instance, exact_s)) == [], f"seed {seed}"


@pytest.mark.parametrize("seed", range(40))
def test_no_plan_on_time_is_below_the_bound_of_windows(seed: int) -> None:
    instance = tiny(seed)
    plan, other = placed(instance, 1.0), solve(instance)
    if not other.bound.unplaced:
        assert plan.bound.lower_usd <= other.bound.cost_usd * (1 + 1e-9), f"seed {seed}"


def test_prices_made_for_windows_prove_more_than_those_of_the_rows() -> None:
    instance = individuals(Recipe(600, 12, 10, load=0.9, family="tight", seed=4))
    rows, windows = placed(instance), placed(instance, 1.0)
    assert check_plan(instance, windows) == []
    assert windows.bound.gap < 0.5 * rows.bound.gap
    assert (rows.option == windows.option).all()


@pytest.mark.parametrize("seed", range(40))
def test_no_plan_is_cheaper_than_what_branch_and_bound_proves(seed: int) -> None:
    instance = tiny(seed)
    plan, other = placed(instance), solve(instance)
    if other.bound.unplaced or plan.bound.unplaced:
        return
    assert plan.bound.cost_usd >= other.bound.lower_usd * (1 - 1e-9), f"seed {seed}"


@pytest.mark.parametrize("family", ["product", "interaction", "residency", "redundancy", "tight"])
def test_every_family_is_placed_whole_and_close_to_its_bound(family: Family) -> None:
    instance = individuals(Recipe(400, 12, 10, load=0.5, family=family, seed=1))
    plan = placed(instance)
    assert check_plan(instance, plan) == []
    assert plan.bound.within_rows_proof == "duality"
    assert sum(one.copies for one in plan.bound.unplaced) == 0
    assert plan.bound.within_rows_gap < 0.03


def test_more_items_than_the_program_takes_are_planned_one_by_one() -> None:
    instance = individuals(Recipe(MOST_CLASSES + 1, 8, 10, load=0.6, family="product", seed=2))
    plan = solve(instance)
    assert plan.solver == "distinct"
    assert plan.bound.unplaced == ()
    assert plan.bound.within_rows_gap < 0.02
    assert plan.bound.probability > 0.95


def test_items_that_are_alike_are_still_planned_as_classes() -> None:
    one = ItemClass("", 1, work_s=2.0)
    items = tuple(replace(one, name=f"item-{index}") for index in range(MOST_CLASSES + 1))
    plan = solve(Instance(Swarm(10_000.0), items, (Site("only", 4, 1e-4),)))
    assert plan.solver == "classes"
    assert (plan.option == 0).all()


def test_the_same_items_get_the_same_plan() -> None:
    recipe = Recipe(300, 10, 10, load=0.8, family="redundancy", seed=3)
    one, other = placed(individuals(recipe)), placed(individuals(recipe))
    assert (one.option == other.option).all()
    assert one.bound.lower_usd == other.bound.lower_usd


def test_classes_with_several_items_get_a_place_for_each_of_them() -> None:
    sites = (Site("cheap", 1, 1e-4), Site("dear", 4, 1e-3), Site("third", 4, 2e-3))
    classes = (
        ItemClass("pair", 3, work_s=10.0, sigma=0.0, copies=2),
        ItemClass("single", 2, work_s=5.0, sigma=0.0),
    )
    instance = Instance(Swarm(60.0), classes, sites)
    plan = placed(instance)
    assert check_plan(instance, plan) == []
    pairs = plan.option[:6].reshape(3, 2)
    assert (pairs >= 0).all()
    assert (pairs[:, 0] != pairs[:, 1]).all()


def test_what_finds_no_place_is_told_with_its_reason() -> None:
    sites = (Site("one", 1, 1e-4),)
    slow = tuple(ItemClass(f"item-{index}", 1, 10.0, sigma=0.0) for index in range(6))
    never = ItemClass("never", 1, 500.0, sigma=0.0)
    plan = placed(Instance(Swarm(31.2), (*slow, never), sites))
    assert (plan.option >= 0).sum() == 3
    reasons = {one.item_class: one.reason for one in plan.bound.unplaced}
    assert reasons[6].startswith("deadline_s")
    assert all(reason.startswith("slots") for one, reason in reasons.items() if one != 6)
    assert plan.bound.class_probability[6] == 0.0


def test_a_site_gets_no_more_than_its_share() -> None:
    recipe = Recipe(300, 10, 10, load=0.3, family="product", seed=4)
    free = individuals(recipe)
    limited = replace(free, swarm=replace(free.swarm, max_site_share=0.15))
    plan = placed(limited)
    assert check_plan(limited, plan) == []
    assert plan.bound.unplaced == ()
    assert plan.bound.cost_usd > placed(free).bound.cost_usd


def test_a_plan_costs_no_more_than_the_budget() -> None:
    free = individuals(Recipe(300, 10, 10, load=0.3, family="product", seed=5))
    most = placed(free).bound.cost_usd * 0.8
    limited = replace(free, swarm=replace(free.swarm, budget_usd=most))
    plan = placed(limited)
    assert check_plan(limited, plan) == []
    assert 0 < plan.bound.cost_usd <= most
    assert plan.bound.unplaced


@pytest.mark.parametrize(("family", "seed"), [("tight", 3), ("residency", 2), ("redundancy", 3)])
def test_what_bids_strand_finds_a_place_when_others_make_room(
    family: Family, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = individuals(Recipe(800, 10, 20, 0.97, family, seed))
    plan = placed(instance)
    assert check_plan(instance, plan) == []
    assert plan.bound.unplaced == ()
    assert plan.bound.within_rows_gap < 0.02
    monkeypatch.setattr(residue, "ATTEMPTS", 0)
    assert placed(instance).bound.unplaced != ()


@pytest.mark.thorough
def test_many_patterns_are_learnt_from_the_items() -> None:
    instance = generate(Recipe(3_000, 30, family="distinct", load=0.5, types=1_000, seed=1))
    plan = placed(instance)
    assert check_plan(instance, plan) == []
    assert plan.bound.unplaced == ()
    assert plan.bound.within_rows_gap < 0.02
