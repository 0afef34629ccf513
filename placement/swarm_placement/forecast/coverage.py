"""How good forecasts were: coverage by group, and the pinball loss."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from swarm_placement.forecast.history import Floats, Key, rows_by


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of one group: executions, and per level the share that took at most its quantile."""

    executions: int
    share: tuple[float, ...]


def coverage(keys: Iterable[Key], quantiles_s: Floats, duration_s: Floats) -> dict[Key, Coverage]:
    """Return the coverage of forecasts of shape (n, levels) by the group each belongs to."""
    within = duration_s[:, None] <= quantiles_s
    return {
        key: Coverage(len(rows), tuple(float(share) for share in within[rows].mean(axis=0)))
        for key, rows in rows_by(keys)
    }


def pinball(levels: tuple[float, ...], log_quantiles: Floats, log_duration: Floats) -> Floats:
    """Return per execution the quantile loss in log seconds, mean over levels; shape (n,).

    Source: Koenker & Bassett, Regression Quantiles (1978); a proper score, least in expectation
    for the true quantiles.
    """
    beyond = log_duration[:, None] - log_quantiles
    level = np.array(levels)
    loss: Floats = np.maximum(level * beyond, (level - 1.0) * beyond).mean(axis=1)
    return loss
