"""What becomes of a plan: small worlds by hand, and what rescue may and may not do."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from swarm_placement.generate import FAMILIES, Recipe, generate
from swarm_placement.model import (
    Instance,
    ItemClass,
    Model,
    Needs,
    Occupancy,
    Offer,
    Site,
    Spot,
    Swarm,
    copy_offsets,
    options,
)
from swarm_placement.simulate.baselines import (
    cheapest,
    earliest_finish,
    greedy_by_deadline,
    locality_first,
    ray_hybrid,
)
from swarm_placement.simulate.conditions import Conditions
from swarm_placement.simulate.execution import simulate
from swarm_placement.simulate.world import world

CALM = Conditions(draws=50, stragglers=0.0, slow_factor=1.0, hedge_share=0.0)


def instance(*sites: Site, classes: tuple[ItemClass, ...], deadline_s: float = 100.0) -> Instance:
    return Instance(Swarm(deadline_s), classes, sites)


@cache
def generated(family: str) -> Instance:
    return generate(Recipe(items=200, sites=12, classes=20, load=0.6, family=family, seed=2))


def certain(name: str, items: int, work_s: float, **more: object) -> ItemClass:
    return ItemClass(name, items, work_s, sigma=1e-9, **more)  # type: ignore[arg-type]


def run(of: Instance, option: list[int], conditions: Conditions = CALM, seed: int = 0):  # type: ignore[no-untyped-def]
    return simulate(of, np.array(option, dtype=np.int32), conditions, np.random.default_rng(seed))


def test_two_slots_do_three_copies_in_two_rounds() -> None:
    one = instance(Site("a", 2, 1e-3), classes=(certain("c", 3, 40.0),), deadline_s=79.0)
    found = run(one, [0, 0, 0])
    assert found.class_hit == pytest.approx([2 / 3])
    assert found.usd == pytest.approx(3 * 40.0 * 1e-3)
    assert run(replace(one, swarm=Swarm(81.0)), [0, 0, 0]).hit == 1.0


def test_the_reserve_for_convergence_is_not_for_items() -> None:
    one = instance(Site("a", 2, 1e-3), classes=(certain("c", 3, 40.0),), deadline_s=81.0)
    late = replace(one, swarm=Swarm(81.0, reserve_s=10.0))
    assert run(late, [0, 0, 0]).class_hit == pytest.approx([2 / 3])


def test_transfer_loading_boot_and_occupancy_all_take_their_time() -> None:
    far = Site("far", 1, 1e-3, latency_s=1.0, bandwidth_bytes_per_s=1e6, egress_usd_per_gb=5.0)
    cold = Offer("code", cold_start_s=5.0, warm=False)
    here = Site("here", 1, 1e-3, offers=(cold,), bandwidth_bytes_per_s=1e9, boot_s=7.0)
    item = certain("c", 1, 10.0, data_site="far", data_bytes=3e6)
    one = replace(instance(far, here, classes=(item,)), occupancy=(Occupancy("here", (11.0,)),))
    # Boot 7, what occupies it 11, loading 5, transfer 1 + 3, computation 10.
    assert run(replace(one, swarm=Swarm(36.9)), [1]).hit == 0.0
    assert run(replace(one, swarm=Swarm(37.1)), [1]).hit == 1.0
    assert run(replace(one, swarm=Swarm(37.1)), [1]).usd == pytest.approx(19e-3 + 0.015)


def test_an_item_is_done_when_all_its_copies_are() -> None:
    sites = (Site("quick", 1, 1e-3, speed=2.0), Site("slow", 1, 1e-3, speed=0.5))
    one = instance(*sites, classes=(certain("c", 1, 30.0, copies=2),), deadline_s=50.0)
    assert run(one, [0, 1]).hit == 0.0
    assert run(replace(one, swarm=Swarm(61.0)), [0, 1]).hit == 1.0
    assert run(replace(one, swarm=Swarm(61.0)), [0, -1]).hit == 0.0


def test_least_latest_start_goes_first_and_arrival_order_does_not() -> None:
    patient, hasty = certain("patient", 1, 30.0), certain("hasty", 1, 30.0, deadline_s=35.0)
    one = instance(Site("a", 1, 1e-3), classes=(patient, hasty), deadline_s=100.0)
    assert run(one, [0, 0]).hit == 1.0
    assert run(one, [0, 0], replace(CALM, order="arrival")).class_hit == pytest.approx([1.0, 0.0])


def test_spot_slots_are_preempted_as_often_as_said() -> None:
    spot = Spot(1e-4, preemptions_per_hour=60.0)
    site = Site("a", 400, 1e-3, spot=spot)
    one = instance(site, classes=(certain("c", 400, 60.0),), deadline_s=60.5)
    found = run(one, [1] * 400)
    # One preemption a minute: a try of a minute survives with probability 1 / e.
    assert found.hit == pytest.approx(np.exp(-1.0), abs=0.02)


def test_stragglers_and_a_slow_site_are_as_frequent_as_asked() -> None:
    sites = (Site("a", 500, 1e-3), Site("b", 500, 1e-3))
    one = instance(*sites, classes=(certain("c", 1_000, 10.0),), deadline_s=15.0)
    plan = [0] * 500 + [1] * 500
    assert run(one, plan, replace(CALM, stragglers=0.1)).hit == pytest.approx(0.9, abs=0.01)
    slow = replace(CALM, slow_factor=2.0, slow_site=1)
    assert run(one, plan, slow).hit == pytest.approx(0.5)


def test_backups_save_stragglers_within_their_budget() -> None:
    sites = (Site("a", 100, 1e-3), Site("b", 100, 1e-3))
    item = ItemClass("c", 100, 10.0, sigma=0.2)
    one = instance(*sites, classes=(item,), deadline_s=30.0)
    bad = replace(CALM, stragglers=0.04)
    alone, hedged = (run(one, [0] * 100, replace(bad, hedge_share=share)) for share in (0.0, 0.05))
    assert alone.hit < 0.97 < 0.985 < hedged.hit
    assert 0.0 < hedged.extra_work <= 0.06
    assert hedged.usd > run(one, [0] * 100, bad).usd * 0.99


def test_waiting_copies_leave_a_site_that_turns_out_slow() -> None:
    sites = (Site("a", 10, 1e-3), Site("b", 100, 5e-3))
    item = ItemClass("c", 90, 10.0, sigma=0.3)
    one = instance(*sites, classes=(item,), deadline_s=130.0)
    slow = replace(CALM, slow_factor=2.0, slow_site=0)
    stays, leaves = (run(one, [0] * 90, replace(slow, hedge_share=share)) for share in (0.0, 0.05))
    assert stays.hit < 0.75
    assert leaves.hit > 0.97
    assert leaves.moved > 10


def test_nobody_is_moved_when_nothing_is_wrong() -> None:
    of = generate(Recipe(items=2_000, sites=20, classes=20, load=0.5, seed=5))
    plan = greedy_by_deadline(of)
    calm = replace(CALM, draws=10, hedge_share=0.05)
    found = simulate(of, plan, calm, np.random.default_rng(1))
    assert found.moved <= 3.0
    assert found.hit > 0.99


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_is_the_same_outcome(family: str) -> None:
    of = generated(family)
    plan = greedy_by_deadline(of)
    conditions = Conditions(draws=5)
    one, same = (simulate(of, plan, conditions, np.random.default_rng(4)) for _ in range(2))
    assert (one.class_hit == same.class_hit).all()
    assert one.extra_work == same.extra_work <= 0.05 + 1e-3


POLICIES = {
    "ray": lambda of: ray_hybrid(of, np.random.default_rng(1)),
    "locality": locality_first,
    "earliest finish": earliest_finish,
    "cheapest": cheapest,
    "greedy": greedy_by_deadline,
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_keeps_the_hard_rules(name: str, family: str) -> None:
    of = generated(family)
    plan = POLICIES[name](of)
    ways, offsets = options(of), copy_offsets(of.classes)
    assert plan.shape == (offsets[-1],)
    placed = 0
    for number, one in enumerate(of.classes):
        table = plan[offsets[number] : offsets[number + 1]].reshape(one.items, one.copies)
        for row in table[(table >= 0).any(axis=1)]:
            used = [ways[way] for way in row if way >= 0]
            placed += len(used)
            for way in used:
                site, model = of.sites[way.site], of.models[way.model]
                assert one.needs.residency <= site.residency
                assert all(site.hardware[k] >= v for k, v in one.needs.hardware.items())
                assert all(model.capabilities[k] >= v for k, v in one.needs.capabilities.items())
            assert len({of.sites[way.site].organisation for way in used}) == len(used)
    assert placed >= 0.8 * offsets[-1]


def test_each_policy_does_what_its_name_says() -> None:
    near = Site("near", 2, 3e-3, bandwidth_bytes_per_s=1e6)
    cheap = Site("cheap", 2, 1e-3, bandwidth_bytes_per_s=1e6)
    item = certain("c", 6, 10.0, data_site="near", data_bytes=1e6)
    one = instance(near, cheap, classes=(item,), deadline_s=24.0)
    assert cheapest(one).tolist() == [1] * 6
    assert locality_first(one).tolist()[:3] == [0] * 3
    assert sorted(earliest_finish(one).tolist()) == [0, 0, 0, 1, 1, 1]
    greedy = greedy_by_deadline(one, margin=0.0).tolist()
    # As many as surely start in time go to the cheap site, the rest pays for the near one.
    assert sorted(greedy) == [0, 0, 0, 1, 1, 1]


def test_needs_decide_what_is_allowed() -> None:
    sites = (
        Site("plain", 1, 1e-3),
        Site("eu", 1, 1e-3, residency=frozenset({"eu"}), hardware={"gpu": 1.0}),
        Site("able", 1, 1e-3, offers=(Offer("large"),)),
    )
    models = (Model("code"), Model("large", {"reasoning": 3.0}))
    needs = (
        Needs(),
        Needs(residency=frozenset({"eu"})),
        Needs(hardware={"gpu": 1.0}),
        Needs(capabilities={"reasoning": 2.0}),
    )
    classes = tuple(ItemClass(f"c{number}", 1, 1.0, needs=one) for number, one in enumerate(needs))
    found = world(Instance(Swarm(100.0), classes, sites, models)).allowed
    assert found.tolist() == [
        [True, True, True],
        [False, True, False],
        [False, True, False],
        [False, False, True],
    ]
