"""A series of executions replayed in order of time: predict a batch, then learn what came of it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from swarm_placement.forecast import LEVELS, Forecaster, History, coverage, pinball
from swarm_placement.forecast.history import pair_of
from swarm_placement.simulate.durations import Drift, drifting_series

TRAINING_SHARE = 0.4
BATCH = 50  # outcomes are learnt only after a whole batch was predicted
REFRESH_EVERY = 4_000
RECENT = 8_000
Q95 = LEVELS.index(0.95)


Models = Literal["chosen", "boosted", "empirical"]


@dataclass(frozen=True, slots=True)
class Replay:
    """Coverage of q95 by site with and without the correction, the pinball loss, and for which
    share of the pairs of blueprint and site trees serve."""

    corrected: dict[str, float]
    uncorrected: dict[str, float]
    loss: float
    boosted_share: float


def replay(drift: Drift, seed: int) -> dict[Models, Replay]:
    """Return how a forecaster does on a series: with the model chosen per pair, and with one alone,
    all of them followed, corrected and refreshed alike."""
    series = drifting_series(drift, np.random.default_rng(seed))
    earlier, _ = series.split(TRAINING_SHARE)
    fitted = Forecaster.fit(earlier, boost=True, seed=seed).to_dict()
    alone: tuple[Models, ...] = ("boosted", "empirical")
    states = {"chosen": fitted} | {
        name: {**fitted, "choice": {}, "majority": name} for name in alone
    }
    return {name: _replayed(Forecaster.from_dict(state), series) for name, state in states.items()}


def _replayed(forecaster: Forecaster, series: History) -> Replay:
    earlier, later = series.split(TRAINING_SHARE)
    serving = [
        forecaster.choice.get(pair_of(cell), forecaster.majority) for cell in later.work.cells
    ]
    said, base = [], []
    for first in range(0, len(later), BATCH):
        batch = later.take(np.arange(first, min(first + BATCH, len(later))))
        forecast = forecaster.predict(batch.work)
        forecaster.observe(batch.work, forecast, batch.duration_s)
        said.append(forecast.quantiles_s)
        base.append(forecast.base)
        if (first + BATCH) % REFRESH_EVERY == 0:
            seen = len(earlier) + first + BATCH
            forecaster.refresh(series.take(np.arange(max(0, seen - RECENT), seen)))
    return Replay(
        _by_site(later, np.vstack(said)),
        _by_site(later, np.exp(np.vstack(base))),
        float(pinball(LEVELS, np.log(np.vstack(said)), np.log(later.duration_s)).mean()),
        float(np.mean(np.array(serving) == "boosted")),
    )


def _by_site(series: History, quantiles_s: np.ndarray) -> dict[str, float]:
    found = coverage([cell[1] for cell in series.work.cells], quantiles_s, series.duration_s)
    return {site: one.share[Q95] for site, one in found.items()}
