"""What a plan amounts to: usage, the list schedule, the summary and its words."""

import json
from dataclasses import replace

import numpy as np
import pytest

from swarm_placement.generate import FAMILIES, Recipe, generate
from swarm_placement.model import options
from swarm_placement.solve import solve
from swarm_placement.telling import usage as usage_module
from swarm_placement.telling.report import summary, text
from swarm_placement.telling.usage import Line, schedule, usage
from swarm_placement.telling.wording import duration, money, percent


@pytest.fixture(params=FAMILIES)
def planned(request):
    recipe = Recipe(items=150, sites=8, classes=9, family=request.param, load=0.95, seed=6)
    instance = generate(recipe)
    return instance, solve(instance)


def test_usage_adds_up_to_the_cost_of_the_plan(planned):
    instance, plan = planned
    used = usage(instance, plan)
    assert used.copies @ used.cost_usd == pytest.approx(plan.bound.cost_usd)
    assert used.copies.sum() == (plan.option >= 0).sum()
    placed = used.of_copy >= 0
    np.testing.assert_array_equal(used.option[used.of_copy[placed]], plan.option[placed])


def test_usage_is_the_same_when_classes_are_looked_at_few_at_a_time(planned, monkeypatch):
    instance, plan = planned
    whole = usage(instance, plan)
    monkeypatch.setattr(usage_module, "CELLS", 3 * len(options(instance)))
    parts = usage(instance, plan)
    for name in ("busy_s", "latest_s", "cost_usd", "option", "item_class"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


def test_a_slot_executes_one_copy_at_a_time_and_each_starts_in_time(planned):
    instance, plan = planned
    used = usage(instance, plan)
    timed = schedule(instance, used)
    assert (timed.start_s <= used.latest_s[timed.pair] + 1e-6).all()
    order = np.lexsort((timed.start_s, timed.slot, timed.site))
    same = np.diff(timed.site[order]) + np.diff(timed.slot[order]) == 0
    same &= np.diff(timed.site[order]) == 0
    assert (timed.end_s[order][:-1][same] <= timed.start_s[order][1:][same] + 1e-9).all()
    slots = np.array([site.slots for site in instance.sites])
    assert (timed.slot < slots[timed.site]).all()


def test_a_model_is_loaded_once_on_each_slot_that_needs_it():
    line = Line([0.0, 3.0], {0: 10.0, 1: 0.0})
    assert line.take(0, 1.0) == (0, 0.0, 11.0)
    assert line.take(0, 1.0) == (1, 3.0, 14.0)
    assert line.take(0, 1.0) == (0, 11.0, 12.0)
    assert line.take(1, 1.0) == (0, 12.0, 13.0)


def test_a_summary_counts_copies_money_and_slots(planned):
    instance, plan = planned
    found = json.loads(json.dumps(summary(instance, plan), allow_nan=False))
    placed = int((plan.option >= 0).sum())
    assert sum(one["copies"] for one in found["placements"]) == placed
    assert placed + sum(one["copies"] for one in found["unplaced"]) == found["copies"]
    cost = sum(one["cost_microusd"] for one in found["placements"])
    assert 0 <= cost - found["cost_microusd"] <= len(found["placements"])
    assert found["lower_bound_microusd"] <= found["objective_microusd"]
    for one in found["sites"]:
        assert 0 < one["slots_used"] <= one["slots"]
        assert one["busy_ppm"] > 0
        assert one["ends_us"] <= found["ends_us"]


def test_the_words_of_a_summary_say_what_a_person_asks_first(three_organisations):
    found = text(summary(three_organisations, solve(three_organisations)))
    assert found.startswith("240 items, 250 copies, 250 placed")
    for word in ("us-hpc", "eu-west", "cost", "bound", "probability", "done in 9 min"):
        assert word in found
    assert "unplaced" not in found


def test_unplaced_copies_are_named_and_counted_in_the_bound(three_organisations):
    one = replace(three_organisations.classes[1], items=600)
    instance = replace(three_organisations, classes=(one,))
    plan = solve(instance)
    found = text(summary(instance, plan))
    missing = plan.bound.unplaced[0]
    assert f"unplaced     {missing.copies} of contract: {missing.reason}" in found
    assert "per unplaced copy" in found
    assert "one more minute on every deadline would place" in found


def test_advice_never_offers_to_lift_residency(three_organisations):
    one = replace(three_organisations.classes[1], items=600)
    instance = replace(three_organisations, classes=(one,))
    found = summary(instance, solve(instance))
    assert {one["what"] for one in found["cheaper"]} <= {"slot", "minute", "share", "budget"}
    assert "eu" not in text(found).split("cheaper", 1)[1].replace("eu-", "")


def test_free_sites_have_no_gap_in_per_cent_and_still_a_summary(three_organisations):
    free = tuple(
        replace(
            site,
            usd_per_slot_s=0.0,
            offers=tuple(
                replace(one, usd_per_mtok_in=0.0, usd_per_mtok_out=0.0) for one in site.offers
            ),
        )
        for site in three_organisations.sites
    )
    instance = replace(three_organisations, sites=free, links=())
    found = summary(instance, solve(instance))
    assert found["cost_microusd"] == 0
    assert "cost         $0.00" in text(found)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0421, "0.0421 s"),
        (59.4, "59.4 s"),
        (60.0, "1 min"),
        (725.2, "12 min 5 s"),
        (12_000.0, "3 h 20 min"),
        (187_200.0, "2 d 4 h"),
        (-75.0, "-1 min 15 s"),
    ],
)
def test_seconds_are_said_in_two_units_at_most(seconds, words):
    assert duration(seconds) == words


def test_money_keeps_the_digits_that_count():
    assert money(1234.5) == "$1,234.50"
    assert money(0.0041234) == "$0.00412"
    assert money(0.0) == "$0.00"
    assert money(-2.5) == "-$2.50"
    assert percent(999_999) == "99.9999 %"


def test_a_margin_takes_capacity_and_no_time_of_a_copy(three_organisations):
    sites = tuple(replace(site, margin=0.4) for site in three_organisations.sites)
    kept = replace(three_organisations, sites=sites)
    plan = solve(three_organisations)
    np.testing.assert_allclose(
        usage(kept, plan).busy_s, usage(three_organisations, plan).busy_s, rtol=1e-12
    )
