"""Adaptive conformal correction of quantiles, by blueprint and site.

A forecast of a quantile is moved by the empirical quantile of how much recent forecasts missed by
(Mondrian: each pair of blueprint and site by its own record), and the level at which that is read
moves with every hit and miss: a' = a + step * ((1 - level) - missed). Under any drift the share
of misses then goes to 1 - level. Sources: Vovk, Gammerman & Shafer, Algorithmic Learning in a
Random World (2005), Mondrian predictors; Gibbs & Candes, Adaptive Conformal Inference Under
Distribution Shift (NeurIPS 2021). Deviation: where they would answer infinity, the largest miss on
record is used.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from swarm_placement.forecast.history import Cell, Floats, pair_of

STEP = 0.02
WINDOW = 200
LEAST = 100  # below this, the record of the site, then of everything, is read instead
EVERYWHERE = ""


@dataclass(slots=True)
class Record:
    """The last misses (log seconds beyond the forecast) of one group, a row per execution."""

    misses: deque[list[float]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _ordered: Floats | None = None

    def add(self, row: list[float]) -> None:
        """Append the misses of one execution, one per level; the oldest row leaves."""
        self.misses.append(row)
        self._ordered = None

    def quantiles(self, levels: Floats) -> Floats:
        """Return per column its empirical quantile, conservative as in split conformal."""
        if self._ordered is None:
            self._ordered = np.sort(np.array(self.misses), axis=0)
        count = len(self._ordered)
        rank = np.clip(np.ceil(levels * (count + 1)).astype(int), 1, count) - 1
        found: Floats = self._ordered[rank, np.arange(len(levels))]
        return found


class AdaptiveConformal:
    """The records of all groups, and per pair of blueprint and site the adapted miss rates."""

    def __init__(self, levels: tuple[float, ...], step: float = STEP) -> None:
        self.levels = levels
        self.step = step
        self._wanted = 1.0 - np.array(levels)
        self._rates: dict[str, Floats] = {}
        self._records: dict[str, Record] = {}

    def offsets(self, cell: Cell) -> Floats:
        """Return what to add to the log quantiles of a cell, of shape (levels,)."""
        record = self._record_for(cell)
        if record is None:
            return np.zeros(len(self.levels))
        rates = self._rates.get(pair_of(cell), self._wanted)
        return record.quantiles(1.0 - np.clip(rates, 0.0, 1.0))

    def observe(self, cell: Cell, base: Floats, issued: Floats, log_duration: float) -> None:
        """Learn from an execution: its uncorrected and its issued log quantiles, of shape
        (levels,), and the logarithm of the seconds it took."""
        pair = pair_of(cell)
        missed = (log_duration > issued).astype(np.float64)
        rates = self._rates.get(pair, self._wanted)
        self._rates[pair] = rates + self.step * (self._wanted - missed)
        self.record(cell, log_duration - base)

    def record(self, cell: Cell, misses: Floats) -> None:
        """Remember by how many log seconds an execution missed its uncorrected quantiles."""
        row = misses.tolist()
        for group in (pair_of(cell), cell[1], EVERYWHERE):
            self._records.setdefault(group, Record()).add(row)

    def forget(self) -> None:
        """Drop the records, not the rates: the uncorrected forecast is another one from now on."""
        self._records.clear()

    def _record_for(self, cell: Cell) -> Record | None:
        for group in (pair_of(cell), cell[1], EVERYWHERE):
            record = self._records.get(group)
            if record is not None and len(record.misses) >= LEAST:
                return record
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "levels": list(self.levels),
            "step": self.step,
            "rates": {pair: row.tolist() for pair, row in self._rates.items()},
            "records": {name: list(one.misses) for name, one in self._records.items()},
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "AdaptiveConformal":
        """Return what `to_dict` described."""
        made = cls(tuple(data["levels"]), data["step"])
        made._rates = {pair: np.array(row) for pair, row in data["rates"].items()}
        made._records = {
            name: Record(deque(rows, maxlen=WINDOW)) for name, rows in data["records"].items()
        }
        return made
