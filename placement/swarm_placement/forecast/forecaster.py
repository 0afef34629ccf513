"""Forecasts of durations: the better of two models per blueprint and site, corrected online.

Which model serves a pair of blueprint and site is decided by the pinball loss on the later part
of the history. Online, the level of each site follows its residuals (exponential smoothing, Brown
1956), and adaptive conformal correction keeps the quantiles honest under whatever drift is left.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from swarm_placement.errors import UsageError
from swarm_placement.forecast.boosting import BoostedQuantiles
from swarm_placement.forecast.conformal import AdaptiveConformal
from swarm_placement.forecast.coverage import pinball
from swarm_placement.forecast.empirical import EmpiricalQuantiles
from swarm_placement.forecast.history import Floats, History, Work, pair_of, rows_by
from swarm_placement.forecast.locations import Prior

LEVELS = (0.5, 0.9, 0.95, 0.99)
TRAINING_SHARE = 0.8
LEAST_TO_BOOST = 500  # executions below which trees only memorise
LEAST_TO_CHOOSE = 50  # validation executions below which a pair follows the majority
SMALLEST_SIGMA = 0.05
LEVEL_GAIN = 0.05  # half of a step of a site is followed within 14 executions
LARGEST_SURPRISE = 1.0  # log seconds; a straggler must not move a site's level

_NORMAL = NormalDist()

ModelName = Literal["boosted", "empirical"]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was said of n executions: `quantiles_s` and uncorrected `base` (log seconds), both of
    shape (n, levels) and rising along a row; `mean_s` of shape (n,)."""

    base: Floats
    quantiles_s: Floats
    mean_s: Floats


@dataclass(slots=True)
class Forecaster:
    """Models, the choice among them, the levels of sites (log seconds), and the correction.

    `fit` for a history (an empty one is answered by the prior), `predict`, `observe` what came of
    it, `refresh` now and then off the hot path.
    """

    prior: Prior
    empirical: EmpiricalQuantiles
    boosted: BoostedQuantiles | None
    conformal: AdaptiveConformal
    choice: dict[str, ModelName]
    majority: ModelName
    site_levels: dict[str, float] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        history: History,
        *,
        boost: bool,
        seed: int = 0,
        prior: Prior | None = None,
        levels: tuple[float, ...] = LEVELS,
    ) -> "Forecaster":
        """Learn from a history in order of time; the latest fifth decides which model serves.

        Raises `UsageError` when levels do not rise between 0 and 1, and without xgboost when
        `boost` is wanted.
        """
        _check(levels)
        prior = prior or Prior()
        conformal = AdaptiveConformal(levels)
        earlier, later = history.split(TRAINING_SHARE)
        empirical = EmpiricalQuantiles.fit(earlier, levels, prior)
        boosted = None
        if boost and len(history) >= LEAST_TO_BOOST:
            boosted = BoostedQuantiles.fit(earlier, levels, prior, seed=seed)
        made = cls(prior, empirical, boosted, conformal, {}, "empirical")
        made._choose(later)
        made._replay(later)
        made.empirical = EmpiricalQuantiles.fit(history, levels, prior)
        if boosted is not None:
            made.boosted = BoostedQuantiles.fit(history, levels, prior, seed=seed)
        return made

    @property
    def levels(self) -> tuple[float, ...]:
        """The probabilities of the quantiles."""
        return self.conformal.levels

    def predict(self, work: Work) -> Forecast:
        """Return quantiles and mean seconds of executions.

        Quantiles that cross are put in order (Chernozhukov, Fernandez-Val & Galichon, Quantile
        and Probability Curves Without Crossing, 2010). The mean is that of the log-normal
        distribution through the median and the highest quantile.
        """
        base = self._base(work)
        offsets = {cell: self.conformal.offsets(cell) for cell in set(work.cells)}
        moved = base + np.array([offsets[cell] for cell in work.cells]).reshape(base.shape)
        logs = np.sort(moved, axis=1)
        return Forecast(base, np.exp(logs), _mean_s(self.levels, logs))

    def observe(self, work: Work, forecast: Forecast, duration_s: Floats) -> None:
        """Learn what executions took; `forecast` is what `predict` said of them.

        Raises:
            UsageError: for durations that are not positive and finite; nothing is learnt then.
        """
        seconds = History(work, duration_s).duration_s
        issued = np.log(forecast.quantiles_s)
        middle = self._middle()
        for row, log_duration in enumerate(np.log(seconds).tolist()):
            cell, base = work.cells[row], forecast.base[row]
            self.conformal.observe(cell, base, issued[row], log_duration)
            level = self.site_levels.get(cell[1], 0.0)
            self.site_levels[cell[1]] = _moved(level, log_duration - float(base[middle]))

    def refresh(self, recent: History) -> None:
        """Refit locations to a recent history, in order of time, and add trees.

        The correction keeps its rates; levels and records are taken anew against the new models.
        """
        self.empirical = EmpiricalQuantiles.fit(recent, self.levels, self.prior)
        if self.boosted is not None:
            self.boosted = self.boosted.refreshed(recent, self.prior)
        self._replay(recent)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "prior": {"median_s": self.prior.median_s, "sigma": self.prior.sigma},
            "empirical": self.empirical.to_dict(),
            "boosted": self.boosted.to_dict() if self.boosted is not None else None,
            "conformal": self.conformal.to_dict(),
            "choice": dict(self.choice),
            "majority": self.majority,
            "site_levels": dict(self.site_levels),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Forecaster":
        """Return what `to_dict` described; raise `UsageError` if it needs xgboost and has none."""
        boosted = data["boosted"]
        return cls(
            Prior(**data["prior"]),
            EmpiricalQuantiles.from_dict(data["empirical"]),
            BoostedQuantiles.from_dict(boosted) if boosted is not None else None,
            AdaptiveConformal.from_dict(data["conformal"]),
            dict(data["choice"]),
            data["majority"],
            dict(data["site_levels"]),
        )

    def _base(self, work: Work) -> Floats:
        levels = [self.site_levels.get(cell[1], 0.0) for cell in work.cells]
        base: Floats = self._modelled(work) + np.array(levels).reshape(len(work), 1)
        return base

    def _modelled(self, work: Work) -> Floats:
        found = self.empirical.predict(work)
        chosen = [self.choice.get(pair_of(cell), self.majority) for cell in work.cells]
        rows = np.flatnonzero(np.array(chosen) == "boosted")
        if self.boosted is not None and len(rows):
            found[rows] = self.boosted.predict(work.take(rows))
        return np.sort(found, axis=1)

    def _middle(self) -> int:
        return int(np.argmin(np.abs(np.array(self.levels) - 0.5)))

    def _replay(self, history: History) -> None:
        """Take levels and records anew from a history, in order of time."""
        logs = np.log(history.duration_s)
        modelled = self._modelled(history.work)
        followed, self.site_levels = _followed(modelled, history.work, logs, self._middle())
        self.conformal.forget()
        for cell, misses in zip(history.work.cells, logs[:, None] - followed, strict=True):
            self.conformal.record(cell, misses)

    def _choose(self, later: History) -> None:
        if self.boosted is None or not len(later):
            return
        logs = np.log(later.duration_s)
        losses = []
        for model in (self.empirical, self.boosted):
            # Judged as they will serve: with levels that follow the sites.
            followed, _ = _followed(model.predict(later.work), later.work, logs, self._middle())
            losses.append(pinball(self.levels, followed, logs))
        gain = losses[0] - losses[1]
        self.majority = "boosted" if gain.mean() > 0 else "empirical"
        for pair, rows in rows_by(pair_of(cell) for cell in later.work.cells):
            if len(rows) >= LEAST_TO_CHOOSE:
                self.choice[pair] = "boosted" if gain[rows].mean() > 0 else "empirical"


def _followed(
    modelled: Floats, work: Work, logs: Floats, middle: int
) -> tuple[Floats, dict[str, float]]:
    """Return log quantiles with the level each site had at the time, and the last levels."""
    levels: dict[str, float] = {}
    found = np.empty_like(modelled)
    for row, cell in enumerate(work.cells):
        level = levels.get(cell[1], 0.0)
        found[row] = modelled[row] + level
        levels[cell[1]] = _moved(level, float(logs[row] - found[row, middle]))
    return found, levels


def _moved(level: float, surprise: float) -> float:
    return level + LEVEL_GAIN * max(-LARGEST_SURPRISE, min(LARGEST_SURPRISE, surprise))


def _check(levels: tuple[float, ...]) -> None:
    rising = all(low < high for low, high in pairwise(levels))
    if len(levels) < 2 or not rising or not 0 < levels[0] <= 0.5 < levels[-1] < 1:
        raise UsageError(
            "forecast.levels",
            "levels",
            f"Are {levels}.",
            "Give at least two probabilities that rise from at most 0.5 to less than 1.",
        )


def _mean_s(levels: tuple[float, ...], logs: Floats) -> Floats:
    z = np.array([_NORMAL.inv_cdf(level) for level in (levels[0], levels[-1])])
    sigma = np.maximum((logs[:, -1] - logs[:, 0]) / (z[1] - z[0]), SMALLEST_SIGMA)
    mean: Floats = np.exp(logs[:, 0] - z[0] * sigma + sigma**2 / 2)
    return mean
