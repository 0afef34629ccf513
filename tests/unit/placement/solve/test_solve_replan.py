"""A site is lost: what can stay stays, the rest finds another place."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from swarm_placement import Replanner, UsageError, check_plan, solve
from swarm_placement.generate import Family, Recipe, generate
from swarm_placement.model import Instance, ItemClass, Occupancy, Plan, Site, Swarm, options
from swarm_placement.replan import Replanned

SITES = tuple(Site(name, 4, price) for name, price in (("a", 1e-4), ("b", 2e-4), ("c", 3e-4)))


def site_of(instance: Instance, option: np.ndarray) -> np.ndarray:
    places = np.array([way.site for way in options(instance)])
    return np.where(option >= 0, places[option], -1)


def test_copies_of_a_lost_site_move_and_no_other() -> None:
    instance = Instance(Swarm(60.0), (ItemClass("work", 30, 10.0, 0.0),), SITES)
    plan = solve(instance)
    found = Replanner(instance).replan(plan, {"a": 0})
    before, after = site_of(instance, plan.option), site_of(instance, found.plan.option)
    assert (before == 0).any()
    assert not (after == 0).any()
    assert np.array_equal(before[before != 0], after[before != 0])
    assert found.moved.size == 0
    assert check_plan(found.instance, found.plan) == []


def test_copies_of_one_item_stay_apart() -> None:
    sites = (*SITES, Site("d", 4, 4e-4))
    instance = Instance(Swarm(80.0), (ItemClass("work", 20, 10.0, 0.0, copies=3),), sites)
    plan = solve(instance)
    lost = Replanner(instance).replan(plan, {"a": 0})
    assert check_plan(lost.instance, lost.plan) == []
    assert (lost.plan.option >= 0).all()


def test_a_site_that_keeps_some_slots_keeps_some_copies() -> None:
    instance = Instance(Swarm(60.0), (ItemClass("work", 20, 10.0, 0.0),), SITES)
    plan = solve(instance)
    found = Replanner(instance).replan(plan, {"a": 2})
    kept = (site_of(instance, found.plan.option) == 0).sum()
    assert 0 < kept < (site_of(instance, plan.option) == 0).sum()
    assert check_plan(found.instance, found.plan) == []


def test_what_nowhere_fits_is_told() -> None:
    instance = Instance(Swarm(30.0), (ItemClass("work", 20, 10.0, 0.0),), SITES)
    found = Replanner(instance).replan(solve(instance), {"a": 0, "b": 0})
    assert check_plan(found.instance, found.plan) == []
    assert sum(one.copies for one in found.plan.bound.unplaced) > 0


@pytest.mark.parametrize("slots", [{"nowhere": 0}, {"a": 5}, {"a": -1}])
def test_an_event_that_cannot_be_meant_is_refused(slots: dict[str, int]) -> None:
    instance = Instance(Swarm(30.0), (ItemClass("work", 2, 10.0, 0.0),), SITES)
    with pytest.raises(UsageError, match="cannot have"):
        Replanner(instance).replan(solve(instance), slots)


@pytest.mark.parametrize("family", ["interaction", "tight", "residency", "redundancy"])
@pytest.mark.parametrize("seed", range(3))
def test_losing_any_site_leaves_a_sound_plan_and_moves_few(family: str, seed: int) -> None:
    instance = generate(Recipe(800, 12, 20, 0.7, family, seed))
    plan, replanner = solve(instance, exact_s=0), Replanner(instance)
    for site in instance.sites[:6]:
        found = replanner.replan(plan, {site.name: 0})
        assert check_plan(found.instance, found.plan) == [], f"seed {seed}, {site.name}"
        assert found.moved.size <= 0.05 * plan.option.size, f"seed {seed}, {site.name}"


def test_events_follow_each_other() -> None:
    instance = generate(Recipe(800, 12, 20, 0.6, "interaction", 4))
    replanner, plan, gone = Replanner(instance), solve(instance, exact_s=0), {}
    for site in instance.sites[:3]:
        gone[site.name] = 0
        found = replanner.replan(plan, gone)
        assert check_plan(found.instance, found.plan) == []
        plan = replace(found.plan)


def test_copies_return_to_a_site_that_is_back_if_that_saves_what_a_move_costs() -> None:
    instance = Instance(Swarm(60.0, moves_share=1.0), (ItemClass("work", 30, 10.0, 0.0),), SITES)
    plan, replanner = solve(instance), Replanner(instance)
    lost = replanner.replan(plan, {"a": 0}).plan
    assert lost.bound.cost_usd > plan.bound.cost_usd
    kept = replanner.replan(lost, {})
    assert kept.moved.size == 0
    assert np.array_equal(kept.plan.option, lost.option)
    returned = replanner.replan(lost, {}, move_usd=0.0)
    assert returned.plan.bound.cost_usd == pytest.approx(plan.bound.cost_usd)
    assert check_plan(returned.instance, returned.plan) == []
    saved = 10.0 * (SITES[2].usd_per_slot_s - SITES[0].usd_per_slot_s)
    dear = replanner.replan(lost, {}, move_usd=saved * 1.001)
    assert dear.moved.size == 0


def test_no_more_copies_return_than_may_move() -> None:
    instance = Instance(Swarm(60.0, moves_share=0.2), (ItemClass("work", 30, 10.0, 0.0),), SITES)
    replanner = Replanner(instance)
    lost = replanner.replan(solve(instance), {"a": 0}).plan
    returned = replanner.replan(lost, {}, move_usd=0.0)
    assert 0 < returned.moved.size <= 6


@pytest.mark.parametrize("seed", range(3))
def test_no_move_saves_less_than_its_price(seed: int) -> None:
    instance = generate(Recipe(800, 12, 20, 0.6, "interaction", seed))
    replanner, plan = Replanner(instance), solve(instance, exact_s=0)
    lost = replanner.replan(plan, {instance.sites[0].name: 0}).plan
    price = 1e-4
    found = replanner.replan(lost, {}, move_usd=price)
    assert check_plan(found.instance, found.plan) == []
    saved = lost.bound.objective_usd - found.plan.bound.objective_usd
    assert saved >= price * found.moved.size - 1e-9, f"seed {seed}"


def test_what_occupied_a_lost_site_is_lost_with_it() -> None:
    busy = (Occupancy("a", (3.0, 9.0)),)
    instance = Instance(Swarm(60.0), (ItemClass("work", 20, 10.0, 0.0),), SITES, occupancy=busy)
    found = Replanner(instance).replan(solve(instance), {"a": 0})
    assert check_plan(found.instance, found.plan) == []
    assert (site_of(instance, found.plan.option) > 0).all()


def test_a_plan_without_any_arc_has_nowhere_to_go() -> None:
    instance = Instance(Swarm(60.0), (ItemClass("work", 3, 61.0),), SITES)
    found = Replanner(instance).replan(solve(instance), {"a": 0})
    assert check_plan(found.instance, found.plan) == []
    assert (found.plan.option == -1).all()


@pytest.mark.parametrize("family", ["redundancy", "residency"])
@pytest.mark.parametrize("seed", range(4))
def test_no_more_copies_move_than_may_whatever_their_number_per_item(
    family: str, seed: int
) -> None:
    instance = generate(Recipe(400, 10, 12, 0.9, family, seed))
    plan, replanner, rng = (
        solve(instance, exact_s=0),
        Replanner(instance),
        np.random.default_rng(seed),
    )
    for _ in range(4):
        slots = {one.name: 0 for one in instance.sites if rng.random() < 0.25}
        lost = [number for number, one in enumerate(instance.sites) if one.name in slots]
        found = replanner.replan(plan, slots)
        assert check_plan(found.instance, found.plan) == [], f"seed {seed}"
        stays = ~np.isin(site_of(instance, plan.option), [-1, *lost])
        stays[plan.bound.over_margin] = False
        moved = stays & (plan.option != found.plan.option)
        assert moved.sum() <= 0.05 * stays.sum(), f"seed {seed}"
        assert set(np.flatnonzero(moved)) <= set(found.moved.tolist())
        plan = found.plan


def shaken(family: Family, seed: int) -> Iterator[tuple[Instance, Plan, Replanned]]:
    """Yield what four events in a row make of a crowded instance: before, and after each of them."""
    rng = np.random.default_rng(seed)
    items, sites, classes = (int(rng.integers(*ends)) for ends in ((100, 600), (4, 14), (3, 15)))
    load = float(rng.choice([0.5, 0.8, 0.95]))
    instance = generate(Recipe(items, sites, classes, load, family, seed))
    swarm = replace(
        instance.swarm,
        moves_share=float(rng.choice([0, 0.02, 0.05, 0.05])),
        max_site_share=float(rng.choice([1, 1, 0.5])),
    )
    margins = tuple(replace(one, margin=float(rng.choice([0, 0.1]))) for one in instance.sites)
    instance = replace(instance, swarm=swarm, sites=margins)
    if rng.random() < 0.5:
        busy = tuple(
            Occupancy(one.name, tuple(rng.uniform(0, 20, max(1, one.slots // 2)).tolist()))
            for one in instance.sites[:3]
        )
        instance = replace(instance, occupancy=busy)
    plan, replanner = solve(instance, exact_s=0), Replanner(instance)
    slots: dict[str, int] = {}
    for _ in range(4):
        site, chance = instance.sites[int(rng.integers(sites))], rng.random()
        if chance < 0.4:
            slots[site.name] = 0
        elif chance < 0.7:
            slots[site.name] = int(rng.integers(0, site.slots + 1))
        elif slots:
            slots.pop(next(iter(slots)))
        price = math.inf if rng.random() < 0.5 else float(10 ** rng.uniform(-5, -2))
        found = replanner.replan(plan, dict(slots), price)
        yield instance, plan, found
        plan = found.plan


@pytest.mark.parametrize(
    ("family", "seed"),
    [("redundancy", 6110), ("product", 6001), ("tight", 6103), ("interaction", 6107)],
)
def test_no_more_of_the_unaffected_copies_move_than_may_and_each_is_named(
    family: Family, seed: int
) -> None:
    for instance, before, found in shaken(family, seed):
        assert check_plan(found.instance, found.plan) == []
        slots = np.array([one.slots for one in instance.sites])
        unchanged = slots == np.array([one.slots for one in found.instance.sites])
        site = site_of(instance, before.option)
        unaffected = (site >= 0) & unchanged[site]
        unaffected[before.bound.over_margin] = False
        elsewhere = np.flatnonzero(unaffected & (found.plan.option != before.option))
        assert set(elsewhere) <= set(found.moved)
        assert found.moved.size <= instance.swarm.moves_share * (before.option >= 0).sum()
