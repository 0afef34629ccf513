"""What copies take on spot slots, where each preempted try is lost and the next one takes as long.

A copy whose tries take w seconds under preemptions at a rate r is done after (exp(r w) - 1) / r on
average. With the probability 1 - exp(-r w) something is lost; for moments of the time it is taken
for exponential, which keeps the mean and becomes exact as restarts become many. Over log-normal durations the mean does
not exist: a copy is followed for the time there is only, since one that takes longer is late however
much longer. Integrals over durations are Gauss-Legendre sums over the normal variate.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from swarm_placement.chance.likelihood import normal
from swarm_placement.chance.lots import Lots

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST_Z, MOST_Z = -6.0, 8.0
"""Durations beyond this many sigmas are left out."""
POINTS, WEIGHTS = np.polynomial.legendre.leggauss(24)
TIMES = 48
"""Times, equally far apart in their logarithms, between which probabilities are interpolated."""
ENDLESS = 1e3
"""Times what is left that stand for all longer ones: beyond, differences lose their digits."""
LARGEST = 500.0
"""Exponent that stands for all larger ones."""


def busy(lots: Lots, spot: Ints, left_s: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean, variance and third central moment, in powers of seconds, of the time in which
    copies of spot lots occupy their slots if there is so much of it (one entry per spot lot)."""
    found = np.empty((3, spot.size))
    for rows, law in _laws(lots, spot):
        found[:, rows] = law.moments(left_s[rows])
    first, second, third = found
    variance = np.maximum(second - first**2, 0.0)
    return first, variance, np.maximum(third - 3 * first * variance - first**3, 0.0)


def delayed(lots: Lots, spot: Ints, left_s: Floats) -> Floats:
    """Return the probability that copies of spot lots are late because of preemptions: that one try,
    with its transfer, would end within `left_s` (spot lots x cases), and what was lost takes longer."""
    found = np.zeros_like(left_s)
    horizon_s = max(float(lots.due_s.max()), float(left_s.max(initial=0.0)))
    for rows, law in _laws(lots, spot):
        shortest_s = min(law.once_s(np.array(LEAST_Z)).item(), horizon_s / 2)
        logs = np.linspace(np.log(shortest_s), np.log(horizon_s), TIMES)
        at = np.log(np.maximum(left_s[rows], 1e-300))
        found[rows] = np.interp(at, logs, law.late(np.exp(logs)), left=0.0)
    return found


def _laws(lots: Lots, spot: Ints) -> Iterator[tuple[Ints, "_Law"]]:
    """Yield each law of the time that occurs, and which of the spot lots it is for."""
    columns = np.column_stack([lots.mean_s, lots.sigma, lots.move_s, lots.rate])[spot]
    each, of_row = np.unique(columns, axis=0, return_inverse=True)
    for number, one in enumerate(each.tolist()):
        yield np.flatnonzero(of_row.ravel() == number), _Law(*one)


class _Law:
    """The time of a copy with these parameters."""

    def __init__(self, mean_s: float, sigma: float, move_s: float, rate: float) -> None:
        self.sigma, self.move_s, self.rate = max(sigma, 1e-9), move_s, rate
        self.middle = float(np.log(mean_s)) - self.sigma**2 / 2

    def once_s(self, z: Floats) -> Floats:
        """Return what a try takes, transfer included, by its normal variate."""
        return np.asarray(self.move_s + np.exp(self.middle + self.sigma * z))

    def moments(self, most_s: Floats) -> Floats:
        """Return the first three moments of the time, or of the most where that is less."""
        once, weight, beyond = self._tries(most_s)
        some, scale = self._lost(once)
        scale = np.minimum(scale, ENDLESS * most_s[:, None])
        room = (most_s[:, None] - once) / scale
        left = np.exp(-room)
        # Moments of an exponential variate that is cut off: each follows from the one before.
        lost = scale * (1 - left)
        square = 2 * scale * (lost - scale * room * left)
        cube = 3 * scale * (square - (scale * room) ** 2 * left)
        each = (
            once + some * lost,
            once**2 + some * (2 * once * lost + square),
            once**3 + some * (3 * once * (once * lost + square) + cube),
        )
        return np.array(
            [
                (weight * one).sum(axis=1) + beyond * most_s**power
                for power, one in enumerate(each, 1)
            ]
        )

    def late(self, time_s: Floats) -> Floats:
        """Return the probability that a try takes at most so long and all tries take longer."""
        once, weight, _ = self._tries(time_s)
        return np.asarray((weight * _unfinished(self.rate, once, time_s[:, None])).sum(axis=1))

    def _tries(self, most_s: Floats) -> tuple[Floats, Floats, Floats]:
        """Return durations of tries up to each time and their weights, times x points, and the
        probability that a try takes longer."""
        top = (np.log(np.maximum(most_s - self.move_s, 1e-300)) - self.middle) / self.sigma
        top = np.clip(top, LEAST_Z, MOST_Z)
        half = (top - LEAST_Z)[:, None] / 2
        z = LEAST_Z + half * (POINTS + 1)
        weight = half * WEIGHTS * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
        return self.once_s(z), weight, 1 - normal(top)

    def _lost(self, once_s: Floats) -> tuple[Floats, Floats]:
        """Return the probability that a try of this duration is preempted at least once, and the
        mean of all that is lost then."""
        exponent = np.minimum(self.rate * once_s, LARGEST)
        some = -np.expm1(-exponent)
        return some, np.maximum(np.expm1(exponent) / self.rate - once_s, 1e-12) / some


def _unfinished(rate: float, once_s: Floats, time_s: Floats) -> Floats:
    """Return the probability that tries of this duration, at most `time_s`, have all been preempted
    until then: that a Poisson process has no gap so long (Feller 1971, XI.6).

    Exact up to three durations, after which it falls by the same part in each further one, as it does
    in the limit.
    """
    x = np.minimum(rate * once_s, LARGEST)
    one, two = (np.maximum(rate * (time_s - many * once_s), 0.0) for many in (1, 2))
    kept = np.exp(-x)
    near = 1 - kept * (1 + one) + kept**2 * (two**2 / 2 + two)
    second = np.maximum(1 - kept * (1 + x), 1e-300)
    third = np.maximum(second - kept * x + kept**2 * (x**2 / 2 + x), 0.0)
    beyond = np.maximum(time_s / once_s - 3, 0.0)
    far = third * np.minimum(third / second, 1.0) ** beyond
    return np.asarray(np.clip(np.where(beyond > 0, far, near), 0.0, 1.0))
