"""Crowds of distinct items in which everything occurs: planned soundly, or told why not."""

from dataclasses import replace

import numpy as np
import pytest

from swarm_placement import check_plan, solve
from swarm_placement.distinct import placed, superclasses
from swarm_placement.distinct.items import items
from swarm_placement.distinct.linear import Forms
from swarm_placement.distinct.outermost import Outermost
from swarm_placement.generate import Recipe, generate
from swarm_placement.model import Instance, ItemClass, Model, Offer, Site, Spot, Swarm, options
from swarm_placement.program import arcs
from swarm_placement.tiny import tiny
from swarm_placement.validation import check


def crowd(seed: int) -> Instance:
    """Return a tiny instance with many items unlike each other in the place of its few: more copies
    than options, some that may run nowhere, and sites that are mostly too small."""
    few, rng = tiny(seed), np.random.default_rng([seed, 3])
    classes, thrifty = [], float(rng.choice([0.1, 0.9]))
    for number in range(int(rng.integers(3, 40))):
        one = few.classes[int(rng.integers(len(few.classes)))]
        due_s = None if one.deadline_s is None else one.deadline_s * float(rng.uniform(0.2, 1.5))
        more = int(rng.integers(0, 3)) if one.across == "node" else 0
        size = float(rng.lognormal(0, 0.5))
        classes.append(
            replace(
                one,
                name=f"item-{number}",
                items=1,
                work_s=one.work_s * size,
                deadline_s=due_s,
                copies=one.copies + more,
                budget_usd=float(rng.uniform(1e-3, 1e-2)) if rng.random() < thrifty else None,
            )
        )
    sites = tuple(
        replace(
            one,
            slots=one.slots * int(rng.choice([1, 3, 10])),
            nodes=one.nodes + 1,
            offers=tuple(
                replace(offer, cold_start_s=3 * offer.cold_start_s) for offer in one.offers
            ),
        )
        for one in few.sites
    )
    budget_usd = few.swarm.budget_usd and few.swarm.budget_usd * 5
    swarm = replace(few.swarm, budget_usd=budget_usd)
    return replace(few, swarm=swarm, classes=tuple(classes), sites=sites)


@pytest.mark.parametrize("seed", range(60))
def test_every_crowd_is_planned_soundly(seed: int) -> None:
    instance = crowd(seed)
    check(instance)
    plan = placed(instance, float(seed % 2))
    assert check_plan(instance, plan) == [], f"seed {seed}"
    told = sum(one.copies for one in plan.bound.unplaced)
    assert told == (plan.option < 0).sum(), f"seed {seed}"


@pytest.mark.parametrize("slots", [6, 15, 30])
@pytest.mark.parametrize("copies", [3, 4, 20])
def test_an_item_may_have_more_copies_than_there_are_options(copies: int, slots: int) -> None:
    classes = tuple(
        ItemClass(f"i{one}", 1, 3 + one * 0.001, copies=copies, across="node") for one in range(200)
    )
    sites = (Site("s", slots, 2e-4, nodes=copies - 1), Site("t", slots, 3e-4, nodes=2))
    instance = Instance(Swarm(60.0), classes, sites)
    plan = placed(instance)
    assert (plan.option >= 0).any()
    assert check_plan(instance, plan) == []


def test_items_that_are_all_too_late_are_told_so() -> None:
    classes = tuple(ItemClass(f"i{one}", 1, 20.0 + one * 0.01) for one in range(2_001))
    plan = solve(Instance(Swarm(10.0), classes, (Site("s", 9, 2e-4), Site("t", 9, 3e-4))))
    assert plan.solver == "distinct"
    assert (plan.option < 0).all()
    assert {one.reason.partition(":")[0] for one in plan.bound.unplaced} == {"deadline_s"}


def test_a_site_that_is_too_dear_for_every_item_charges_nothing() -> None:
    """The mean of the items has no budget, and so it may run where none of them may."""
    classes = tuple(
        ItemClass(f"i{one}", 1, 10.0 + one * 0.01, sigma=0.0, budget_usd=0.004) for one in range(40)
    )
    sites = (Site("s", 2, 2e-4, spot=Spot(1e-4, 0.0)), Site("dear", 1, 4.1e-4))
    instance = Instance(Swarm(30.0), classes, sites)
    plan = placed(instance)
    assert check_plan(instance, plan) == []
    assert 0 < (plan.option >= 0).sum() < 40
    assert not (plan.option == 2).any()


def test_a_model_that_nobody_can_use_is_not_waited_for() -> None:
    """Only models that some item may use take time to load, for the solver as for the checker."""
    sites = (
        Site("s", 1, 1e-4, offers=(Offer("code"), Offer("slow", 0.01, 0, 0, 15.0, warm=False))),
        Site("t", 1, 9e-4),
    )
    classes = tuple(ItemClass(f"i{one}", 1, 5.0 + one * 0.01, sigma=0.0) for one in range(12))
    instance = Instance(Swarm(31.0), classes, sites, (Model("code"), Model("slow")))
    plan = placed(instance)
    assert plan.bound.capacity
    assert check_plan(instance, plan) == []


@pytest.mark.parametrize("seed", range(30))
def test_the_extremes_are_those_of_looking_at_every_pair(seed: int) -> None:
    instance = crowd(seed) if seed % 2 else generate(Recipe(150, 10, family="distinct", seed=seed))
    order, begin = superclasses.ordered(items(instance), 20)
    forms = Forms(instance, order)
    found = Outermost(forms, order, begin, superclasses.extents(forms, order, begin))
    table = arcs.table(instance)
    site = np.array([way.site for way in options(instance)])
    assert found.used.tolist() == table.exists.any(axis=0).tolist()
    dearest_usd = table.cost_usd[table.exists].max(initial=0.0)
    assert found.dearest_usd == pytest.approx(dearest_usd, rel=1e-9)
    for here in range(len(instance.sites)):
        work_s = table.work_s[:, site == here][table.exists[:, site == here]]
        assert found.shortest_s[here] == pytest.approx(work_s.min(initial=np.inf), rel=1e-9)
        assert found.longest_s[here] == pytest.approx(work_s.max(initial=0.0), rel=1e-9)
