"""Where durations lie before features are known: partially pooled log means of cells.

log d = overall + blueprint + site + model + cell + noise, every effect shrunk towards 0 by
n / (n + k): an effect that was seen rarely borrows from what it is part of, and a cell that was
never seen gets the sum of what is known about its blueprint, site and model. Sources: partial
pooling, Gelman & Hill, Data Analysis Using Regression and Multilevel/Hierarchical Models (2007);
fitted by backfitting, Breiman & Friedman (1985), one effect after the other on what the rest leave.
"""

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np

from swarm_placement.errors import UsageError
from swarm_placement.forecast.history import Cell, Floats, History, rows_by

SWEEPS = 12
PSEUDO_COUNT = 8.0  # executions that what is known beforehand weighs against


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed without any history: median seconds and the spread of their logarithm."""

    median_s: float = 60.0
    sigma: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.median_s < math.inf and 0 < self.sigma < math.inf):
            raise UsageError(
                "forecast.prior",
                "prior",
                f"Is {self}.",
                "Give a median in seconds and a spread, both finite and more than 0.",
            )


@dataclass(frozen=True, slots=True)
class Locations:
    """Shrunken effects on the mean of log seconds, by name."""

    overall: float
    sigma: float
    blueprints: dict[str, float] = field(default_factory=dict)
    sites: dict[str, float] = field(default_factory=dict)
    models: dict[str, float] = field(default_factory=dict)
    cells: dict[Cell, float] = field(default_factory=dict)

    @classmethod
    def fit(cls, history: History, prior: Prior) -> "Locations":
        """Return the effects seen in a history; the prior alone if it is empty."""
        logs = np.log(history.duration_s)
        mean = math.log(prior.median_s)
        overall = (PSEUDO_COUNT * mean + float(logs.sum())) / (PSEUDO_COUNT + len(logs))
        rest = logs - overall
        grouped = [list(rows_by(map(part, history.work.cells))) for part in _PARTS]
        found: list[dict[Any, float]] = [
            dict.fromkeys((key for key, _ in of), 0.0) for of in grouped
        ]
        for _ in range(SWEEPS):
            for effects, groups in zip(found, grouped, strict=True):
                for key, rows in groups:
                    own = float(rest[rows].sum()) + len(rows) * effects[key]
                    moved = own / (len(rows) + PSEUDO_COUNT) - effects[key]
                    effects[key] += moved
                    rest[rows] -= moved
        squares = PSEUDO_COUNT * prior.sigma**2 + float(np.square(rest).sum())
        sigma = math.sqrt(squares / (PSEUDO_COUNT + len(logs)))
        return cls(overall, sigma, *found)

    def of(self, cell: Cell) -> float:
        """Return the expected log seconds of a cell, known or not."""
        blueprint, site, model = cell
        return (
            self.overall
            + self.blueprints.get(blueprint, 0.0)
            + self.sites.get(site, 0.0)
            + self.models.get(model, 0.0)
            + self.cells.get(cell, 0.0)
        )

    def at(self, cells: tuple[Cell, ...]) -> Floats:
        """Return the expected log seconds of many cells."""
        known = {cell: self.of(cell) for cell in set(cells)}
        return np.array([known[cell] for cell in cells], dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "overall": self.overall,
            "sigma": self.sigma,
            "blueprints": dict(self.blueprints),
            "sites": dict(self.sites),
            "models": dict(self.models),
            "cells": [[*cell, effect] for cell, effect in self.cells.items()],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Locations":
        """Return what `to_dict` described."""
        cells = {(row[0], row[1], row[2]): row[3] for row in data["cells"]}
        return cls(**{**data, "cells": cells})


def _whole(cell: Cell) -> Cell:
    return cell


_PARTS: tuple[Callable[[Cell], Hashable], ...] = (
    itemgetter(0),
    itemgetter(1),
    itemgetter(2),
    _whole,
)
