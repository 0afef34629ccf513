"""Probabilities of sums of independent events, and how a probability is stated."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.program.problem import inner

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FEW = 1_000
"""Items up to which the number of failures is worked out exactly."""
RARE = 50.0
"""Expected failures up to which their number is taken for Poisson, above for normal."""


@dataclass(frozen=True, slots=True, eq=False)
class Chance:
    """How probable it is that a plan is in time.

    `each`: per class, that an item's copies all end before its deadline; `swarm`: that at least the
    asked share of all items do; `error`: the standard error of `swarm`, 0 where nothing was drawn.
    """

    each: Floats
    swarm: float
    error: float


def drawn_error(share: float, draws: int) -> float:
    """Return the standard error of a share of so many draws; none or all of them leave a doubt too
    (Agresti and Coull 1998)."""
    near = (share * draws + 1) / (draws + 2)
    return math.sqrt(near * (1 - near) / (draws + 2))


def at_least(items: Ints, done: Floats, needed: int) -> float:
    """Return the probability that so many items are done, given how many independent items have
    which probability.

    The number of failures is a sum of independent events: exact for few items, Poisson while
    failures are rare (Le Cam 1960), normal otherwise.
    """
    may_fail = int(items.sum()) - needed
    if may_fail < 0:
        return 0.0
    if may_fail == 0:
        with np.errstate(divide="ignore"):
            return float(np.exp((items * np.log(done)).sum()))
    if items.sum() <= FEW:
        return _exactly(items, done, may_fail)
    fails = inner(items, 1 - done)
    return float(
        few_failures(np.array([fails]), np.array([inner(items, done * (1 - done))]), may_fail)[0]
    )


def few_failures(mean: Floats, variance: Floats, most: int) -> Floats:
    """Return the probability of at most so many failures, by their mean and variance: Poisson where
    few are expected, else normal."""
    spread = np.maximum(np.sqrt(variance), 1e-9)
    found = normal((most + 0.5 - mean) / spread)
    rare = np.flatnonzero(mean <= RARE)
    if rare.size:
        # From some way above the mean on, what is left out is nothing.
        terms = np.arange(1, min(most, int(RARE + 12 * math.sqrt(RARE))) + 1)
        steps = np.log(np.maximum(mean[rare], 1e-300))[:, None] - np.log(terms)
        total = 1 + np.exp(np.cumsum(steps, axis=1)).sum(axis=1)
        found[rare] = np.minimum(1.0, np.exp(-mean[rare]) * total)
    return found


def _exactly(items: Ints, done: Floats, may_fail: int) -> float:
    """Return the probability of at most so many failures by convolution of binomials."""
    total = np.ones(1)
    for many, each in zip(items.tolist(), done.tolist(), strict=True):
        for _ in range(many):
            total = np.convolve(total, (each, 1 - each))[: may_fail + 1]
    return min(1.0, float(total.sum()))


WIDEST = 9.0
_GRID = np.linspace(-WIDEST, WIDEST, 18_001)
_AREA = np.array([0.5 * math.erfc(-one / math.sqrt(2)) for one in _GRID.tolist()])


def normal(z: Floats) -> Floats:
    """Return the standard normal distribution function, within 4e-8: by a table, for many values."""
    return np.asarray(np.interp(z, _GRID, _AREA), np.float64)


def quantile(probability: Floats) -> Floats:
    """Return the standard normal quantiles of probabilities, from the same table."""
    return np.asarray(np.interp(probability, _AREA, _GRID), np.float64)
