"""A site that became slower is noticed soon; one that did not is left alone."""

import json
import math

import numpy as np
import pytest

from swarm_placement.errors import UsageError
from swarm_placement.policies import SiteDrift, first_alarm
from swarm_placement.policies.drift import known_after_s

SIGMA = 0.4


def surprises(rng: np.random.Generator, count: int, factor: float = 1.0) -> np.ndarray:
    """Log seconds beyond the median, 2 % stragglers among them."""
    found = rng.normal(0.0, SIGMA, count) + np.log(factor)
    straggling = rng.random(count) < 0.02
    found[straggling] += np.log(rng.uniform(3.0, 8.0, int(straggling.sum())))
    return found


def observed(drift: SiteDrift, sample: np.ndarray) -> list[tuple[int, float]]:
    found = []
    for number, surprise in enumerate(sample.tolist(), start=1):
        drift.observe(surprise, SIGMA)
        factor = drift.decide()
        if factor is not None:
            found.append((number, factor))
    return found


def test_a_site_at_half_speed_is_repriced_within_thirty_executions() -> None:
    seed = 3
    rng = np.random.default_rng(seed)
    drift = SiteDrift()
    assert observed(drift, surprises(rng, 300)) == [], f"seed {seed}"
    (after, factor), *more = observed(drift, surprises(rng, 200, factor=2.0))
    assert after <= 30, f"seed {seed}"
    assert 1.5 < factor < 2.7, f"seed {seed}"
    assert drift.factor == (more[-1][1] if more else factor)


def test_a_site_that_recovers_is_repriced_back() -> None:
    seed = 12
    rng = np.random.default_rng(seed)
    drift = SiteDrift()
    observed(drift, surprises(rng, 200, factor=2.0))
    observed(drift, surprises(rng, 400))
    assert 0.75 < drift.factor < 1.35, f"seed {seed}"


def test_false_alarms_are_rare_in_spite_of_stragglers() -> None:
    alarms = sum(
        first_alarm(surprises(np.random.default_rng([8, seed]), 600) / SIGMA) is not None
        for seed in range(300)
    )
    assert alarms <= 12, "seeds [8, 0..299]"


@pytest.mark.parametrize("seed", range(20))
def test_the_one_pass_form_says_what_the_state_machine_says(seed: int) -> None:
    sample = surprises(np.random.default_rng(seed), 300, factor=1.0 if seed % 2 else 1.6)
    alarm, repriced = first_alarm(sample / SIGMA), observed(SiteDrift(), sample)
    slower = [one for one in repriced if one[1] > 1.0]
    assert (alarm is None) == (not slower)
    if alarm is not None and repriced[0][1] > 1.0:
        assert alarm[0] == slower[0][0]
        assert np.exp(alarm[1] * SIGMA) == pytest.approx(slower[0][1])


def test_one_straggler_raises_no_alarm_however_long_it_takes() -> None:
    drift = SiteDrift()
    assert observed(drift, np.array([np.log(1_000.0)])) == []


def test_what_counts_of_a_straggler_is_known_before_it_ends() -> None:
    at_s = known_after_s(np.array([10.0]), np.array([SIGMA]))[0]
    assert first_alarm(np.full(9, np.log(at_s / 10.0) / SIGMA)) == first_alarm(np.full(9, 99.0))


def test_the_state_is_plain_data() -> None:
    drift, rng = SiteDrift(), np.random.default_rng(1)
    observed(drift, surprises(rng, 37, factor=1.3))
    again = SiteDrift.from_dict(json.loads(json.dumps(drift.to_dict())))
    rest = surprises(rng, 200, factor=1.3)
    assert observed(again, rest) == observed(drift, rest)


@pytest.mark.parametrize(("surprise", "sigma"), [(math.nan, 0.4), (math.inf, 0.4), (0.1, 0.0)])
def test_what_is_no_surprise_raises_no_alarm(surprise: float, sigma: float) -> None:
    site = SiteDrift()
    with pytest.raises(UsageError, match=r"policy\.drift"):
        site.observe(surprise, sigma)
    assert site == SiteDrift()
