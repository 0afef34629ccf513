"""Columns of executions: what a forecast is asked for, and what a forecast is learnt from."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from swarm_placement.errors import UsageError

Floats = NDArray[np.float64]

# Unknown values are NaN: trees send them down a branch of their own.
FEATURES = ("input_bytes", "tokens", "hour_of_day", "load")

Cell = tuple[str, str, str]  # blueprint, site, model

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Work:
    """Executions to forecast: n cells (blueprint, site, model), and `features` of shape (n, 4).

    The columns of `features` are `FEATURES`: bytes, tokens, hour 0..24, and load as a share of
    busy slots; NaN where unknown. Raises `UsageError` when shapes differ or a value is infinite.
    """

    cells: tuple[Cell, ...]
    features: Floats

    def __post_init__(self) -> None:
        wanted = (len(self.cells), len(FEATURES))
        if self.features.shape != wanted:
            raise UsageError(
                "forecast.shape",
                "work.features",
                f"Has shape {self.features.shape}, wanted {wanted}.",
                f"Give one row per cell with the columns {', '.join(FEATURES)}.",
            )
        if np.isinf(self.features).any():
            raise UsageError(
                "forecast.infinite",
                "work.features",
                "A value is infinite.",
                "Give NaN where a value is unknown.",
            )

    def __len__(self) -> int:
        return len(self.cells)

    def take(self, rows: NDArray[np.intp]) -> "Work":
        """Return the rows with these indices, in this order."""
        return Work(tuple(self.cells[row] for row in rows), self.features[rows])


@dataclass(frozen=True, slots=True)
class History:
    """Executions that ended, in the order in which they ended; `duration_s` has shape (n,).

    Raises `UsageError` for durations that are not positive and finite.
    """

    work: Work
    duration_s: Floats

    def __post_init__(self) -> None:
        if self.duration_s.shape != (len(self.work),):
            raise UsageError(
                "forecast.shape",
                "history.duration_s",
                f"Has shape {self.duration_s.shape}, wanted ({len(self.work)},).",
                "Give one duration per execution.",
            )
        wrong = np.flatnonzero(~(np.isfinite(self.duration_s) & (self.duration_s > 0)))
        if len(wrong):
            raise UsageError(
                "forecast.duration",
                f"history.duration_s[{wrong[0]}]",
                f"Is {self.duration_s[wrong[0]]}.",
                "Give seconds, more than 0; leave out executions that did not end.",
            )

    def __len__(self) -> int:
        return len(self.work)

    def take(self, rows: NDArray[np.intp]) -> "History":
        """Return the rows with these indices, in this order."""
        return History(self.work.take(rows), self.duration_s[rows])

    def split(self, share: float) -> tuple["History", "History"]:
        """Return the earlier `share` of the executions, and the later rest."""
        cut = round(len(self) * share)
        return self.take(np.arange(cut)), self.take(np.arange(cut, len(self)))


def pair_of(cell: Cell) -> str:
    """Return the name of a cell's blueprint and site, under which forecasts are chosen."""
    return f"{cell[0]} @ {cell[1]}"


def rows_by(keys: Iterable[Key]) -> Iterator[tuple[Key, NDArray[np.intp]]]:
    """Yield every distinct key with the rows where it stands, in order of first appearance."""
    found: dict[Key, list[int]] = {}
    for row, key in enumerate(keys):
        found.setdefault(key, []).append(row)
    for key, rows in found.items():
        yield key, np.array(rows, dtype=np.intp)
