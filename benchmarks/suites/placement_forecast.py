"""Forecasts of durations on series whose sites drift: coverage per site, trees or quantiles alone.

12 sites, 3 blueprints, 2 models, 36,000 executions in order of time, the first 40 % for training;
sites walk, every third one is twice as slow in the middle third (which begins before the training
ends and passes after). Outcomes are learnt 50 executions late; every 4,000 executions
models are refreshed. Pinball losses compare the model chosen per blueprint and site by validation
with each model alone, all followed, corrected and refreshed alike. Settings were chosen on seeds 1 to
3; figures are of seeds 11 to 15.
"""

import time

import numpy as np

from benchmarks.figures import Figure, median
from benchmarks.probes.forecasts import Models, Replay, replay
from swarm_placement.forecast import Forecaster
from swarm_placement.simulate.durations import Drift, drifting_series

TIMED = False
SEEDS = (11, 12, 13, 14, 15)
FAMILIES = {
    "features say much": Drift(),
    "features say nothing": Drift(feature_weight=0.0),
    "no drift": Drift(walk=0.0, step=1.0),
}


def run(*, quick: bool) -> list[Figure]:
    """Replay every family with every seed."""
    seeds = SEEDS[:1] if quick else SEEDS
    figures = []
    for name, drift in FAMILIES.items():
        figures += _figures(name, [replay(drift, seed) for seed in seeds])
    return [*figures, *_times()]


def _figures(name: str, runs: list[dict[Models, Replay]]) -> list[Figure]:
    corrected = [share for one in runs for share in one["chosen"].corrected.values()]
    plain = [share for one in runs for share in one["chosen"].uncorrected.values()]
    trees = np.mean([one["chosen"].boosted_share for one in runs])
    note = f"{len(corrected)} sites over all seeds; without conformal correction"
    return [
        Figure(
            f"{name}: q95 coverage of the worst site",
            min(corrected),
            "share",
            0.93,
            "least",
            samples=corrected,
            note=f"{note} {min(plain):.3f}",
        ),
        Figure(
            f"{name}: q95 coverage of the most covered site",
            max(corrected),
            "share",
            0.97,
            note=f"{note} {max(plain):.3f}",
        ),
        Figure(
            f"{name}: pinball loss in log seconds, mean of four quantiles",
            median([one["chosen"].loss for one in runs]),
            "nat",
            peers={
                "empirical quantiles alone": median([one["empirical"].loss for one in runs]),
                "boosted trees alone": median([one["boosted"].loss for one in runs]),
            },
            samples=[one["chosen"].loss for one in runs],
            note=f"trees were chosen for {trees:.0%} of the executions",
        ),
    ]


def _times() -> list[Figure]:
    series = drifting_series(Drift(), np.random.default_rng(1))
    began_s = time.perf_counter()
    forecaster = Forecaster.fit(series, boost=True)
    fitted_s = time.perf_counter()
    forecaster.predict(series.work)
    predicted_s = time.perf_counter()
    forecaster.refresh(series.take(np.arange(len(series) - 8_000, len(series))))
    refreshed_s = time.perf_counter()
    return [
        Figure("fit to 36,000 executions, both models and validation", fitted_s - began_s, "s"),
        Figure("predict 36,000 executions", predicted_s - fitted_s, "s"),
        Figure("refresh with the last 8,000", refreshed_s - predicted_s, "s"),
    ]
