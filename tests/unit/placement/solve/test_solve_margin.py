"""A margin is kept free, except for copies that have no place otherwise."""

from dataclasses import replace

import numpy as np
import pytest

from swarm_placement import Replanner, check_plan, solve
from swarm_placement.forms.files import plan_to
from swarm_placement.generate import Recipe, generate
from swarm_placement.model import Instance, ItemClass, Plan, Site, Swarm, options
from swarm_placement.telling.explain import explain
from swarm_placement.telling.report import summary, text

WORK = ItemClass("work", 12, 10.0, 0.0)
CAREFUL = Site("careful", 2, 1e-4, margin=0.5)
DEAR = Site("dear", 2, 1e-3)


def asked(*sites: Site, items: int = 12, deadline_s: float = 60.0) -> Instance:
    return Instance(Swarm(deadline_s), (replace(WORK, items=items),), sites)


def answered(instance: Instance) -> Plan:
    plan = solve(instance)
    assert check_plan(instance, plan) == []
    return plan


def test_copies_without_another_place_stand_in_the_margin() -> None:
    instance = asked(CAREFUL)
    plan = answered(instance)
    assert (plan.option >= 0).all()
    assert plan.bound.unplaced == ()
    assert plan.bound.over_margin.size == 6  # three on each slot take 60 s with the margin
    assert plan.bound.objective_usd == pytest.approx(
        plan.bound.cost_usd + 6 * plan.bound.penalty_usd
    )


def test_a_dearer_place_comes_before_a_margin() -> None:
    plan = answered(asked(CAREFUL, DEAR))
    assert plan.bound.over_margin.size == 0
    assert np.bincount(plan.option).tolist() == [6, 6]


def test_what_does_not_even_fit_into_the_margin_is_unplaced() -> None:
    plan = answered(asked(CAREFUL, items=20))
    assert plan.bound.over_margin.size == 6
    assert (plan.option < 0).sum() == 8


def test_words_and_plain_data_tell_of_the_margin() -> None:
    instance = asked(CAREFUL)
    plan = answered(instance)
    found = summary(instance, plan)
    assert found["over_margin"] == [{"site": "careful", "copies": 6}]
    assert "6 copies stand in the margin of careful" in text(found)
    assert "per copy in a margin" in text(found)
    assert plan_to(instance, plan)["classes"][0]["over_margin"] == 6
    last = int(plan.bound.over_margin[-1])
    assert "in the margin of careful" in explain(instance, plan, "work", last).text()
    within = int(np.setdiff1d(np.arange(12), plan.bound.over_margin)[0])
    assert "margin" not in explain(instance, plan, "work", within).text()


@pytest.mark.parametrize(
    ("kind", "claimed"),
    [("capacity", []), ("cost", []), ("form", [99]), ("form", [-1]), ("form", [0, 0])],
)
def test_the_checker_judges_what_is_said_to_be_in_a_margin(kind: str, claimed: list[int]) -> None:
    instance = asked(CAREFUL)
    plan = answered(instance)
    bound = replace(plan.bound, over_margin=np.array(claimed, np.int64))
    assert kind in {one.kind for one in check_plan(instance, replace(plan, bound=bound))}


def test_a_margin_is_no_excuse_for_a_late_start() -> None:
    instance = asked(CAREFUL, deadline_s=60.0)
    plan = answered(instance)
    late = replace(instance, swarm=Swarm(55.0))
    assert "capacity" in {one.kind for one in check_plan(late, plan)}


def test_equal_classes_that_are_solved_as_one_keep_track_of_their_copies() -> None:
    alike = tuple(replace(WORK, name=f"item-{number}", items=1) for number in range(2_500))
    site = replace(CAREFUL, slots=500)
    instance = Instance(Swarm(60.0), alike, (site,))
    plan = answered(instance)
    assert plan.bound.over_margin.size == 1_000


@pytest.mark.parametrize("family", ["interaction", "redundancy"])
def test_a_replan_uses_margins_as_well(family: str) -> None:
    instance = generate(Recipe(600, 12, 20, 0.85, family, 3))
    sites = tuple(replace(site, margin=0.1) for site in instance.sites)
    instance = replace(instance, sites=sites)
    plan = solve(instance, exact_s=0)
    found = Replanner(instance).replan(plan, {sites[0].name: 0})
    assert check_plan(found.instance, found.plan) == []
    assert found.plan.bound.over_margin.size > 0
    assert not any(options(instance)[one].site == 0 for one in found.plan.option if one >= 0)
