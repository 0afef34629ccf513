"""The probability of a plan, against closed forms and against chance."""

import numpy as np
import pytest

from swarm_placement import solve
from swarm_placement.arcs import quantile_s, sigma_of, spot_hop_s
from swarm_placement.model import Instance, ItemClass, Site, Swarm
from swarm_placement.probability import swarm_probability


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
    draws = rng.binomial(items, done, (200_000, 2)).sum(axis=1)
    seen = float((draws >= np.ceil(ratio * 100 - 1e-9)).mean())
    assert swarm_probability(items, done, ratio) == pytest.approx(seen, abs=0.02), f"seed {seed}"


def test_a_ratio_of_one_needs_every_item() -> None:
    assert swarm_probability(np.array([3]), np.array([0.9]), 1.0) == pytest.approx(0.9**3)


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
