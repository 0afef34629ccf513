"""The probability of a plan, against closed forms and against an independent simulation."""

from dataclasses import replace

import numpy as np
import pytest

from swarm_placement import solve
from swarm_placement.chance.approximated import approximated
from swarm_placement.chance.likelihood import Chance, at_least, few_failures
from swarm_placement.chance.lots import of_arcs
from swarm_placement.chance.sampled import draws, sampled
from swarm_placement.generate import Recipe, generate
from swarm_placement.model import (
    Instance,
    ItemClass,
    Model,
    Occupancy,
    Offer,
    Plan,
    Site,
    Spot,
    Swarm,
)
from swarm_placement.program.arcs import quantile_s, sigma_of, spot_hop_s
from swarm_placement.program.problem import problem
from swarm_placement.simulate.conditions import Conditions
from swarm_placement.simulate.execution import Outcome, simulate


def test_a_copy_that_starts_at_once_meets_its_quantile_with_that_probability() -> None:
    deadline_s = float(quantile_s(np.array(10.0), np.array(0.5), 0.95))
    instance = Instance(
        Swarm(deadline_s * (1 + 1e-9)), (ItemClass("w", 1, 10.0, 0.5),), (Site("a", 1, 1e-4),)
    )
    assert solve(instance).bound.class_probability == pytest.approx([0.95], abs=1e-6)


def test_two_copies_of_an_item_must_both_be_done() -> None:
    deadline_s = float(quantile_s(np.array(10.0), np.array(0.5), 0.95)) * (1 + 1e-9)
    sites = (Site("a", 1, 1e-4), Site("b", 1, 1e-4))
    instance = Instance(Swarm(deadline_s), (ItemClass("w", 1, 10.0, 0.5, copies=2),), sites)
    assert solve(instance).bound.class_probability == pytest.approx([0.95**2], abs=1e-6)


def test_sigma_is_recovered_from_mean_and_quantile() -> None:
    sigma = np.array([0.01, 0.3, 0.9])
    quantile = quantile_s(np.ones(3), sigma, 0.95)
    assert sigma_of(np.ones(3), quantile, 0.95) == pytest.approx(sigma)


@pytest.mark.parametrize(
    ("seed", "per_item", "ratio"), [(1, 0.9, 0.8), (2, 0.99, 0.97), (3, 0.5, 0.5)]
)
def test_the_swarm_succeeds_as_often_as_chance_says(
    seed: int, per_item: float, ratio: float
) -> None:
    items, done = np.array([60, 40]), np.array([per_item, per_item / 2 + 0.5])
    rng = np.random.default_rng(seed)
    needed = int(np.ceil(ratio * 100 - 1e-9))
    seen = float((rng.binomial(items, done, (200_000, 2)).sum(axis=1) >= needed).mean())
    assert at_least(items, done, needed) == pytest.approx(seen, abs=0.02), f"seed {seed}"


def test_a_ratio_of_one_needs_every_item() -> None:
    assert at_least(np.array([3]), np.array([0.9]), 3) == pytest.approx(0.9**3)


@pytest.mark.parametrize("seed", range(5))
def test_a_spot_copy_ends_within_its_hop_as_often_as_promised(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mean_s, sigma, fixed_s = 20.0, 0.4, 2.0
    rate = float(rng.uniform(0, 0.03))
    hop_s = float(
        spot_hop_s(*(np.array([value]) for value in (fixed_s, mean_s, sigma, rate)), 0.95)[0]
    )
    ends = []
    for _ in range(4_000):
        end_s = 0.0
        while True:
            needs_s = fixed_s + mean_s * np.exp(sigma * rng.standard_normal() - sigma * sigma / 2)
            cut_s = rng.exponential(1 / rate) if rate else np.inf
            end_s += min(needs_s, cut_s)
            if cut_s >= needs_s or end_s > hop_s:
                break
        ends.append(end_s)
    assert float((np.array(ends) <= hop_s).mean()) >= 0.94, f"seed {seed}"


CALM = Conditions(draws=600, stragglers=0.0, slow_factor=1.0, hedge_share=0.0)
QUEUES = [
    (1, 10, 0.4, 130, 1.0, 2),  # one slow copy makes all later ones late
    (1, 20, 0.8, 250, 0.9, 1),
    (4, 32, 0.4, 90, 1.0, 2),
    (2, 100, 0.6, 520, 0.95, 1),
    (1, 50, 0.6, 540, 1.0, 2),
    (64, 128, 0.4, 30, 1.0, 1),
    (4, 3_000, 0.5, 7_520, 0.995, 1),  # too many to be executed; late is what comes last
]
"""Slots, items a site, sigma, deadline, ratio, sites; items take ten seconds on average."""


def queue_of(
    slots: int, items: int, sigma: float, deadline_s: float, ratio: float, sites: int
) -> Instance:
    return Instance(
        Swarm(deadline_s, min_success_ratio=ratio),
        (ItemClass("work", items * sites, 10.0, sigma),),
        tuple(Site(f"site-{number}", slots, 1e-4) for number in range(sites)),
    )


def seen(instance: Instance, plan: Plan, seed: int = 5) -> Outcome:
    return simulate(instance, plan.option, CALM, np.random.default_rng(seed))


def is_close(said: Chance, outcome: Outcome) -> bool:
    """Within 3.3 standard errors of the two together."""
    share = min(max(outcome.success, 1 / CALM.draws), 1 - 1 / CALM.draws)
    error = np.hypot(said.error, np.sqrt(share * (1 - share) / CALM.draws))
    return bool(abs(said.swarm - outcome.success) <= 3.3 * error)


@pytest.mark.parametrize("case", QUEUES)
def test_queues_are_as_sure_as_they_are_said_to_be(case: tuple[int, ...]) -> None:
    instance = queue_of(*case)
    plan = solve(instance, exact_s=0)
    outcome, bound = seen(instance, plan), plan.bound
    said = Chance(bound.class_probability, bound.probability, bound.probability_error)
    assert is_close(said, outcome), (said.swarm, said.error, outcome.success)
    assert bound.class_probability == pytest.approx(outcome.class_hit, abs=0.015)


@pytest.mark.parametrize("family", ["product", "interaction", "tight", "redundancy"])
@pytest.mark.parametrize("ratio", [1.0, 0.97])
def test_both_ways_agree_with_executed_plans(family: str, ratio: float) -> None:
    instance = generate(Recipe(400, 10, 8, 0.9, family, 3))  # type: ignore[arg-type]
    instance = replace(instance, swarm=replace(instance.swarm, min_success_ratio=ratio))
    plan, flat = solve(instance, exact_s=0), problem(instance)
    outcome, lots = seen(instance, plan), of_arcs(instance, flat, plan.option)
    for said in (sampled(instance, lots, 300), approximated(instance, lots)):
        assert is_close(said, outcome), (said.swarm, said.error, outcome.success)
        assert said.each == pytest.approx(outcome.class_hit, abs=0.03)


def test_spot_cold_models_and_what_occupies_a_site_count() -> None:
    instance = Instance(
        Swarm(600.0, min_success_ratio=0.9, max_site_share=0.5),
        (ItemClass("work", 60, 20.0, 0.5),),
        (
            Site("cold", 3, 1e-4, offers=(Offer("big", cold_start_s=30.0, warm=False),)),
            Site("spot", 4, 1e-3, offers=(Offer("big"),), spot=Spot(1e-5, 30.0)),
        ),
        (Model("big"),),
        occupancy=(Occupancy("cold", (50.0, 80.0)),),
    )
    plan, flat = solve(instance, exact_s=0), problem(instance)
    lots = of_arcs(instance, flat, plan.option)
    assert set(lots.rate > 0) == {True, False}
    assert lots.cold_s.any()
    outcome = seen(instance, plan)
    for said in (sampled(instance, lots, 500), approximated(instance, lots)):
        assert is_close(said, outcome), (said.swarm, said.error, outcome.success)
        assert said.each == pytest.approx(outcome.class_hit, abs=0.02)


def test_an_answer_is_the_same_each_time_and_large_plans_are_not_executed() -> None:
    few, many = queue_of(4, 32, 0.4, 90, 1.0, 2), queue_of(64, 20_000, 0.4, 3_300, 0.95, 2)
    assert solve(few).bound.probability == solve(few).bound.probability
    plan = solve(many, exact_s=0)
    lots = of_arcs(many, problem(many), plan.option)
    assert draws(many, lots) == 0
    assert approximated(many, lots).swarm == plan.bound.probability


def test_few_failures_are_poisson_and_many_are_normal() -> None:
    found = few_failures(np.array([0.0, 2.0, 100.0]), np.array([0.0, 2.0, 90.0]), 2)
    assert found == pytest.approx([1.0, np.exp(-2) * 5, 0.0], abs=1e-9)
