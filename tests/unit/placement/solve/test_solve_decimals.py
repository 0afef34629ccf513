"""Decimals that are equal on paper are equal here, though binary numbers tell them apart."""

from decimal import Decimal

import numpy as np
import pytest

from swarm_placement import check_plan, solve
from swarm_placement.distinct import placed
from swarm_placement.model import Instance, ItemClass, Plan, Site, Swarm
from swarm_placement.program.capacity import rows


def both(instance: Instance) -> tuple[Plan, Plan]:
    """Return the plan by classes and the one item by item."""
    return solve(instance, exact_s=0), placed(instance)


@pytest.mark.parametrize("price", ["0.0001", "0.0002", "0.00004"])
def test_a_budget_that_is_the_cost_of_a_copy_buys_it(price: str) -> None:
    for work in range(1, 31, 2):
        usd = float(Decimal(work) * Decimal(price))
        one = ItemClass("a", 2, float(work), budget_usd=usd)
        instance = Instance(Swarm(6_000.0), (one,), (Site("s", 4, float(price)),))
        for plan in both(instance):
            assert (plan.option == 0).all(), f"{work} x {price}"
            assert check_plan(instance, plan) == [], f"{work} x {price}"


def test_a_budget_that_is_less_than_the_cost_buys_nothing() -> None:
    one = ItemClass("a", 2, 12.0, budget_usd=0.0024 * (1 - 1e-6))
    instance = Instance(Swarm(6_000.0), (one,), (Site("s", 4, 2e-4),))
    assert all((plan.option < 0).all() for plan in both(instance))


def test_a_budget_of_the_swarm_that_is_the_cost_of_all_copies_buys_them() -> None:
    assert 3 * 0.0008 > 0.0024
    instance = Instance(
        Swarm(600.0, budget_usd=0.0024), (ItemClass("a", 3, 4.0, 0.0),), (Site("s", 1, 2e-4),)
    )
    for plan in both(instance):
        assert (plan.option == 0).all()
        assert check_plan(instance, plan) == []


def test_work_that_takes_all_the_time_there_is_begins_at_once() -> None:
    assert 3 * 0.1 > 0.3
    instance = Instance(
        Swarm(600.0),
        (ItemClass("a", 1, 3 * 0.1, sigma=0.0, deadline_s=0.3),),
        (Site("s", 1, 2e-4),),
    )
    for plan in both(instance):
        assert plan.option.tolist() == [0]
        assert check_plan(instance, plan) == []


def test_work_that_takes_more_than_the_time_there_is_is_not_placed() -> None:
    one = ItemClass("a", 1, 0.3 * (1 + 1e-6), sigma=0.0, deadline_s=0.3)
    instance = Instance(Swarm(600.0), (one,), (Site("s", 1, 2e-4),))
    assert all((plan.option < 0).all() for plan in both(instance))


@pytest.mark.parametrize("ratio", [1.0, 1.05])
def test_latest_starts_that_rounding_tells_apart_share_a_row(ratio: float) -> None:
    instance = Instance(Swarm(600.0), (ItemClass("a", 1, 1.0),), (Site("s", 2, 2e-4),))
    edge_s = 1.05**40  # where a row ends if rows are wide
    latest_s = np.array([3.0, 30.0, edge_s, np.nextafter(edge_s, 0), np.nextafter(edge_s, 99)])
    found = rows(instance, np.zeros(5, np.int64), latest_s, np.ones(5), np.zeros(1), ratio)
    assert found.of_arc.tolist() == [0, 2, 1, 1, 1]
    assert found.edge_s[1] == latest_s[3]
    latest_s[3] *= 1 - (1e-8 if ratio == 1 else 0.05)
    found = rows(instance, np.zeros(5, np.int64), latest_s, np.ones(5), np.zeros(1), ratio)
    assert found.of_arc.tolist() == [0, 3, 2, 1, 2]


@pytest.mark.parametrize("seed", [69, 82, 331, 376])
def test_rows_that_rounding_would_tell_apart_prove_what_they_claim(seed: int) -> None:
    rng = np.random.default_rng(seed)
    due_s = 0.1 * int(rng.integers(80, 200))
    work_s = rng.choice([4.0, 5.0, 6.0, 8.0, 10.0], 3).tolist()
    due = (due_s + work_s[0], np.nextafter(due_s + work_s[1], 99), due_s + work_s[2])
    classes = tuple(
        ItemClass(f"c{one}", int(rng.integers(1, 4)), work_s[one], 0.0, deadline_s=float(due[one]))
        for one in range(3)
    )
    instance = Instance(Swarm(100.0), classes, (Site("s", 1, 1e-4), Site("t", 1, 3e-4)))
    assert check_plan(instance, solve(instance, exact_s=0)) == []
