"""The checker finds every kind of thing a plan can break, and nothing in a sound plan."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from swarm_placement import check_plan, solve
from swarm_placement.model import Instance, ItemClass, Model, Needs, Offer, Plan, Site, Swarm

SITES = (
    Site(
        "a",
        2,
        1e-4,
        residency=frozenset(("eu",)),
        hardware={"gpu": 1},
        offers=(Offer("code"), Offer("clever")),
    ),
    Site("b", 2, 2e-4, residency=frozenset(("eu",)), hardware={"gpu": 1}),
    Site("c", 2, 9e-4, offers=(Offer("code", speed=0.2),)),
)
STORY = Instance(
    Swarm(50.0, max_site_share=0.6, budget_usd=1.0),
    (
        ItemClass("twice", 3, 10.0, 0.0, copies=2),
        ItemClass("eu", 2, 5.0, 0.0, needs=Needs(residency=frozenset(("eu",)))),
        ItemClass("gpu", 1, 5.0, 0.0, needs=Needs(hardware={"gpu": 1})),
        ItemClass("clever", 1, 5.0, 0.0, needs=Needs(capabilities={"reasoning": 1})),
        ItemClass("thrifty", 1, 5.0, 0.0, budget_usd=2e-3),
    ),
    SITES,
    (Model("code"), Model("clever", {"reasoning": 1})),
)  # fmt: skip
A, A_CLEVER, B, C = 0, 1, 2, 3


def moved(places: dict[int, int]) -> Callable[[Plan], Plan]:
    def change(plan: Plan) -> Plan:
        option = plan.option.copy()
        option[list(places)] = list(places.values())
        return replace(plan, option=option)

    return change


def claimed(**fields: object) -> Callable[[Plan], Plan]:
    return lambda plan: replace(plan, bound=replace(plan.bound, **fields))


def test_a_sound_plan_breaks_nothing() -> None:
    assert check_plan(STORY, solve(STORY)) == []


@pytest.mark.parametrize(
    ("kind", "plant"),
    [
        ("domain", moved({0: A, 1: A})),
        ("residency", moved({6: C})),
        ("hardware", moved({8: C})),
        ("capability", moved({9: B})),
        ("item_budget", moved({10: C})),
        ("deadline", moved({0: C, 1: A})),
        ("form", moved({0: 99})),
        ("form", lambda plan: replace(plan, option=plan.option[:-1])),
        ("unplaced", moved({10: -1})),
        ("cost", claimed(cost_usd=0.0)),
        ("cost", claimed(objective_usd=0.0)),
        ("bound", claimed(dual_lower_usd=1.0)),
        ("bound", claimed(lower_usd=1.0)),
        ("bound", claimed(gap=0.5)),
        ("bound", claimed(budget_price=-1.0)),
        ("unplaced", claimed(unplaced=())),
    ],
)
def test_a_planted_violation_is_found(kind: str, plant: Callable[[Plan], Plan]) -> None:
    slow = (
        replace(STORY, swarm=replace(STORY.swarm, deadline_s=49.0)) if kind == "deadline" else STORY
    )
    full = replace(slow, classes=(*STORY.classes, ItemClass("late", 1, 500.0)))
    plan = solve(full)
    assert check_plan(full, plan) == []
    assert kind in {one.kind for one in check_plan(full, plant(plan))}


def test_a_plan_that_overfills_a_site_is_found() -> None:
    instance = Instance(
        Swarm(25.0), (ItemClass("work", 9, 10.0, 0.0),), (SITES[0], SITES[2]), STORY.models
    )
    plan = solve(instance)
    crowded = replace(plan, option=np.zeros(9, np.int32))
    assert "capacity" in {one.kind for one in check_plan(instance, crowded)}


def test_a_site_above_its_share_is_found() -> None:
    instance = replace(STORY, classes=(ItemClass("work", 4, 5.0, 0.0),))
    plan = solve(instance)
    assert check_plan(instance, plan) == []
    crowded = replace(plan, option=np.zeros(4, np.int32))
    assert "share" in {one.kind for one in check_plan(instance, crowded)}


def test_a_plan_above_the_budget_is_found() -> None:
    instance = replace(STORY, swarm=Swarm(50.0), classes=(ItemClass("work", 4, 5.0, 0.0),))
    plan = solve(instance)
    poor = replace(instance, swarm=Swarm(50.0, budget_usd=plan.bound.cost_usd / 2))
    assert "budget" in {one.kind for one in check_plan(poor, plan)}


def test_prices_of_an_understated_row_prove_less() -> None:
    instance = Instance(
        Swarm(25.0), (ItemClass("work", 9, 10.0, 0.0),), (SITES[0], SITES[1]), STORY.models
    )
    plan = solve(instance)
    assert plan.bound.capacity
    small = tuple(replace(row, slot_s=row.slot_s / 10) for row in plan.bound.capacity)
    lower = plan.bound.lower_usd + sum(
        (row.slot_s - less.slot_s) * row.usd_per_slot_s
        for row, less in zip(plan.bound.capacity, small, strict=True)
    )
    forged = claimed(capacity=small, dual_lower_usd=lower, lower_usd=plan.bound.lower_usd)(plan)
    assert "bound" in {one.kind for one in check_plan(instance, forged)}
