"""Forecasts that learn from what came of them: honest under drift, monotone, plain as data."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from swarm_placement.errors import UsageError
from swarm_placement.forecast import (
    FEATURES,
    Forecaster,
    History,
    Kind,
    Prior,
    Work,
    coverage,
    duration_table,
)
from swarm_placement.forecast.conformal import LEAST, AdaptiveConformal
from swarm_placement.simulate.durations import Drift, drifting_series

CELL = ("review", "here", "code")
LEVELS = (0.5, 0.95)


def batches(series: History, size: int) -> Iterator[History]:
    for first in range(0, len(series), size):
        yield series.take(np.arange(first, min(first + size, len(series))))


def replayed(forecaster: Forecaster, series: History, size: int = 50) -> np.ndarray:
    said = []
    for batch in batches(series, size):
        forecast = forecaster.predict(batch.work)
        forecaster.observe(batch.work, forecast, batch.duration_s)
        said.append(forecast.quantiles_s)
    return np.vstack(said)


@pytest.mark.parametrize("boost", [False, True])
@pytest.mark.thorough
def test_every_site_is_covered_while_it_drifts(boost: bool) -> None:
    seed = 21
    series = drifting_series(Drift(executions=15_000, sites=6), np.random.default_rng(seed))
    earlier, later = series.split(0.4)
    forecaster = Forecaster.fit(earlier, boost=boost, seed=1)
    said = replayed(forecaster, later)
    found = coverage([cell[1] for cell in later.work.cells], said, later.duration_s)
    for site, covered in found.items():
        assert 0.93 <= covered.share[2] <= 0.97, f"{site}, seed {seed}"


def test_the_correction_alone_repairs_a_forecast_that_is_wrong_by_far() -> None:
    seed = 5
    rng = np.random.default_rng(seed)
    conformal, hits = AdaptiveConformal(LEVELS), []
    base = np.array([0.0, 0.1])
    for number in range(3_000):
        actual = rng.normal(1.0 if number < 1_500 else 2.0, 0.5)
        issued = base + conformal.offsets(CELL)
        hits.append(actual <= issued[1])
        conformal.observe(CELL, base, issued, actual)
    # Gibbs & Candes: misses over time go to 0.05 however the world changes.
    assert np.mean(hits) == pytest.approx(0.95, abs=0.02), f"seed {seed}"
    assert np.mean(hits[-500:]) == pytest.approx(0.95, abs=0.02), f"seed {seed}"


def test_a_new_pair_borrows_the_record_of_its_site() -> None:
    conformal = AdaptiveConformal(LEVELS)
    base = np.zeros(2)
    for _ in range(LEAST):
        conformal.observe(CELL, base, base, 1.0)
    assert conformal.offsets(("index", "here", "code")) == pytest.approx([1.0, 1.0])
    assert conformal.offsets(("index", "elsewhere", "code")) == pytest.approx([1.0, 1.0])
    assert AdaptiveConformal(LEVELS).offsets(CELL) == pytest.approx([0.0, 0.0])


@pytest.mark.thorough
def test_quantiles_rise_along_a_row_whatever_was_observed() -> None:
    series = drifting_series(Drift(executions=4_000), np.random.default_rng(2))
    forecaster = Forecaster.fit(series, boost=True, seed=1)
    rng = np.random.default_rng(3)
    for batch in batches(series.take(np.arange(600)), 100):
        forecast = forecaster.predict(batch.work)
        assert (np.diff(forecast.quantiles_s, axis=1) >= 0).all()
        assert (forecast.mean_s > 0).all()
        forecaster.observe(batch.work, forecast, rng.lognormal(3.0, 3.0, len(batch)))


def test_the_mean_is_that_of_the_log_normal_through_the_quantiles() -> None:
    seed = 7
    drawn = np.random.default_rng(seed).lognormal(2.0, 0.5, 5_000)
    series = History(Work((CELL,) * 5_000, np.full((5_000, 4), np.nan)), drawn)
    forecast = Forecaster.fit(series, boost=False).predict(series.work.take(np.arange(1)))
    assert forecast.mean_s[0] == pytest.approx(drawn.mean(), rel=0.1), f"seed {seed}"


@pytest.mark.thorough
def test_features_decide_which_model_serves() -> None:
    for weight, wanted in ((1.0, "boosted"), (0.0, "empirical")):
        seed = 31
        drift = Drift(executions=8_000, sites=4, feature_weight=weight, walk=0.0, step=1.0)
        series = drifting_series(drift, np.random.default_rng(seed))
        assert Forecaster.fit(series, boost=True, seed=1).majority == wanted, f"seed {seed}"


def test_little_history_is_not_given_to_trees() -> None:
    series = drifting_series(Drift(executions=200), np.random.default_rng(1))
    assert Forecaster.fit(series, boost=True).boosted is None


def test_no_history_at_all_is_answered_by_the_prior() -> None:
    nothing = History(Work((), np.zeros((0, 4))), np.zeros(0))
    forecaster = Forecaster.fit(nothing, boost=True, prior=Prior(30.0, 0.5))
    forecast = forecaster.predict(Work((CELL,), np.full((1, 4), np.nan)))
    assert forecast.quantiles_s[0, 0] == pytest.approx(30.0)


def test_a_forecaster_goes_on_from_plain_data_as_if_nothing_had_happened() -> None:
    series = drifting_series(Drift(executions=4_000, sites=4), np.random.default_rng(9))
    earlier, later = series.split(0.5)
    one = Forecaster.fit(earlier, boost=True, seed=1)
    replayed(one, later.take(np.arange(500)))
    other = Forecaster.from_dict(json.loads(json.dumps(one.to_dict())))
    rest = later.take(np.arange(500, 1_000))
    assert replayed(other, rest) == pytest.approx(replayed(one, rest), rel=1e-5)


@pytest.mark.thorough
def test_a_refresh_keeps_coverage() -> None:
    seed = 17
    series = drifting_series(Drift(executions=12_000, sites=4), np.random.default_rng(seed))
    forecaster = Forecaster.fit(series.take(np.arange(4_000)), boost=True, seed=1)
    said = [replayed(forecaster, series.take(np.arange(4_000, 8_000)))]
    forecaster.refresh(series.take(np.arange(2_000, 8_000)))
    said.append(replayed(forecaster, series.take(np.arange(8_000, 12_000))))
    later = series.take(np.arange(4_000, 12_000))
    sites = [cell[1] for cell in later.work.cells]
    for site, covered in coverage(sites, np.vstack(said), later.duration_s).items():
        assert 0.93 <= covered.share[2] <= 0.97, f"{site}, seed {seed}"


@pytest.mark.parametrize("levels", [(0.5,), (0.9, 0.5), (0.6, 0.9), (0.5, 1.0)])
def test_levels_that_do_not_rise_from_the_median_are_refused(levels: tuple[float, ...]) -> None:
    series = drifting_series(Drift(executions=20), np.random.default_rng(1))
    with pytest.raises(UsageError, match="levels"):
        Forecaster.fit(series, boost=False, levels=levels)


def test_a_table_of_forecasts_is_what_an_instance_takes() -> None:
    series = drifting_series(Drift(executions=4_000, sites=3), np.random.default_rng(5))
    forecaster = Forecaster.fit(series, boost=True, seed=1)
    kinds = [
        Kind(name, "blueprint-0", np.array([size, size / 4.0, 12.0, 0.5]))
        for name, size in (("small", 2e4), ("large", 2e5))
    ]
    sites, models = ["site-00", "site-02", "site-99"], ["model-0", "model-1"]
    table = duration_table(forecaster, kinds, sites, models)
    assert table.mean_s.shape == table.quantile_s.shape == (2, 3, 2)
    assert (table.mean_s[1] > table.mean_s[0]).all()  # a site never seen is forecast as well
    assert (table.quantile_s >= table.mean_s).all()
    cell = Work((("blueprint-0", "site-02", "model-1"),), kinds[1].features[None, :])
    assert forecaster.predict(cell).mean_s[0] == pytest.approx(table.mean_s[1, 1, 1])
    with pytest.raises(UsageError, match="level"):
        duration_table(forecaster, kinds, sites, models, level=0.8)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_what_is_no_duration_is_not_learnt(wrong: float) -> None:
    work = Work((("task", "site", "model"),), np.full((1, len(FEATURES)), np.nan))
    forecaster = Forecaster.fit(History(work.take(np.arange(0)), np.zeros(0)), boost=False)
    before = forecaster.predict(work).quantiles_s
    with pytest.raises(UsageError, match=r"forecast\.duration"):
        forecaster.observe(work, forecaster.predict(work), np.array([wrong]))
    assert np.array_equal(forecaster.predict(work).quantiles_s, before)
