"""The bound for any plan on time: what a window can hold, and what its prices prove."""

from dataclasses import replace

import numpy as np
import pytest

from swarm_placement import check_plan, solve
from swarm_placement.generate import FAMILIES, Recipe, generate
from swarm_placement.model import Instance, ItemClass, Occupancy, Offer, Site, Swarm
from swarm_placement.program import necessary
from swarm_placement.program.problem import problem
from swarm_placement.program.relaxation import Relaxation


def slot_time(
    until_s: float,
    free_s: list[float],
    latest_s: float,
    works: tuple[float, float],
    cold_s: float = 0,
) -> float:
    one = [np.array([value]) for value in (until_s, latest_s, *works)]
    return float(necessary.slot_time(one[0], np.array(free_s), *one[1:], cold_s)[0])


def test_equal_copies_are_counted_whole() -> None:
    assert slot_time(29.0, [0.0, 0.0], 19.0, (10.0, 10.0)) == pytest.approx(40.0)


def test_unequal_copies_have_all_the_time_there_is() -> None:
    assert slot_time(29.0, [0.0, 4.0], 19.0, (3.0, 10.0)) == pytest.approx(29 + 25)


def test_a_slot_free_after_the_last_start_holds_nothing() -> None:
    assert slot_time(29.0, [0.0, 19.5], 19.0, (10.0, 10.0)) == pytest.approx(20.0)


def test_loading_takes_time_unless_one_copy_is_all_there_is() -> None:
    assert slot_time(29.0, [0.0], 19.0, (3.0, 10.0), 5.0) == pytest.approx(24.0)
    assert slot_time(12.0, [0.0], 2.0, (10.0, 10.0), 5.0) == pytest.approx(10.0)


@pytest.mark.parametrize("seed", range(60))
def test_no_list_schedule_in_time_holds_more_than_a_window(seed: int) -> None:
    rng = np.random.default_rng(seed)
    free_s = (np.sort(rng.uniform(0, 20, int(rng.integers(1, 4)))) * (seed % 2)).tolist()
    cold_s = float(rng.choice([0.0, 3.0]))
    kinds = [(float(rng.uniform(0, 50)), float(rng.uniform(2, 15))) for _ in range(3)]
    slots, busy = list(free_s), []
    for latest_s, work_s in sorted(kinds):
        while min(slots) <= latest_s and rng.random() < 0.9:
            slot = int(np.argmin(slots))
            is_first = slots[slot] == free_s[slot]
            slots[slot] += work_s + (cold_s if is_first else 0.0)
            busy.append((latest_s, work_s))
    for until_s in rng.uniform(1, 70, 10).tolist():
        inside = [kind for kind in kinds if kind[0] < until_s]
        if inside:
            works = [work_s for _, work_s in inside]
            most = slot_time(until_s, free_s, max(inside)[0], (min(works), max(works)), cold_s)
            taken = sum(min(work_s, max(0.0, until_s - latest_s)) for latest_s, work_s in busy)
            assert taken <= most * (1 + 1e-9), f"seed {seed}"


@pytest.mark.parametrize("seed", range(5))
def test_charges_are_the_sum_over_windows(seed: int) -> None:
    flat = problem(generate(Recipe(300, 8, 12, 0.8, FAMILIES[seed], seed)))
    rng = np.random.default_rng(seed)
    site = np.sort(rng.choice(np.unique(flat.site), 20))
    some = necessary.Windows(site, rng.uniform(1, 200, 20), np.zeros(20))
    usd = rng.uniform(0, 1, 20)
    arc, window, busy_s = necessary.entries(flat, some)
    summed = np.bincount(arc, busy_s * usd[window], flat.site.size)
    np.testing.assert_allclose(necessary.charged(flat, some, usd), summed, atol=1e-9)


@pytest.mark.parametrize("family", FAMILIES[:5])
def test_the_program_proves_at_least_what_the_prices_of_the_rows_do(family: str) -> None:
    instance = generate(Recipe(600, 10, 25, 0.8, family, 1))
    flat = problem(instance)
    relaxed = Relaxation(flat).solve()
    quick = necessary.from_rows(instance, flat, relaxed.prices).lower_usd
    most = necessary.best(instance, flat).lower_usd
    assert 0 < quick <= most * (1 + 1e-7)
    assert most <= relaxed.lower_usd * (1 + 1e-7)


def test_a_plan_outside_of_the_rows_is_not_below_the_bound() -> None:
    sites = (Site("cheap", 2, 1e-4), Site("dear", 2, 9e-4))
    classes = (ItemClass("long", 2, 10.0, sigma=0.0), ItemClass("short", 2, 4.0, sigma=0.0))
    instance = Instance(Swarm(14.5), classes, sites)
    bound = solve(instance).bound
    everything_cheap = (2 * 10 + 2 * 4) * 1e-4
    assert bound.lower_usd == pytest.approx(everything_cheap)
    assert bound.within_rows_usd >= bound.lower_usd


def test_boot_occupancy_cold_models_and_margins_keep_the_bound_sound() -> None:
    sites = (
        Site(
            "a",
            2,
            1e-4,
            boot_s=3.0,
            margin=0.2,
            offers=(Offer("code", cold_start_s=2.0, warm=False),),
        ),
        Site("b", 3, 5e-4),
    )
    instance = Instance(
        Swarm(60.0),
        (ItemClass("one", 9, 7.0, 0.2), ItemClass("two", 6, 4.0, 0.0, deadline_s=40.0)),
        sites,
        occupancy=(Occupancy("a", (9.0, 2.0)),),
    )
    for exact_s in (0.0, 1.0):
        plan = solve(instance, exact_s)
        assert check_plan(instance, plan) == []
        assert 0 < plan.bound.lower_usd <= plan.bound.objective_usd
    dear = replace(instance, sites=(replace(sites[0], slots=1), sites[1]))
    assert solve(dear).bound.lower_usd >= solve(instance).bound.lower_usd * (1 - 1e-7)
