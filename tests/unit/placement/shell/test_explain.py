"""Why an item is where it is: choices, exclusions, what binds, what scarce things are worth."""

import json
from dataclasses import replace

import numpy as np
import pytest

from swarm_placement.errors import UsageError
from swarm_placement.generate import FAMILIES, Recipe, generate
from swarm_placement.model import ItemClass, Needs, Offer, Site, Spot, copy_offsets, options
from swarm_placement.program import arcs, bound
from swarm_placement.program.exclusion import by_option
from swarm_placement.program.problem import problem
from swarm_placement.program.relaxation import Relaxation
from swarm_placement.solve import solve
from swarm_placement.telling.explain import explain
from swarm_placement.telling.explanation import Explanation
from swarm_placement.telling.scarcity import (
    minute_later,
    minute_worth_usd,
    price_usd,
    savings,
    slot_worth_usd,
)


def excluded(explanation):
    return {one.site: one.constraint for one in explanation.excluded}


def test_a_contract_stays_in_the_eu_and_the_explanation_says_so(three_organisations):
    plan = solve(three_organisations)
    found = explain(three_organisations, plan, "contract", 3)
    (copy,) = found.copies
    assert copy.chosen.site in {"eu-west", "eu-east"}
    assert excluded(found) == {"us-hpc": "residency"}
    assert "us-hpc: residency: lacks eu" in found.text()
    assert "item 3 of 30" in found.text()


def test_choice_and_next_best_are_what_they_cost(three_organisations):
    plan = solve(three_organisations)
    found = explain(three_organisations, plan, "invoice")
    (copy,) = found.copies
    table = arcs.table(three_organisations)
    costs = {
        (three_organisations.sites[way.site].name, three_organisations.models[way.model].name): cost
        for way, cost in zip(options(three_organisations), table.cost_usd[0], strict=True)
    }
    for choice in (copy.chosen, copy.next_best):
        assert choice.cost_usd == costs[choice.site, choice.model]
        assert choice.price_usd >= choice.cost_usd
    assert copy.next_best.dearer_usd == copy.next_best.price_usd - copy.chosen.price_usd
    assert (copy.chosen.site, copy.chosen.model) != (copy.next_best.site, copy.next_best.model)


def test_copies_of_one_item_are_told_apart_and_neither_is_offered_the_others_domain(
    three_organisations,
):
    plan = solve(three_organisations)
    found = explain(three_organisations, plan, "audit", 1)
    sites = {copy.chosen.site for copy in found.copies}
    assert len(sites) == 2
    (third,) = {"us-hpc", "eu-west", "eu-east"} - sites
    for copy in found.copies:
        assert copy.next_best.site in {third, copy.chosen.site}
    assert "copy 2 of 2" in found.text()


def with_only(instance, sites=(), **asked):
    """Return the instance with one small class alone, and further sites."""
    one = ItemClass("only", items=1, work_s=10.0, **asked)
    return replace(instance, classes=(one,), sites=(*instance.sites, *sites), occupancy=())


def why(instance):
    return explain(instance, solve(instance), "only")


SLOW = Site("slow", 9, 1e-7, speed=0.1, offers=(Offer("small"),))


def test_the_seconds_missing_to_the_deadline_are_named(three_organisations):
    found = why(with_only(three_organisations, [SLOW], deadline_s=60.0))
    (late,) = found.excluded
    hop_s = float(arcs.quantile_s(np.array(100.0), np.array(0.4), 0.95))
    assert (late.site, late.constraint) == ("slow", "deadline")
    assert late.missing_s == pytest.approx(hop_s - 60.0)
    assert "deadline: 1 min 58 s missing (needs 2 min 58 s of 1 min)" in found.text()


def test_a_cheaper_site_that_would_be_late_binds_by_the_deadline(three_organisations):
    (copy,) = why(with_only(three_organisations, [SLOW], deadline_s=60.0)).copies
    assert (copy.binding, copy.binding_site) == ("deadline", "slow")
    (copy,) = why(with_only(three_organisations, [SLOW])).copies
    assert (copy.binding, copy.binding_site) == ("price", "slow")


def test_two_minutes_open_a_cheaper_site_and_are_worth_the_difference(three_organisations):
    nearly = with_only(three_organisations, [SLOW], deadline_s=150.0)
    (copy,) = why(nearly).copies
    (later,) = why(minute_later(nearly)).copies
    assert later.chosen.site == "slow"
    assert copy.minute_usd == pytest.approx(copy.chosen.cost_usd - later.chosen.cost_usd)


def test_hardware_capability_and_budget_are_told_apart(three_organisations):
    gpu = Site("gpu", 4, 1e-4, hardware={"gpu": 1.0}, offers=(Offer("small"),))
    dear = Site("dear", 4, 5e-3, hardware={"gpu": 2.0}, offers=(Offer("large"),))
    fit = Site("fit", 4, 1e-4, hardware={"gpu": 2.0}, offers=(Offer("large"),))
    needs = Needs(capabilities={"reasoning": 2.0}, hardware={"gpu": 2.0})
    found = why(with_only(three_organisations, [gpu, dear, fit], needs=needs, budget_usd=0.01))
    assert [(one.site, one.constraint) for one in found.excluded] == [
        ("us-hpc", "hardware"),
        ("eu-west", "hardware"),
        ("eu-east", "hardware"),
        ("gpu", "hardware"),
        ("gpu", "capability"),
        ("dear", "budget"),
    ]
    assert "hardware: gpu 1, needs 2" in found.text()
    assert "capability: reasoning 1 of small, needs 2" in found.text()
    assert "budget: $0.0500 a copy, at most $0.0100" in found.text()


def test_slots_that_are_always_taken_away_never_finish(three_organisations):
    hasty = Site("hasty", 4, 1e-4, offers=(Offer("small"),), spot=Spot(1e-6, 1e6))
    instance = with_only(three_organisations, [hasty])
    ways = options(instance)
    found = by_option(instance, instance.classes[0], ways, arcs.table(instance))
    spot = next(number for number, way in enumerate(ways) if way.spot)
    assert [one.constraint for one in found[spot]] == ["preemption"]
    assert [one.site for one in why(instance).excluded] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_excluded_is_what_has_no_arc(family):
    instance = generate(Recipe(items=60, sites=10, classes=20, family=family, seed=7))
    spots = tuple(
        replace(site, spot=Spot(site.usd_per_slot_s / 3, 30.0)) for site in instance.sites[:4]
    )
    instance = replace(instance, sites=(*spots, *instance.sites[4:]))
    ways = options(instance)
    for one in instance.classes:
        table = arcs.table(instance, [one])
        found = by_option(instance, one, ways, table)
        assert [not reasons for reasons in found] == table.exists[0].tolist()


def crowded(three_organisations):
    """Return the three organisations with too much to do for the cheap slots alone."""
    classes = list(three_organisations.classes)
    classes[0] = replace(classes[0], items=440)
    return replace(three_organisations, classes=tuple(classes))


def test_a_full_cheap_site_binds_by_capacity_and_a_slot_there_is_worth_something(
    three_organisations,
):
    instance = crowded(three_organisations)
    plan = solve(instance)
    sites = [option.site for option in options(instance)]
    dear = next(at for at in range(440) if sites[plan.option[at]] != 0)
    (copy,) = explain(instance, plan, "invoice", dear).copies
    assert (copy.binding, copy.binding_site) == ("capacity", "us-hpc")
    assert copy.slot_usd == pytest.approx(slot_worth_usd(instance, plan.bound)[0], rel=0.03)
    assert "one more slot at us-hpc would save" in explain(instance, plan, "invoice", dear).text()


def test_an_explanation_says_of_a_slot_what_the_summary_says():
    instance = generate(Recipe(200, 6, 8, 0.9, "interaction", 812))
    plan = solve(instance, exact_s=0)
    found = savings(instance, plan.bound)
    said = {one.site: one.usd for one in found if one.what == "slot" and not one.marginal}
    copies = [copy for one in instance.classes for copy in explain(instance, plan, one.name).copies]
    named = {one.binding_site: one.slot_usd for one in copies if one.binding_site in said}
    assert named
    for site, usd in named.items():
        assert usd == pytest.approx(said[site]), site
    # here a whole slot is worth a third of its price at the margin
    number = [site.name for site in instance.sites].index("site-005")
    assert said["site-005"] < slot_worth_usd(instance, plan.bound)[number] / 2


def test_a_shadow_price_is_called_one_where_nothing_was_solved_again():
    instance = generate(Recipe(200, 6, 8, 0.9, "interaction", 812))
    copy = explain(instance, solve(instance, exact_s=0), "class-0001", 42).copies[0]
    marginal = replace(copy, slot_usd=0.5, slot_marginal=True)
    assert "in all at the plan's shadow prices" in Explanation("a", 0, 1, (marginal,), ()).text()


def test_no_more_copies_are_promised_than_have_no_place():
    instance = generate(Recipe(200, 6, 8, 0.9, "tight", 814))
    few = tuple(replace(site, slots=max(1, site.slots * 3 // 4)) for site in instance.sites)
    instance = replace(instance, sites=few)
    plan = solve(instance, exact_s=0)
    missing = int((plan.option < 0).sum())
    found = savings(instance, plan.bound)
    assert max(one.copies for one in found) == pytest.approx(missing)
    late = plan.bound.unplaced[0].item_class
    ordinal = int(np.flatnonzero(plan.option < 0)[0]) - int(copy_offsets(instance.classes)[late])
    one = instance.classes[late]
    words = explain(instance, plan, one.name, ordinal // one.copies).text()
    assert f"one more minute on every deadline would place up to {missing} more copies" in words


def test_prices_are_the_reduced_costs_of_the_linear_program():
    for family in FAMILIES:
        instance = generate(Recipe(items=150, sites=8, classes=8, family=family, load=1.0, seed=4))
        flat = problem(instance)
        prices = Relaxation(flat).solve().prices
        plan = solve(instance, exact_s=0)
        found = price_usd(instance, plan.bound, arcs.table(instance))
        expected = bound.reduced_usd(flat, prices)
        np.testing.assert_allclose(found[flat.of_class, flat.option], expected, rtol=1e-9)


def optimum_usd(instance):
    return Relaxation(problem(instance)).solve().lower_usd


def test_one_more_slot_saves_its_price(three_organisations):
    instance = crowded(three_organisations)
    worth_usd = slot_worth_usd(instance, solve(instance).bound)[0]
    sites = (replace(instance.sites[0], slots=9), *instance.sites[1:])
    saved_usd = optimum_usd(instance) - optimum_usd(replace(instance, sites=sites))
    # the slots there are busy for a while and the new one is not
    assert worth_usd < saved_usd == pytest.approx(worth_usd, rel=0.03)


def test_a_minute_for_everybody_saves_its_price(three_organisations):
    instance = crowded(three_organisations)
    worth_usd = minute_worth_usd(instance, solve(instance).bound)
    saved_usd = optimum_usd(instance) - optimum_usd(minute_later(instance))
    assert saved_usd == pytest.approx(worth_usd, rel=1e-6)


def test_advice_names_slots_time_shares_and_money_and_never_a_hard_requirement(
    three_organisations,
):
    instance = crowded(three_organisations)
    instance = replace(instance, swarm=replace(instance.swarm, max_site_share=0.5))
    found = savings(instance, solve(instance).bound)
    assert {one.what for one in found} <= {"slot", "minute", "share", "budget"}
    assert "share" in {one.what for one in found}
    assert [one.usd for one in found] == sorted((one.usd for one in found), reverse=True)
    assert all(one.usd > 0 for one in found)


def test_an_unplaced_copy_says_which_constraint_kept_it_out(three_organisations):
    one = replace(three_organisations.classes[1], items=600)
    instance = replace(three_organisations, classes=(one,))
    plan = solve(instance)
    missing = int(np.flatnonzero(plan.option < 0)[0])
    found = explain(instance, plan, "contract", missing)
    (copy,) = found.copies
    assert copy.chosen is None
    assert copy.binding == plan.bound.unplaced[0].reason
    assert copy.slot_copies > 0
    assert "one more slot at eu-west would place up to 12 more copies" in found.text()
    assert f"unplaced: {copy.binding}" in found.text()


def test_nowhere_else_is_said(three_organisations):
    needs = Needs(residency=frozenset({"hipaa"}))
    found = why(with_only(three_organisations, needs=needs))
    assert found.copies[0].next_best is None
    assert "nowhere else is permitted" in found.text()


def test_an_explanation_is_plain_data(three_organisations):
    found = explain(three_organisations, solve(three_organisations), "audit").to_dict()
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again == found
    assert [set(copy) for copy in found["copies"]] == [
        {
            "chosen",
            "next_best",
            "binding",
            "binding_site",
            "slot_usd",
            "minute_usd",
            "over_margin",
        }
    ] * 2


def test_an_item_that_is_not_there_is_refused(three_organisations):
    plan = solve(three_organisations)
    with pytest.raises(UsageError, match="'contract'"):
        explain(three_organisations, plan, "contrakt")
    with pytest.raises(UsageError, match="from 0 to 29"):
        explain(three_organisations, plan, "contract", 30)
