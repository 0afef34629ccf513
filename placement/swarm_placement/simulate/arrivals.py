"""Seeded streams of executions: what warm-pool policies are judged by."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from swarm_placement.forecast.history import Floats

Family = Literal["daily", "bursts", "clock", "sparse", "tail"]
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Stream:
    """Executions of one model at one site: start times (rising) and seconds of service, (n,)."""

    arrival_s: Floats
    service_s: Floats
    horizon_s: float


def stream(family: Family, rng: np.random.Generator, horizon_s: float = DAY_S) -> Stream:
    """Return one stream of a family.

    `daily`: Poisson with a daily wave, up to tens at a time; `bursts`: the same with swarms that
    ask for 5 to 40 executions at once; `clock`: every few minutes, nearly; `sparse`: Poisson, a few
    per hour, in sessions; `tail`: a few per day. Service is log-normal, 5 to 30 s in the median.
    """
    make = {"daily": _daily, "bursts": _bursts, "clock": _clock, "sparse": _sparse, "tail": _tail}
    arrival_s = np.sort(make[family](rng, horizon_s))
    arrival_s = arrival_s[(arrival_s >= 0) & (arrival_s < horizon_s)]
    service_s = rng.lognormal(np.log(rng.uniform(5.0, 30.0)), 0.5, len(arrival_s))
    return Stream(arrival_s, service_s, horizon_s)


def _thinned(rng: np.random.Generator, horizon_s: float, most: float, depth: float) -> Floats:
    count = rng.poisson(most * horizon_s)
    at_s = rng.uniform(0.0, horizon_s, count)
    phase = rng.uniform(0.0, 2 * np.pi)
    share = 1.0 - depth * (0.5 + 0.5 * np.cos(2 * np.pi * at_s / DAY_S + phase))
    kept: Floats = at_s[rng.uniform(size=count) < share]
    return kept


def _daily(rng: np.random.Generator, horizon_s: float) -> Floats:
    return _thinned(rng, horizon_s, rng.uniform(0.2, 1.0), 0.8)


def _bursts(rng: np.random.Generator, horizon_s: float) -> Floats:
    swarms = _thinned(rng, horizon_s, 1.0 / rng.uniform(300.0, 1200.0), 0.8)
    sizes = rng.integers(5, 41, len(swarms))
    spread = np.repeat(swarms, sizes) + rng.exponential(3.0, sizes.sum())
    return np.concatenate([_thinned(rng, horizon_s, rng.uniform(0.02, 0.2), 0.8), spread])


def _clock(rng: np.random.Generator, horizon_s: float) -> Floats:
    every = rng.uniform(180.0, 1200.0)
    ticks = np.arange(rng.uniform(0, every), horizon_s, every)
    return np.asarray(ticks + rng.normal(0.0, 3.0, len(ticks)), dtype=np.float64)


def _sparse(rng: np.random.Generator, horizon_s: float) -> Floats:
    sessions = rng.uniform(0.0, horizon_s, rng.poisson(horizon_s / 3600.0))
    sizes = rng.geometric(0.15, len(sessions))
    steps = [rng.exponential(rng.uniform(30.0, 120.0), size).cumsum() for size in sizes]
    return np.concatenate([begin + step for begin, step in zip(sessions, steps, strict=True)])


def _tail(rng: np.random.Generator, horizon_s: float) -> Floats:
    return rng.uniform(0.0, horizon_s, rng.poisson(4.0 * horizon_s / DAY_S))
