"""What the spot market charges and takes away, in cases one can count, and what policies make of it."""

from dataclasses import replace

import pytest

from benchmarks.probes.spot import RIVALS, ours
from swarm_placement.simulate.spot_market import Errand, Market, Moment, Way, run

ERRAND = Errand(items=40, slots=4, mean_s=600.0, sigma=0.0, deadline_s=12_000.0)
MARKET = Market(3e-4, 1e-3, preemptions_per_hour=0.0)


def always(way: Way) -> object:
    return lambda moment: way


def test_undisturbed_work_costs_its_time_at_the_price_of_its_slots() -> None:
    for way, price in (("spot", 3e-4), ("demand", 1e-3)):
        bill = run(ERRAND, MARKET, always(way), 1)  # type: ignore[arg-type]
        assert bill.usd == pytest.approx(40 * 600 * price)
        assert bill.end_s == pytest.approx(6_000.0)
        assert bill.in_time == 1.0


def test_what_is_late_is_counted() -> None:
    bill = run(replace(ERRAND, deadline_s=3_000.0), MARKET, always("demand"), 1)  # type: ignore[arg-type]
    assert bill.in_time == pytest.approx(0.5)


def test_lost_tries_are_paid_and_begin_again() -> None:
    market = replace(MARKET, preemptions_per_hour=6.0)
    bills = [run(ERRAND, market, always("spot"), seed) for seed in range(30)]  # type: ignore[arg-type]
    # exp(rate * work) - 1 over the rate, in the mean (Young 1974)
    mean_s = (2.718281828**1.0 - 1) * 600
    assert sum(one.usd for one in bills) / 30 == pytest.approx(40 * mean_s * 3e-4, rel=0.05)


def test_nothing_is_rented_while_the_market_is_dry() -> None:
    market = replace(MARKET, droughts_per_hour=4.0, drought_s=600.0)
    seen: list[Moment] = []

    def policy(moment: Moment) -> Way:
        seen.append(moment)
        return "spot"

    bill = run(ERRAND, market, policy, 3)
    assert any(not one.spot_open for one in seen)
    assert bill.end_s > 6_000.0
    assert seen[-1].lost > 0


@pytest.mark.parametrize("losses", [0.5, 2.0, 6.0])
def test_our_rule_is_nearly_always_in_time_and_cheaper_than_on_demand(losses: float) -> None:
    errand = replace(ERRAND, sigma=0.3, deadline_s=9_000.0)
    market = replace(MARKET, preemptions_per_hour=losses)
    mine = [run(errand, market, ours(errand, market), seed) for seed in range(20)]
    demand = RIVALS["on demand only"](errand, market)
    theirs = [run(errand, market, demand, seed) for seed in range(20)]
    assert sum(one.in_time for one in mine) / 20 > 0.98
    assert sum(one.usd for one in mine) < sum(one.usd for one in theirs)
