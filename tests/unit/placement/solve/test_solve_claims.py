"""Bounds that say more than the instance gives are refused, however they are made up."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from swarm_placement import check_plan, solve
from swarm_placement.distinct import placed
from swarm_placement.model import (
    Bound,
    CapacityPrice,
    Instance,
    ItemClass,
    Plan,
    Site,
    Spot,
    Swarm,
    Unplaced,
    WindowPrice,
)

SITES = (Site("a", 2, 1e-4), Site("b", 2, 2e-4))
CROWDED = Instance(
    Swarm(25.0), (ItemClass("long", 5, 10.0, 0.0), ItemClass("short", 5, 7.0, 0.0)), SITES
)
LIMITED = replace(CROWDED, swarm=Swarm(25.0, budget_usd=0.007, max_site_share=0.6))
ROW = CapacityPrice(0, 100.0, 1.0, 1.0, 1.0)


def as_good_as_claimed(bound: Bound, **fields: object) -> Bound:
    """Return a bound that claims no gap, by these fields."""
    usd = bound.objective_usd
    best = {"lower_usd": usd, "gap": 0.0, "within_rows_usd": usd, "within_rows_gap": 0.0}
    return replace(bound, **best, within_rows_dual_usd=usd, **fields)


@pytest.mark.parametrize(
    ("limit", "field", "price"),
    [
        ("budget_usd", "window_budget", 5.0),
        ("budget_usd", "budget_price", 5.0),
        ("max_site_share", "window_share_usd", np.full(2, 1e3)),
        ("max_site_share", "share_price_usd", np.full(2, 1e3)),
    ],
)
def test_a_limit_that_is_not_there_has_no_price(limit: str, field: str, price: object) -> None:
    plan = solve(CROWDED, exact_s=0)
    assert plan.bound.gap > 0
    forged = replace(plan, bound=as_good_as_claimed(plan.bound, **{field: price}))
    assert field in {one.where for one in check_plan(CROWDED, forged)}
    sound = solve(LIMITED, exact_s=0)
    assert check_plan(LIMITED, sound) == [], f"{limit} may have a price"


def with_row(**fields: float) -> Callable[[Bound], Bound]:
    return lambda bound: replace(bound, capacity=(*bound.capacity, replace(ROW, **fields)))


def with_window(until_s: float, usd: float, site: int = 0) -> Callable[[Bound], Bound]:
    return lambda bound: replace(bound, windows=(*bound.windows, WindowPrice(site, until_s, usd)))


NUMBERS = (
    "cost_usd", "penalty_usd", "objective_usd", "lower_usd", "within_rows_usd",
    "within_rows_dual_usd", "probability", "probability_error", "budget_price", "window_budget",
)  # fmt: skip


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", NUMBERS)
def test_no_number_of_a_bound_may_be_none(field: str, value: float) -> None:
    plan = solve(LIMITED, exact_s=0)
    forged = replace(plan, bound=replace(plan.bound, **{field: value}))
    assert field in {one.where for one in check_plan(LIMITED, forged)}


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
@pytest.mark.parametrize("field", ["share_price_usd", "window_share_usd", "class_probability"])
def test_no_number_of_a_column_may_be_none(field: str, value: float) -> None:
    plan = solve(LIMITED, exact_s=0)
    forged = replace(plan, bound=replace(plan.bound, **{field: np.array([0.0, value])}))
    assert f"{field}[1]" in {one.where for one in check_plan(LIMITED, forged)}


@pytest.mark.parametrize(
    "change",
    [
        with_row(slot_s=math.nan),
        with_row(slot_s=-1.0),
        with_row(usd_per_slot_s=math.nan),
        with_row(usd_per_slot_s=-1.0),
        with_row(edge_s=math.nan),
        with_row(below_s=math.nan),
        with_row(site=-1),
        with_row(site=2),
        with_window(math.nan, 1.0),
        with_window(math.inf, 1.0),
        with_window(1.0, math.nan),
        with_window(1.0, math.inf),
        with_window(1.0, -1.0),
        with_window(1.0, 1.0, -1),
        lambda bound: replace(bound, gap=math.nan),
        lambda bound: replace(bound, within_rows_gap=-0.5),
        lambda bound: replace(bound, probability=1.5),
        lambda bound: replace(bound, share_price_usd=np.zeros(1)),
        lambda bound: replace(bound, within_rows_proof="magic"),
    ],
)
def test_a_row_a_window_and_a_gap_are_made_of_numbers(change: Callable[[Bound], Bound]) -> None:
    plan = solve(CROWDED, exact_s=0)
    assert check_plan(CROWDED, plan) == []
    forged = replace(plan, bound=change(plan.bound))
    assert {one.kind for one in check_plan(CROWDED, forged)} == {"bound"}


def nothing_placed(plan: Plan, penalty_usd: float) -> Plan:
    """Return the plan that places nothing and calls that optimal."""
    usd = penalty_usd * plan.option.size
    bound = replace(
        plan.bound,
        cost_usd=0.0,
        penalty_usd=penalty_usd,
        objective_usd=usd,
        lower_usd=usd,
        gap=0.0,
        within_rows_usd=usd,
        within_rows_gap=0.0,
        within_rows_dual_usd=usd,
        unplaced=(Unplaced(0, 5, "no reason"), Unplaced(1, 5, "no reason")),
    )
    return replace(plan, option=np.full_like(plan.option, -1), bound=bound)


@pytest.mark.parametrize("share", [0.0, 1e-6, 0.2, 0.999, 1.001])
def test_leaving_a_copy_out_costs_what_the_instance_says(share: float) -> None:
    plan = solve(CROWDED, exact_s=0)
    forged = nothing_placed(plan, plan.bound.penalty_usd * share)
    assert "penalty_usd" in {one.where for one in check_plan(CROWDED, forged)}


@pytest.mark.parametrize("share", [0.99, 0.9, 0.5])
def test_the_rows_of_distinct_items_are_worked_out_as_well(share: float) -> None:
    for plan in (placed(CROWDED), replace(solve(CROWDED, exact_s=0), solver="distinct")):
        rows = plan.bound.capacity
        assert rows
        small = tuple(replace(row, slot_s=row.slot_s * share) for row in rows)
        more = sum(row.slot_s * (1 - share) * row.usd_per_slot_s for row in rows)
        usd = plan.bound.within_rows_dual_usd + more
        forged = replace(plan, bound=replace(plan.bound, capacity=small, within_rows_dual_usd=usd))
        assert "within_rows_dual_usd" in {one.where for one in check_plan(CROWDED, forged)}


NOTHING = Instance(Swarm(25.0), (ItemClass("long", 40, 10.0, 0.0),), SITES)


def test_items_that_are_not_complete_are_never_done() -> None:
    plan = solve(NOTHING, exact_s=0)
    assert plan.bound.unplaced
    assert plan.bound.probability == 0
    certain = replace(plan.bound, probability=1.0)
    each = replace(plan.bound, class_probability=np.ones(1))
    for bound in (certain, each):
        found = check_plan(NOTHING, replace(plan, bound=bound))
        assert {one.kind for one in found} == {"probability"}


@pytest.mark.parametrize("solver", ["", "oracle", None])
def test_a_solver_that_is_none_is_refused(solver: str) -> None:
    plan = solve(CROWDED, exact_s=0)
    assert "solver" in {one.where for one in check_plan(CROWDED, replace(plan, solver=solver))}


def test_what_is_unplaced_is_told_once() -> None:
    plan = solve(NOTHING, exact_s=0)
    [told] = plan.bound.unplaced
    for more in ((replace(told, copies=999), told), (told, Unplaced(7, 0, ""))):
        forged = replace(plan, bound=replace(plan.bound, unplaced=more))
        assert "unplaced" in {one.kind for one in check_plan(NOTHING, forged)}


@pytest.mark.parametrize(
    "option",
    [
        np.full(10, -0.5),
        np.zeros(10, bool),
        np.full((10, 1), 0),
        ["a"] * 10,
        [None] * 10,
        [10**400] * 10,
        [math.nan] * 10,
    ],
)
def test_options_that_are_no_whole_numbers_are_reported(option: object) -> None:
    plan = solve(CROWDED, exact_s=0)
    [found] = check_plan(CROWDED, replace(plan, option=option))
    assert found.kind == "form"


@pytest.mark.parametrize("rate_h", [30 * 3600 / 2555, 37 * 3600 / 2555, 53.0, 1_100.0])
def test_long_work_on_slots_that_are_taken_away_again_and_again(rate_h: float) -> None:
    site = Site("spot", 4, 1e-3, spot=Spot(1e-4, rate_h))
    instance = Instance(Swarm(40_000.0), (ItemClass("long", 3, 2_555.0),), (site,))
    plan = solve(instance, exact_s=0)
    assert check_plan(instance, plan) == []
    assert plan.bound.penalty_usd < 100
