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
        ("bound", claimed(lower_usd=1.0)),
        ("bound", claimed(within_rows_usd=1.0)),
        ("bound", claimed(within_rows_dual_usd=1.0)),
        ("bound", claimed(gap=0.5)),
        ("bound", claimed(within_rows_gap=0.5)),
        ("bound", claimed(budget_price=-1.0)),
        ("bound", claimed(window_budget=-1.0)),
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


CROWDED = Instance(
    Swarm(25.0), (ItemClass("work", 9, 10.0, 0.0),), (SITES[0], SITES[1]), STORY.models
)


@pytest.mark.parametrize("share", [0.99, 0.92, 0.5])
def test_an_understated_row_proves_no_more(share: float) -> None:
    plan = solve(CROWDED)
    assert plan.bound.capacity
    small = tuple(replace(row, slot_s=row.slot_s * share) for row in plan.bound.capacity)
    more = sum(
        (row.slot_s - less.slot_s) * row.usd_per_slot_s
        for row, less in zip(plan.bound.capacity, small, strict=True)
    )
    for forged in (small, tuple(replace(row, edge_s=row.edge_s * share) for row in small)):
        usd = plan.bound.within_rows_dual_usd + more
        change = claimed(capacity=forged, within_rows_dual_usd=usd)
        assert {one.where for one in check_plan(CROWDED, change(plan))} == {"within_rows_dual_usd"}


@pytest.mark.parametrize("factor", [0.5, 1.01, 2.0])
def test_no_prices_prove_more_for_any_plan_than_the_checker_finds(factor: float) -> None:
    plan = solve(CROWDED)
    assert plan.bound.windows
    assert plan.bound.lower_usd > 0
    usd = plan.bound.lower_usd * 1.001
    windows = tuple(
        replace(one, usd_per_slot_s=one.usd_per_slot_s * factor) for one in plan.bound.windows
    )
    gap = max(0.0, plan.bound.objective_usd / usd - 1)
    forged = claimed(windows=windows, lower_usd=usd, gap=gap)(plan)
    assert [one.where for one in check_plan(CROWDED, forged)] == ["lower_usd"]


def test_the_word_of_the_exact_solver_is_not_checked_but_the_bound_for_any_plan_is() -> None:
    plan = solve(CROWDED)
    usd = plan.bound.objective_usd
    word = {"within_rows_usd": usd, "within_rows_gap": 0.0, "within_rows_proof": "branch and bound"}
    assert check_plan(CROWDED, claimed(**word)(plan)) == []
    high = claimed(lower_usd=usd * 1.1, gap=0.0)(plan)
    assert [one.where for one in check_plan(CROWDED, high)] == ["lower_usd"]
