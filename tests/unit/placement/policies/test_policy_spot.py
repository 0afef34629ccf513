"""Spot slots are used while a preemption at the last moment still leaves time on demand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from swarm_placement.errors import UsageError
from swarm_placement.policies import SpotTerms, choose, choose_in_swarm
from swarm_placement.policies.spot import (
    expected_cost_usd,
    mean_restarting_s,
    quantile_restarting_s,
)

HOUR = SpotTerms(
    try_s=3_600.0,
    demand_s=4_000.0,
    spot_usd_per_s=0.3e-3,
    demand_usd_per_s=1e-3,
    preemptions_per_hour=0.2,
)


def executed(terms: SpotTerms, slack_s: float, rng: np.random.Generator) -> tuple[float, float]:
    """Follow `choose` at the start and after every preemption: dollars, and seconds until done."""
    now_s = usd = 0.0
    while choose(terms, slack_s - now_s).spot:
        lost_s = rng.exponential(3_600.0 / terms.preemptions_per_hour)
        held_s = min(lost_s, terms.try_s)
        now_s += held_s
        usd += held_s * terms.spot_usd_per_s
        if lost_s >= terms.try_s:
            return usd, now_s
    return usd + terms.try_s * terms.demand_usd_per_s, now_s + terms.demand_s


def test_enough_slack_means_spot_and_little_slack_means_on_demand() -> None:
    assert choose(HOUR, 10_000.0).spot
    assert not choose(HOUR, 7_599.0).spot
    assert choose(HOUR, 7_600.0).tries == 1


def test_dear_or_hopeless_spot_is_left_alone() -> None:
    assert not choose(replace(HOUR, spot_usd_per_s=1.1e-3), 1e6).spot
    assert not choose(replace(HOUR, preemptions_per_hour=40.0), 1e5).spot
    assert choose(replace(HOUR, preemptions_per_hour=0.0), 1e5).success == 1.0


def test_following_the_rule_never_misses_the_deadline_and_costs_at_most_what_it_says() -> None:
    seed, slack_s = 4, 20_000.0
    terms = replace(HOUR, preemptions_per_hour=0.5)
    rng = np.random.default_rng(seed)
    runs = np.array([executed(terms, slack_s, rng) for _ in range(20_000)])
    said = choose(terms, slack_s)
    assert runs[:, 1].max() <= slack_s, f"seed {seed}"
    assert runs[:, 0].mean() <= said.cost_usd * 1.01, f"seed {seed}"
    assert runs[:, 0].mean() == pytest.approx(said.cost_usd, rel=0.1), f"seed {seed}"
    assert said.cost_usd < terms.try_s * terms.demand_usd_per_s


def test_no_tries_cost_what_on_demand_costs() -> None:
    assert expected_cost_usd(HOUR, 0) == pytest.approx(3.6)


def test_restarting_for_ever_takes_what_simulation_says() -> None:
    seed = 9
    terms = replace(HOUR, preemptions_per_hour=1.0)
    rng = np.random.default_rng(seed)
    taken = []
    for _ in range(20_000):
        total_s, lost_s = 0.0, rng.exponential(3_600.0)
        while lost_s < terms.try_s:
            total_s, lost_s = total_s + lost_s, rng.exponential(3_600.0)
        taken.append(total_s + terms.try_s)
    assert np.mean(taken) == pytest.approx(mean_restarting_s(terms), rel=0.05), f"seed {seed}"
    assert np.mean(np.array(taken) <= quantile_restarting_s(terms, 0.95)) >= 0.95, f"seed {seed}"


@pytest.mark.parametrize("field", ["try_s", "demand_s", "spot_usd_per_s", "preemptions_per_hour"])
@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_terms_that_mean_nothing_are_refused(field: str, wrong: float) -> None:
    with pytest.raises(UsageError, match=field):
        replace(HOUR, **{field: wrong})


def test_a_swarm_takes_spot_while_all_its_losses_at_once_fit_on_demand() -> None:
    swarm = {"waiting": 19, "executing": 1, "slots": 10}
    work_s = 19.5 * HOUR.try_s / 10 + HOUR.demand_s - HOUR.try_s
    assert not choose_in_swarm(HOUR, **swarm, left_s=work_s)
    assert choose_in_swarm(HOUR, **swarm, left_s=work_s + HOUR.try_s)
    one_loss_s = HOUR.try_s / 10
    assert not choose_in_swarm(HOUR, **swarm, left_s=work_s + one_loss_s)


def test_the_last_item_of_a_swarm_keeps_its_own_way_back() -> None:
    both_s = HOUR.try_s + HOUR.demand_s
    assert not choose_in_swarm(HOUR, waiting=1, executing=0, slots=50, left_s=both_s - 1)
    assert choose_in_swarm(HOUR, waiting=1, executing=0, slots=50, left_s=both_s + 1)


def test_a_swarm_leaves_dear_spot_alone() -> None:
    often = replace(HOUR, preemptions_per_hour=5.0)
    assert not choose_in_swarm(often, waiting=1, executing=0, slots=10, left_s=1e9)


@pytest.mark.parametrize("slack_s", [math.nan, math.inf])
def test_a_slack_that_is_no_time_is_refused(slack_s: float) -> None:
    with pytest.raises(UsageError, match="slack_s"):
        choose(SpotTerms(10.0, 20.0, 1e-5, 1e-4, 1.0), slack_s)
