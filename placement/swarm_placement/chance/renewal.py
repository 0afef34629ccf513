"""When the next of many slots is free: renewal theory for slots that all begin together.

Where durations vary, a copy starts earlier than its share of the work ahead, by the mean residual
duration; where they vary little, copies start in waves (Cox, Renewal Theory, 1962).
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from swarm_placement.chance.likelihood import normal

Floats = NDArray[np.float64]
WAVES, STEPS = 24, 20
VARIED, FINE = (0.0, 3.0), 20
"""Coefficients of variation from least to most, and how many of them between two whole numbers."""


def renewed(waves: Floats, variation: Floats) -> Floats:
    """Return when the copy starts that has so many copies per slot ahead, in mean durations, for
    durations with this coefficient of variation."""
    step = np.round(np.minimum(variation, VARIED[-1]) * FINE).astype(np.int64)
    found = np.empty_like(waves)
    for one in np.unique(step):
        here = step == one
        at, time = _renewal(int(one))
        found[here] = np.interp(waves[here], at, time) + np.maximum(waves[here] - at[-1], 0.0)
    return found


@lru_cache(maxsize=256)
def _renewal(step: int) -> tuple[Floats, Floats]:
    """Return copies per slot started by each time: one more than the renewal function. The sum of
    several durations is taken for log-normal (Fenton 1960)."""
    variation = max(step / FINE, 1e-3)
    time = np.linspace(0.0, WAVES / 2, WAVES // 2 * STEPS + 1)
    total = np.ones(time.size)
    logs = np.log(np.maximum(time, 1e-9))
    for wave in range(1, WAVES + 1):
        spread = math.sqrt(math.log1p(variation**2 / wave))
        total += normal((logs - math.log(wave)) / spread + spread / 2)
    return total, time
