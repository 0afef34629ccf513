"""What is believed before features are known, and by trees over features."""

import json
import subprocess
import sys

import numpy as np
import pytest

from swarm_placement.errors import UsageError
from swarm_placement.forecast import FEATURES, History, Prior, Work, coverage, pinball, site_margin
from swarm_placement.forecast.boosting import BoostedQuantiles
from swarm_placement.forecast.empirical import EmpiricalQuantiles
from swarm_placement.forecast.locations import Locations
from swarm_placement.simulate.durations import Drift, drifting_series

LEVELS = (0.5, 0.9, 0.95, 0.99)
REVIEW_HERE = ("review", "here", "code")


def work(*cells: tuple[str, str, str]) -> Work:
    return Work(cells, np.full((len(cells), len(FEATURES)), np.nan))


def history(cell: tuple[str, str, str], duration_s: list[float]) -> History:
    return History(work(*[cell] * len(duration_s)), np.array(duration_s))


def join(*parts: History) -> History:
    cells = tuple(cell for part in parts for cell in part.work.cells)
    features = np.vstack([part.work.features for part in parts])
    return History(Work(cells, features), np.concatenate([part.duration_s for part in parts]))


def test_without_history_the_prior_answers() -> None:
    prior = Prior(median_s=30.0, sigma=0.5)
    said = EmpiricalQuantiles.fit(history(REVIEW_HERE, []), LEVELS, prior).predict(
        work(REVIEW_HERE)
    )
    assert np.exp(said[0, 0]) == pytest.approx(30.0)
    assert np.exp(said[0, 2]) == pytest.approx(30.0 * np.exp(1.6449 * 0.5), rel=1e-3)


def test_an_unseen_cell_borrows_from_its_blueprint_and_its_site() -> None:
    seen = join(
        history(("review", "slow", "code"), [40.0] * 200),
        history(("index", "slow", "code"), [20.0] * 200),
        history(("index", "fast", "code"), [10.0] * 200),
    )
    found = Locations.fit(seen, Prior(20.0, 0.5))
    unseen = np.exp(found.of(("review", "fast", "code")))
    # Reviews take twice as long as indexing, and the fast site half of the slow one: about 20 s.
    assert 17.0 < unseen < 27.0
    assert np.exp(found.of(("review", "slow", "code"))) == pytest.approx(40.0, rel=0.1)


def test_few_executions_move_a_cell_less_than_many() -> None:
    usual = history(("review", "a", "code"), [10.0] * 500)
    few = Locations.fit(join(usual, history(("review", "b", "code"), [40.0] * 2)), Prior(10.0, 0.5))
    many = Locations.fit(
        join(usual, history(("review", "b", "code"), [40.0] * 200)), Prior(10.0, 0.5)
    )
    assert 10.0 < np.exp(few.of(("review", "b", "code"))) < 25.0
    assert np.exp(many.of(("review", "b", "code"))) > 33.0


def test_empirical_quantiles_are_those_of_a_well_known_cell() -> None:
    seed = 4
    drawn = np.random.default_rng(seed).lognormal(3.0, 0.6, 20_000).tolist()
    model = EmpiricalQuantiles.fit(history(REVIEW_HERE, drawn), LEVELS, Prior())
    said = np.exp(model.predict(work(REVIEW_HERE)))[0]
    assert said == pytest.approx(np.quantile(drawn, LEVELS), rel=0.03), f"seed {seed}"


def test_trees_use_sizes_where_cells_alone_cannot_know() -> None:
    seed = 11
    drift = Drift(executions=6_000, walk=0.0, step=1.0)
    earlier, later = drifting_series(drift, np.random.default_rng(seed)).split(0.7)
    logs = np.log(later.duration_s)
    trees = BoostedQuantiles.fit(earlier, LEVELS, Prior(), seed=1)
    cells = EmpiricalQuantiles.fit(earlier, LEVELS, Prior())
    with_features = pinball(LEVELS, trees.predict(later.work), logs).mean()
    without = pinball(LEVELS, cells.predict(later.work), logs).mean()
    assert with_features < 0.7 * without, f"seed {seed}"


def test_both_models_survive_a_round_trip_through_json() -> None:
    series = drifting_series(Drift(executions=2_000), np.random.default_rng(3))
    for model in (
        EmpiricalQuantiles.fit(series, LEVELS, Prior()),
        BoostedQuantiles.fit(series, LEVELS, Prior(), seed=1),
    ):
        again = type(model).from_dict(json.loads(json.dumps(model.to_dict())))
        assert again.predict(series.work) == pytest.approx(model.predict(series.work), abs=1e-6)


def test_a_refresh_follows_a_site_that_became_slower() -> None:
    rng = np.random.default_rng(8)
    usual = history(REVIEW_HERE, rng.lognormal(3.0, 0.2, 1_000).tolist())
    slower = history(REVIEW_HERE, rng.lognormal(3.7, 0.2, 1_000).tolist())
    trees = BoostedQuantiles.fit(usual, LEVELS, Prior(), seed=1)
    before, after = (
        float(model.predict(work(REVIEW_HERE))[0, 0])
        for model in (trees, trees.refreshed(slower, Prior()))
    )
    assert before == pytest.approx(3.0, abs=0.1)
    assert after == pytest.approx(3.7, abs=0.1)


def test_the_package_works_without_xgboost_and_names_the_extra_when_asked() -> None:
    program = """
import sys
sys.modules["xgboost"] = None
import numpy as np
from swarm_placement.errors import UsageError
from swarm_placement.forecast import Forecaster, History, Work
cells = (("review", "here", "code"),) * 600
history = History(Work(cells, np.full((600, 4), np.nan)), np.full(600, 5.0))
print(Forecaster.fit(history, boost=False).predict(history.work).mean_s[0] > 0)
try:
    Forecaster.fit(history, boost=True)
except UsageError as error:
    print(error.hint)
"""
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert told.startswith("True\n")
    assert "swarm-ray[forecast]" in told


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_a_duration_that_is_none_is_refused_by_its_place(wrong: float) -> None:
    with pytest.raises(UsageError, match=r"history\.duration_s\[1\]"):
        history(REVIEW_HERE, [5.0, wrong])


def test_columns_must_fit_the_cells() -> None:
    with pytest.raises(UsageError, match=r"wanted \(1, 4\)"):
        Work((REVIEW_HERE,), np.zeros((1, 3)))
    with pytest.raises(UsageError, match="infinite"):
        Work((REVIEW_HERE,), np.full((1, len(FEATURES)), np.inf))
    with pytest.raises(UsageError, match="more than 0"):
        Prior(median_s=0.0)


def test_coverage_counts_by_group() -> None:
    found = coverage(["a", "a", "b"], np.array([[1.0], [2.0], [3.0]]), np.array([1.0, 5.0, 1.0]))
    assert (found["a"].executions, found["a"].share) == (2, (0.5,))
    assert found["b"].share == (1.0,)


def test_pinball_is_least_for_the_true_quantiles() -> None:
    seed = 2
    logs = np.random.default_rng(seed).normal(0.0, 1.0, 50_000)
    true = np.tile([0.0, 1.2816, 1.6449, 2.3263], (len(logs), 1))
    for shift in (-0.3, 0.3):
        worse = pinball(LEVELS, true + shift, logs).mean()
        assert pinball(LEVELS, true, logs).mean() < worse, f"seed {seed}"


def test_a_site_that_is_slow_at_times_asks_for_a_margin_and_noise_alone_does_not() -> None:
    seed = 6
    rng = np.random.default_rng(seed)
    period = np.repeat(np.arange(60), 40)
    noise = rng.normal(0.0, 0.4, len(period))
    slow = np.where(period % 6 == 0, np.log(2.0), 0.0)
    assert site_margin(period, noise, least=0.0) < 0.05, f"seed {seed}"
    assert 0.4 < site_margin(period, noise + slow) <= 0.5, f"seed {seed}"
    assert site_margin(period[:5], noise[:5]) == site_margin(period, noise) == 0.15
