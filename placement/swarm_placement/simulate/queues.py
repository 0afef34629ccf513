"""List schedules of many sites in many draws at once.

Every site takes its copies in a given order, each on the slot that is free first. A copy whose
model is cold loads it once per slot.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Queues:
    """Copies by site in the order of execution: those of site s are `begin[s]:begin[s + 1]`.

    `model` and `cold_s` say per copy which model it needs and what a slot takes to load it;
    `free_s` per site when each of its slots is free, ascending.
    """

    begin: Ints
    model: Ints
    cold_s: Floats
    free_s: tuple[Floats, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """Start and end of every copy, draws x copies; `free_s` per site, draws x slots: when each
    slot has done its last copy. A start includes loading: computation begins later by that."""

    start_s: Floats
    end_s: Floats
    free_s: tuple[Floats, ...]


def list_schedule(queues: Queues, duration_s: Floats) -> Schedule:
    """Return when copies start and end; `duration_s` is draws x copies, without loading."""
    draws, sites = duration_s.shape[0], len(queues.free_s)
    counts = np.diff(queues.begin)
    start_s, end_s = np.empty_like(duration_s), np.empty_like(duration_s)
    final: list[Floats] = [np.empty(0)] * sites
    width = np.array([max(1, len(free)) for free in queues.free_s])
    for bucket in np.unique(np.ceil(np.log2(width))):
        # Sites of like size together: the widest decides what a step costs.
        members = np.flatnonzero(np.ceil(np.log2(width)) == bucket)
        members = members[np.argsort(-counts[members], kind="stable")]
        free = np.full((draws, len(members), int(width[members].max())), np.inf)
        for row, site in enumerate(members):
            free[:, row, : len(queues.free_s[site])] = queues.free_s[site]
        _fill(queues, members, counts[members], free, duration_s, start_s, end_s)
        for row, site in enumerate(members):
            final[site] = free[:, row, : len(queues.free_s[site])]
    return Schedule(start_s, end_s, tuple(final))


def _fill(
    queues: Queues,
    members: Ints,
    counts: Ints,
    free: Floats,
    duration_s: Floats,
    start_s: Floats,
    end_s: Floats,
) -> None:
    """Schedule the members, which are sorted by falling counts, one copy each per step."""
    draws = free.shape[0]
    loaded = np.zeros((*free.shape, int(queues.model.max(initial=0)) + 1), dtype=bool)
    draw = np.arange(draws)[:, None]
    for step in range(int(counts.max(initial=0))):
        active = int(np.searchsorted(-counts, -step, side="left"))
        row = np.arange(active)[None, :]
        copy = queues.begin[members[:active]] + step
        slot = free[:, :active].argmin(axis=2)
        start = free[draw, row, slot]
        cold = queues.cold_s[copy]
        if cold.any():
            model = queues.model[copy][None, :]
            cold = np.where(loaded[draw, row, slot, model], 0.0, cold)
            loaded[draw, row, slot, model] = True
        end = start + cold + duration_s[:, copy]
        free[draw, row, slot] = end
        start_s[:, copy], end_s[:, copy] = start, end
