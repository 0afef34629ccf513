"""A seeded series of executions whose sites drift: what forecasts are judged by.

Log seconds = blueprint + site + model + features + the site's state + noise. States: a slow random
walk at every site, a step to a factor and back at some, and a daily wave. Nothing of it is known
to the forecaster except the columns of the history.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.forecast.history import Cell, Floats, History, Work

SECONDS_BETWEEN = 30.0  # at one site, on average


@dataclass(frozen=True, slots=True)
class Drift:
    """How a series is made.

    `feature_weight` scales what sizes, tokens, hour and load say about durations (0: nothing);
    `walk` is the standard deviation of a site's random walk over the whole series (log seconds);
    `step` the factor by which every third site is slower in the middle third of the series.
    """

    executions: int = 36_000
    blueprints: int = 3
    sites: int = 12
    models: int = 2
    feature_weight: float = 1.0
    walk: float = 0.3
    step: float = 2.0
    sigma: float = 0.35


def drifting_series(drift: Drift, rng: np.random.Generator) -> History:
    """Return executions in order of time, spread evenly over the sites."""
    n = drift.executions
    blueprint = rng.integers(0, drift.blueprints, n)
    site = rng.integers(0, drift.sites, n)
    model = rng.integers(0, drift.models, n)
    at_s = np.sort(rng.uniform(0.0, n * SECONDS_BETWEEN / drift.sites, n))
    hour = at_s / 3600.0 % 24.0
    load = np.clip(
        0.5 + 0.4 * np.sin((hour - 9.0) / 24.0 * 2 * np.pi) + rng.normal(0, 0.1, n), 0, 1
    )
    size = rng.lognormal(11.0, 1.2, n)
    tokens = size / 4.0 * rng.lognormal(0.0, 0.4, n)
    said = (
        0.45 * np.log(size / np.exp(11.0))
        + 0.25 * np.log(tokens / np.exp(11.0) * 4.0)
        + 0.8 * np.maximum(load - 0.6, 0.0)
    )
    logs = (
        rng.normal(3.0, 0.8, drift.blueprints)[blueprint]
        + rng.normal(0.0, 0.3, drift.sites)[site]
        + rng.normal(0.0, 0.2, drift.models)[model]
        + drift.feature_weight * said
        + _states(drift, site, rng)
        + drift.sigma * rng.standard_normal(n)
    )
    cells: tuple[Cell, ...] = tuple(
        (f"blueprint-{one}", f"site-{two:02}", f"model-{three}")
        for one, two, three in zip(blueprint, site, model, strict=True)
    )
    return History(Work(cells, np.column_stack([size, tokens, hour, load])), np.exp(logs))


def _states(drift: Drift, site: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    n = drift.executions
    walks = rng.standard_normal((drift.sites, n)).cumsum(axis=1) * drift.walk / np.sqrt(n)
    third = np.arange(n) * 3 // n == 1
    stepping = np.arange(drift.sites) % 3 == 0
    states: Floats = walks[site, np.arange(n)] + np.log(drift.step) * (third & stepping[site])
    return states
