"""Quantiles of a cell's own past durations, shrunk towards its blueprint's and towards a prior.

The rival of `boosting`: it ignores features, needs no package, and is hard to beat where
features say nothing. A cell's quantile weighs n / (n + 100) against the blueprint's, which weighs
the same way against all residuals, which weigh against a log-normal prior.
"""

from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np

from swarm_placement.forecast.history import Cell, Floats, History, Work, rows_by
from swarm_placement.forecast.locations import Locations, Prior

# Below this, a tail quantile of a sample is mostly luck: 0.95 of 100 rests on five values.
TAIL_COUNT = 100.0


@dataclass(frozen=True, slots=True)
class EmpiricalQuantiles:
    """Quantiles of log residuals around `locations`, at `levels`, by cell and by blueprint."""

    levels: tuple[float, ...]
    locations: Locations
    overall: Floats  # of shape (levels,), like the values below
    blueprints: dict[str, Floats] = field(default_factory=dict)
    cells: dict[Cell, Floats] = field(default_factory=dict)

    @classmethod
    def fit(cls, history: History, levels: tuple[float, ...], prior: Prior) -> "EmpiricalQuantiles":
        """Return the quantiles of a history; those of the prior if it is empty."""
        locations = Locations.fit(history, prior)
        rest = np.log(history.duration_s) - locations.at(history.work.cells)
        normal = NormalDist(0.0, locations.sigma)
        believed = np.array([normal.inv_cdf(level) for level in levels])
        overall = _weighed(rest, levels, believed)
        blueprints = {
            name: _weighed(rest[rows], levels, overall)
            for name, rows in rows_by(cell[0] for cell in history.work.cells)
        }
        cells = {
            cell: _weighed(rest[rows], levels, blueprints[cell[0]])
            for cell, rows in rows_by(history.work.cells)
        }
        return cls(levels, locations, overall, blueprints, cells)

    def predict(self, work: Work) -> Floats:
        """Return log seconds of shape (n, levels)."""
        known = {cell: self._of(cell) for cell in set(work.cells)}
        rows = [known[cell] for cell in work.cells]
        return np.array(rows, dtype=np.float64).reshape(len(work), len(self.levels))

    def _of(self, cell: Cell) -> Floats:
        residual = self.cells.get(cell, self.blueprints.get(cell[0], self.overall))
        return self.locations.of(cell) + residual

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "levels": list(self.levels),
            "locations": self.locations.to_dict(),
            "overall": self.overall.tolist(),
            "blueprints": {name: row.tolist() for name, row in self.blueprints.items()},
            "cells": [[*cell, row.tolist()] for cell, row in self.cells.items()],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "EmpiricalQuantiles":
        """Return what `to_dict` described."""
        return cls(
            tuple(data["levels"]),
            Locations.from_dict(data["locations"]),
            np.array(data["overall"]),
            {name: np.array(row) for name, row in data["blueprints"].items()},
            {(row[0], row[1], row[2]): np.array(row[3]) for row in data["cells"]},
        )


def _weighed(sample: Floats, levels: tuple[float, ...], parent: Floats) -> Floats:
    if not len(sample):
        return parent
    weight = len(sample) / (len(sample) + TAIL_COUNT)
    own: Floats = weight * np.quantile(sample, levels) + (1.0 - weight) * parent
    return own
