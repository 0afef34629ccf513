"""The probability of a plan, against closed forms and against an independent simulation."""

from dataclasses import replace
from heapq import heappop, heappush

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_placement import solve
from swarm_placement.chance import restarts
from swarm_placement.chance.approximated import approximated
from swarm_placement.chance.likelihood import Chance, at_least, few_failures
from swarm_placement.chance.lots import of_arcs
from swarm_placement.chance.sampled import begins, draws, sampled
from swarm_placement.generate import Recipe, generate
from swarm_placement.model import (
    Instance,
    ItemClass,
    Model,
    Needs,
    Occupancy,
    Offer,
    Plan,
    Site,
    Spot,
    Swarm,
    options,
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
    (4, 3_000, 0.5, 7_520, 0.995, 1),
    (4, 12_000, 0.5, 30_100, 0.995, 1),  # too many to be executed; late is what comes last
    (3, 9_000, 0.05, 30_030, 1.0, 1),  # all of a queue on few slots is late, or nothing
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


SPOT = [
    (60.0, 0.6, 20.0, 50, 4_000, 6_000.0, 0.98),
    (60.0, 1.0, 10.0, 50, 4_000, 5_600.0, 0.95),  # half of all plans miss: long copies start again
    (60.0, 0.6, 40.0, 50, 4_000, 7_600.0, 0.95),
    (30.0, 0.4, 20.0, 60, 3_000, 2_100.0, 1.0),
]
"""Seconds, sigma, preemptions per hour, slots, items, deadline, ratio."""


@pytest.mark.parametrize("case", SPOT)
def test_long_spot_copies_start_again_as_long_ones(case: tuple[float, ...]) -> None:
    work_s, sigma, rate, slots, items, deadline_s, ratio = case
    instance = Instance(
        Swarm(deadline_s, min_success_ratio=ratio, target_probability=0.5),
        (ItemClass("work", int(items), work_s, sigma),),
        (Site("site", int(slots), 3e-4, spot=Spot(5e-5, rate)),),
    )
    plan, flat = solve(instance, exact_s=0), problem(instance)
    lots = of_arcs(instance, flat, plan.option)
    executed, said = sampled(instance, lots, 300), approximated(instance, lots)
    assert abs(said.swarm - executed.swarm) <= 3.3 * np.hypot(said.error, executed.error)
    assert said.each == pytest.approx(executed.each, abs=0.015)


@pytest.mark.parametrize(("rate", "sigma"), [(2e-3, 0.3), (2e-2, 0.6), (8e-2, 0.4)])
def test_restarts_have_the_moments_and_the_tail_they_are_said_to(rate: float, sigma: float) -> None:
    horizon_s, size = 400.0, 60_000
    instance = Instance(
        Swarm(horizon_s, item_probability=0.5),
        (ItemClass("work", 1, 20.0, sigma),),
        (Site("site", 1, 1.0, spot=Spot(1e-5, rate * 3_600)),),
    )
    (way,) = (one for one, option in enumerate(options(instance)) if option.spot)
    lots = of_arcs(instance, problem(instance), np.array([way], np.int32))
    rng = np.random.default_rng(7)
    once = 20.0 * np.exp(sigma * rng.standard_normal(size) - sigma * sigma / 2)
    took = np.zeros(size)
    trying = np.arange(size)
    while trying.size:
        until = rng.exponential(1 / rate, trying.size)
        cut = until < once[trying]
        took[trying] += np.where(cut, until, once[trying])
        trying = trying[cut & (took[trying] < horizon_s)]
    mean_s, variance, _ = np.array(restarts.busy(lots, np.array([0]), np.array([horizon_s])))[:, 0]
    capped = np.minimum(took, horizon_s)
    assert mean_s == pytest.approx(capped.mean(), rel=0.02)
    assert np.sqrt(variance) == pytest.approx(capped.std(), rel=0.08)
    left_s = np.array([[15.0, 25.0, 60.0, 150.0]])
    late = ((once[:, None] <= left_s) & (took[:, None] > left_s)).mean(axis=0)
    assert restarts.delayed(lots, np.array([0]), left_s)[0] == pytest.approx(late, abs=0.01)


@given(
    free_s=st.lists(st.floats(0, 50), min_size=1, max_size=6),
    copies=st.integers(1, 25),
    seed=st.integers(0, 2**32 - 1),
    cold=st.lists(st.sampled_from([0.0, 7.0]), min_size=2, max_size=2),
)
@settings(max_examples=60, deadline=None)
def test_copies_take_the_slot_that_is_free_first(
    free_s: list[float], copies: int, seed: int, cold: list[float]
) -> None:
    rng = np.random.default_rng(seed)
    busy_s, model = rng.exponential(5.0, (copies, 3)), rng.integers(0, 2, copies)
    cold_s = np.array(cold)[model]
    found = begins(np.sort(free_s), busy_s, model, cold_s)
    for draw in range(3):
        slots = [(free, number) for number, free in enumerate(sorted(free_s))]
        loaded: set[tuple[int, int]] = set()
        for copy in range(copies):
            free, number = heappop(slots)
            key = (number, int(model[copy]))
            begin = free + (0.0 if key in loaded else float(cold_s[copy]))
            loaded.add(key)
            assert found[copy, draw] == pytest.approx(begin)
            heappush(slots, (begin + busy_s[copy, draw], number))


def test_models_that_are_loaded_late_do_not_wait_for_each_other() -> None:
    instance = Instance(
        Swarm(500.0, max_site_share=1.0),
        (
            ItemClass("first", 300, 2.0, 0.3, needs=Needs(capabilities={"a": 1}), deadline_s=55.0),
            ItemClass("last", 60, 2.0, 0.3, needs=Needs(capabilities={"b": 1}), deadline_s=74.0),
        ),
        (
            Site(
                "site",
                60,
                1e-4,
                offers=tuple(Offer(one, cold_start_s=24.0, warm=False) for one in "ab"),
            ),
        ),
        (Model("a", {"a": 1}), Model("b", {"b": 1})),
    )
    ways = [instance.models[one.model].name for one in options(instance)]
    option = np.repeat([ways.index("a"), ways.index("b")], [300, 60]).astype(np.int32)
    lots = of_arcs(instance, problem(instance), option)
    executed, said = sampled(instance, lots, 200), approximated(instance, lots)
    assert said.each == pytest.approx(executed.each, abs=0.03)


def test_an_approximation_is_never_said_to_be_certain() -> None:
    many = queue_of(64, 20_000, 0.4, 3_600, 0.9, 2)
    bound = solve(many, exact_s=0).bound
    assert bound.probability > 0.999
    assert bound.probability_error >= 0.005


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
