"""Forecasts in the form the solver takes: a table of mean and quantile seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swarm_placement.errors import UsageError
from swarm_placement.forecast.forecaster import Forecaster
from swarm_placement.forecast.history import Floats, Work
from swarm_placement.model import Durations


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """Items that are forecast alike: `name` as in `ItemClass.kind`, their blueprint, and their
    features (see `FEATURES`), of shape (4,)."""

    name: str
    blueprint: str
    features: Floats


def duration_table(
    forecaster: Forecaster,
    kinds: Sequence[Kind],
    sites: Sequence[str],
    models: Sequence[str],
    level: float = 0.95,
) -> Durations:
    """Return seconds of one copy by kind x site x model, for item classes with `work_s=1`.

    Sites and models by name, in the instance's order. Raises `UsageError` for a level that the
    forecaster has no quantile of.
    """
    if level not in forecaster.levels:
        raise UsageError(
            "forecast.level",
            "level",
            f"{level} is not among the quantiles {forecaster.levels}.",
            "Fit the forecaster with this level, or ask for one it has.",
        )
    cells = tuple(
        (kind.blueprint, site, model) for kind in kinds for site in sites for model in models
    )
    each = len(sites) * len(models)
    features = np.repeat([kind.features for kind in kinds], each, axis=0)
    forecast = forecaster.predict(Work(cells, features))
    shape = (len(kinds), len(sites), len(models))
    quantile_s = forecast.quantiles_s[:, forecaster.levels.index(level)]
    return Durations(
        tuple(kind.name for kind in kinds),
        forecast.mean_s.reshape(shape),
        np.maximum(quantile_s, forecast.mean_s).reshape(shape),
        level,
    )
