"""Quantiles of durations by boosted trees over features (xgboost, the extra `forecast`).

The target is the log residual around the partially pooled location of a cell, so that a refresh
after a site became slower moves the location and keeps the trees. Source: quantile loss, Koenker
& Bassett, Regression Quantiles (1978); xgboost's `reg:quantileerror`.
"""

import json
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from swarm_placement.errors import UsageError
from swarm_placement.forecast.history import FEATURES, Floats, History, Work
from swarm_placement.forecast.locations import Locations, Prior

ROUNDS = 120
REFRESH_ROUNDS = 20
MAX_ROUNDS = 300  # then a refresh starts anew: the oldest trees describe a world that is gone
COLUMNS = (*FEATURES, "location")


def library() -> ModuleType:
    """Return xgboost; raise `UsageError` naming the extra when it is not installed."""
    try:
        import xgboost
    except ImportError as error:
        raise UsageError(
            "forecast.extra",
            "",
            "Boosted quantiles need xgboost, which is not installed.",
            "Install swarm-ray[forecast], or ask for empirical quantiles only.",
        ) from error
    return xgboost


@dataclass(frozen=True, slots=True)
class BoostedQuantiles:
    """Boosted trees around `locations`; `booster` is xgboost's JSON text of `rounds` rounds."""

    levels: tuple[float, ...]
    locations: Locations
    booster: Any
    rounds: int
    seed: int

    @classmethod
    def fit(
        cls, history: History, levels: tuple[float, ...], prior: Prior, *, seed: int
    ) -> "BoostedQuantiles":
        """Return trees for a history. One thread: two threads on a busy machine spin (facts)."""
        locations = Locations.fit(history, prior)
        booster = _trained(history, levels, locations, seed, ROUNDS, None)
        return cls(levels, locations, booster, ROUNDS, seed)

    def refreshed(self, history: History, prior: Prior) -> "BoostedQuantiles":
        """Return these trees with new locations and some trees more, for a recent history."""
        if self.rounds + REFRESH_ROUNDS > MAX_ROUNDS:
            return self.fit(history, self.levels, prior, seed=self.seed)
        locations = Locations.fit(history, prior)
        booster = _trained(history, self.levels, locations, self.seed, REFRESH_ROUNDS, self.booster)
        rounds = self.rounds + REFRESH_ROUNDS
        return BoostedQuantiles(self.levels, locations, booster, rounds, self.seed)

    def predict(self, work: Work) -> Floats:
        """Return log seconds of shape (n, levels); levels may cross."""
        location = self.locations.at(work.cells)
        rest = self.booster.inplace_predict(_columns(work, location))
        found: Floats = location[:, None] + np.asarray(rest, dtype=np.float64).reshape(
            len(work), len(self.levels)
        )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; the trees as xgboost's own JSON."""
        return {
            "levels": list(self.levels),
            "locations": self.locations.to_dict(),
            "booster": json.loads(self.booster.save_raw("json").decode()),
            "rounds": self.rounds,
            "seed": self.seed,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "BoostedQuantiles":
        """Return what `to_dict` described; raise `UsageError` without xgboost."""
        booster = library().Booster({"nthread": 1})
        booster.load_model(bytearray(json.dumps(data["booster"]).encode()))
        locations = Locations.from_dict(data["locations"])
        return cls(tuple(data["levels"]), locations, booster, data["rounds"], data["seed"])


def _columns(work: Work, location: Floats) -> Floats:
    return np.column_stack([work.features, location])


def _trained(
    history: History,
    levels: tuple[float, ...],
    locations: Locations,
    seed: int,
    rounds: int,
    before: Any,
) -> Any:
    xgboost = library()
    location = locations.at(history.work.cells)
    data = xgboost.QuantileDMatrix(
        _columns(history.work, location),
        np.log(history.duration_s) - location,
        feature_names=list(COLUMNS),
        nthread=1,
    )
    settings = {
        "objective": "reg:quantileerror",
        "quantile_alpha": list(levels),
        "tree_method": "hist",
        "multi_strategy": "multi_output_tree",
        "max_depth": 5,
        "learning_rate": 0.1,
        "min_child_weight": 20,
        "nthread": 1,
        "seed": seed,
        "verbosity": 0,
    }
    return xgboost.train(settings, data, rounds, xgb_model=before)
