"""When the copies of a plan start, in distribution.

A copy's start is skewed around the renewal function of its site: the work ahead of it, shared by the
slots, less what the busy slots still have to do (`renewal`). Its variance and skewness are those of
the work ahead.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.chance import restarts
from swarm_placement.chance.lots import Lots, queues
from swarm_placement.chance.renewal import renewed
from swarm_placement.model import Instance

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Truths = NDArray[np.bool_]
BEYOND = 4.0
"""Mean times on the slot for which a copy counts even if it starts at the end."""

_SIGMAS = np.linspace(1e-3, 1.5, 300)
_SKEWNESS = (np.exp(_SIGMAS**2) + 2) * np.sqrt(np.expm1(_SIGMAS**2))
"""Skewness of log-normal variates."""


@dataclass(frozen=True, slots=True, eq=False)
class Starts:
    """When copies start, lots x places: mean and standard deviation in seconds, and skewness;
    `cold_s` is the loading that a copy there waits for itself."""

    mean_s: Floats
    spread_s: Floats
    skewness: Floats
    cold_s: Floats

    def at(self, factor: Floats) -> Floats:
        """Return when they start for a factor of their site, lots x factors: a shifted log-normal
        with these moments, at its normal variate."""
        sigma = np.interp(self.skewness, _SKEWNESS, _SIGMAS)
        shifted = np.expm1(sigma * factor - sigma * sigma / 2) / np.sqrt(np.expm1(sigma * sigma))
        return np.asarray(self.mean_s + self.spread_s * shifted + self.cold_s)


def starts(instance: Instance, lots: Lots, at: Floats) -> Starts:
    """Return when copies at these places of their lots (0 for the first, lots x places) start."""
    horizon_s = float(lots.due_s.max(initial=0.0))
    busy = _busy(lots, np.full(lots.many.size, horizon_s))
    if lots.rate.any():
        # What counts of a copy on spot is how long it is busy until the end, and a little beyond: what
        # is then still to do is taken off again for all.
        middle = _starts(instance, lots, np.asarray((lots.many[:, None] - 1) / 2), busy).mean_s
        left_s = np.maximum(horizon_s - middle[:, 0], 0.0) + BEYOND * busy[0]
        busy = _busy(lots, np.minimum(left_s, horizon_s))
    return _starts(instance, lots, at, busy)


def _starts(instance: Instance, lots: Lots, at: Floats, busy: Floats) -> Starts:
    """Return when copies start, given the moments of what each takes."""
    found = np.zeros((4, *at.shape))
    if lots.many.size:
        lines = _Lines(instance, lots, busy)
        found[:, lines.row] = lines.starts(at[lines.row])
    return Starts(*found)


def _busy(lots: Lots, left_s: Floats) -> Floats:
    """Return mean, variance and third central moment of what a copy of each lot takes on its slot,
    without loading; on spot slots of the time that is left."""
    grown = np.expm1(lots.sigma**2)
    found = np.array([lots.mean_s + lots.move_s, lots.mean_s**2 * grown, lots.mean_s**3 * grown**2])
    found[2] *= grown + 3
    spot = np.flatnonzero(lots.rate)
    if spot.size:
        found[:, spot] = restarts.busy(lots, spot, left_s[spot])
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Cold:
    """A model that every slot of a site loads once: the lots of the site, which of them are the
    model's own, copies of all lots and of its own up to each lot, slots, and seconds a slot loads."""

    here: slice
    own: Truths
    copies: Floats
    own_copies: Floats
    slots: int
    once_s: float

    def earlier(self, copies: Floats) -> Floats:
        """Return how many of the model's own copies are ahead, by how many are."""
        return np.asarray(np.interp(copies, self.copies, self.own_copies))


class _Lines:
    """The copies of all sites in the order of execution, site after site, and sums over those ahead
    of a place. Places are told by the copies ahead of them at their site, lots x places."""

    def __init__(self, instance: Instance, lots: Lots, busy: Floats) -> None:
        self.free_s, rows = zip(*queues(instance, lots), strict=True)
        self.row = np.concatenate(rows)
        sizes = np.array([row.size for row in rows])
        ends = np.cumsum(sizes)
        self.here = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        self.line = np.repeat(np.arange(sizes.size), sizes)
        self.first = (ends - sizes)[self.line]
        self.many = lots.many[self.row]
        self.ahead = np.cumsum(self.many) - self.many
        moments = busy[:, self.row]
        self.each = np.array([*moments, moments[1] + moments[0] ** 2])
        self.sums = np.cumsum(self.many * self.each, axis=1) - self.many * self.each
        self.cold = list(self._cold(lots.model[self.row], lots.cold_s[self.row]))

    def _cold(self, model: Ints, cold_s: Floats) -> Iterator[_Cold]:
        """Yield every model that is not loaded at a site."""
        waits = np.flatnonzero(cold_s)
        pairs = np.unique(np.stack([self.line[waits], model[waits]]), axis=1)
        for line, one in pairs.T.tolist():
            here = self.here[line]
            own = model[here] == one
            many, slots = self.many[here], self.free_s[line].size
            once_s = float(cold_s[here][own][0])
            yield _Cold(here, own, _from_0(many), _from_0(np.where(own, many, 0)), slots, once_s)

    def starts(self, at: Floats) -> Floats:
        """Return mean, standard deviation and skewness of when copies at these places of their lots
        start, and what they wait for loading their own model."""
        copies = (self.ahead - self.ahead[self.first])[:, None] + at
        work_s, noise, cubes, _ = self.summed(copies)
        base_s, at_once, fluid_s, slots = self.shared(work_s + self.loading(copies)[0])
        mean_s, variation = self.just_before(copies, slots)
        waves = (copies + 0.5) / slots
        # Those just before a copy are still executed when it starts.
        early_s = mean_s * (waves - renewed(waves, variation)) * (slots - 1) / slots
        waits = copies >= at_once
        return np.array(
            [
                np.where(waits, np.maximum(fluid_s - early_s, base_s), base_s),
                np.where(waits, np.sqrt(noise) / slots, 0.0),
                cubes / np.maximum(noise, 1e-90) ** 1.5,
                self.own_loading_s(copies),
            ]
        )

    def summed(self, copies: Floats) -> Floats:
        """Return of the work ahead mean, variance and third central moment, and the sum of squares."""
        place = self.ahead[self.first][:, None] + copies
        lot = np.searchsorted(self.ahead, place, side="right") - 1
        found = self.sums[:, lot] + self.each[:, lot] * (place - self.ahead[lot])
        return np.asarray(found - self.sums[:, self.first, None])

    def shared(self, work_s: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return when the first slot of each site is free and how many are then (lots x 1), and when
        so much work has been shared by how many slots (lots x places)."""
        first = [(free_s[0], np.count_nonzero(free_s == free_s[0])) for free_s in self.free_s]
        base_s, at_once = np.array(first, np.float64)[self.line].T[:, :, None]
        slots = np.broadcast_to(at_once, work_s.shape).copy()
        fluid_s = base_s + work_s / at_once
        for here, free_s in zip(self.here, self.free_s, strict=True):
            if free_s[0] < free_s[-1]:
                room = free_s * np.arange(free_s.size) - (np.cumsum(free_s) - free_s)
                fluid_s[here] = np.interp(work_s[here], room, free_s)
                fluid_s[here] += np.maximum(work_s[here] - room[-1], 0.0) / free_s.size
                slots[here] = np.searchsorted(free_s, fluid_s[here], side="right")
        return base_s, at_once, fluid_s, slots

    def just_before(self, copies: Floats, slots: Floats) -> tuple[Floats, Floats]:
        """Return mean and coefficient of variation of the time that as many copies as there are
        slots take just before these places, loading included but for the first of each slot."""
        later, earlier = np.maximum(copies, 1.0), np.maximum(copies - slots, 0.0)
        each = later - earlier
        mean_s, _, _, square = (self.summed(later) - self.summed(earlier)) / each
        # The first copies of all slots load at the same time: that only shifts the rest.
        till, since = (self.loading(np.maximum(one, slots)) for one in (later, earlier))
        first, second = (till - since) / each
        square += 2 * mean_s * first + second
        mean_s += first
        return mean_s, np.sqrt(np.maximum(square / mean_s**2 - 1, 0.0))

    def own_loading_s(self, copies: Floats) -> Floats:
        """Return what copies wait for loading their own model: every slot loads a model once, the
        first copies of a model wait for it."""
        found = np.zeros_like(copies)
        for cold in self.cold:
            waits = cold.own[:, None] & (cold.earlier(copies[cold.here]) < cold.slots)
            found[cold.here] += np.where(waits, cold.once_s, 0.0)
        return found

    def loading(self, copies: Floats) -> Floats:
        """Return the seconds that slots load ahead, summed, and the sum of their squares."""
        found = np.zeros((2, *copies.shape))
        for cold in self.cold:
            many = np.minimum(cold.earlier(copies[cold.here]), cold.slots)
            found[:, cold.here] += many * np.array([cold.once_s, cold.once_s**2])[:, None, None]
        return found


def _from_0(many: Ints) -> Floats:
    return np.append(0.0, np.cumsum(many))
