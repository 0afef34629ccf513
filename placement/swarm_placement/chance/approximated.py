"""The chance of a plan with too many copies to execute it many times.

When a copy starts is normal around the renewal function of its site: the work ahead of it, shared by
the slots, less what the busy slots still have to do (Cox, Renewal Theory, 1962). A site has one
random factor, by which all of its queue is early or late together, growing with the variance of the
work ahead; given the factors of all sites, items are independent. The factors are drawn, seeded by a
constant; the number of failures given them is worked out (Rao-Blackwell).
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from swarm_placement.chance.likelihood import Chance, few_failures, normal
from swarm_placement.chance.lots import Items, Lots, items_of, queues
from swarm_placement.model import Instance

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SEED = 20_260
DRAWS = 400
NODES = np.linspace(-4.0, 4.0, 9)
"""Values of a site's factor at which its failures are worked out; between them they are interpolated."""
PART = 0.5
"""Copies per slot that one place in the queue stands for: what is late may be the very last of it."""
MOST_PARTS = 8_000
"""Parts of all queues together, if lots are divided."""
MODEL_ERROR = 0.1
"""Error of the approximation besides that of the draws, in parts of p (1 - p): chosen after comparing
six shapes with executed plans, in which it was off by 0.08 at most; no fit, no bound."""
RESTARTS = 5
"""Preemptions of a copy that are told apart; with more it is late."""


@dataclass(frozen=True, slots=True, eq=False)
class Starts:
    """When copies start, lots x places: mean and standard deviation in seconds; `cold_s` is the
    loading that a copy there waits for itself."""

    mean_s: Floats
    spread_s: Floats
    cold_s: Floats


def approximated(instance: Instance, lots: Lots) -> Chance:
    """Return the chance of a plan from the distribution of its queues."""
    lots = divided(instance, lots)
    when = starts(instance, lots, np.asarray((lots.many[:, None] - 1) / 2, np.float64))
    done = np.stack(
        [in_time(lots, when.mean_s + node * when.spread_s + when.cold_s) for node in NODES], axis=-1
    )
    return _chance(instance, lots, items_of(instance, lots), done)


def divided(instance: Instance, lots: Lots) -> Lots:
    """Return the lots in parts that are short beside a mean duration, as they follow each other."""
    slots = np.array([site.slots for site in instance.sites])[lots.site]
    size = np.maximum(1.0, PART * slots)
    size *= max(1.0, float((lots.many / size).sum()) / MOST_PARTS)
    parts = np.ceil(lots.many / size).astype(np.int64)
    order = np.argsort(lots.of_copy, kind="stable")
    lot = lots.of_copy[order]
    rank = np.arange(lot.size) - (np.cumsum(lots.many) - lots.many)[lot]
    of_copy = np.empty_like(lots.of_copy)
    of_copy[order] = (np.cumsum(parts) - parts)[lot] + rank * parts[lot] // lots.many[lot]
    whole = np.repeat(np.arange(parts.size), parts)
    fields = (
        "of_class",
        "site",
        "model",
        "latest_s",
        "move_s",
        "cold_s",
        "mean_s",
        "sigma",
        "rate",
        "due_s",
    )
    return replace(
        lots,
        **{name: getattr(lots, name)[whole] for name in fields},
        many=np.bincount(of_copy, minlength=whole.size),
        of_copy=of_copy,
    )


def starts(instance: Instance, lots: Lots, at: Floats) -> Starts:
    """Return when copies at these places of their lots (0 for the first, lots x places) start."""
    busy_s, variance = _busy(lots)
    found, order = [], []
    for free_s, row in queues(instance, lots):
        line = _Line(lots.many[row], busy_s[row], variance[row])
        own, before = _loading(lots, row, at[row], free_s.size)
        found.append([*line.ahead(free_s, line.copies[:-1, None] + at[row], before), own])
        order.append(row)
    if not order:
        return Starts(*np.zeros((3, *at.shape)))
    columns = np.empty((len(found[0]), *at.shape))
    columns[:, np.concatenate(order)] = np.concatenate(found, axis=1)
    base_s, fluid_s, noise_s, slots, waves, mean_s, variation, own = columns
    # Those just before a copy are still executed when it starts.
    early_s = mean_s * (waves - renewed(waves, variation)) * (slots - 1) / slots
    return Starts(np.maximum(fluid_s - early_s, base_s), noise_s, own)


def in_time(lots: Lots, begin_s: Floats) -> Floats:
    """Return the probability that copies which compute from then on, after their transfer, end
    before they are due; restarts on spot slots are told apart by their number."""
    sigma = np.maximum(lots.sigma, 1e-9)[:, None]
    middle = np.log(lots.mean_s)[:, None] - sigma * sigma / 2
    left = (lots.due_s - lots.move_s)[:, None] - begin_s
    found = normal((np.log(np.maximum(left, 1e-300)) - middle) / sigma)
    spot = np.flatnonzero(lots.rate)
    if spot.size:
        kept, lost_s = _preempted(lots, spot)
        total = np.zeros_like(found[spot])
        for restarts in range(RESTARTS):
            z = np.log(np.maximum(left[spot] - restarts * lost_s[:, None], 1e-300)) - middle[spot]
            total += (kept * (1 - kept) ** restarts)[:, None] * normal(z / sigma[spot])
        found[spot] = total
    return found


def _preempted(lots: Lots, spot: Ints) -> tuple[Floats, Floats]:
    """Return the probability that a try is not preempted, and what a preempted one takes."""
    once, rate = (lots.mean_s + lots.move_s)[spot], lots.rate[spot]
    kept = np.exp(-rate * once)
    return kept, 1 / rate - once * kept / np.maximum(1 - kept, 1e-12)


def _busy(lots: Lots) -> tuple[Floats, Floats]:
    """Return mean and variance of what a copy of each lot takes on its slot, without loading."""
    busy_s = lots.mean_s + lots.move_s
    variance = lots.mean_s**2 * np.expm1(lots.sigma**2)
    spot = np.flatnonzero(lots.rate)
    if spot.size:
        kept, lost_s = _preempted(lots, spot)
        again = (1 - kept) / kept  # geometric
        busy_s[spot] += again * lost_s
        variance[spot] += again * (1 + again) * lost_s**2 + again * lost_s**2 / 3
    return busy_s, variance


def _ahead(values: Floats) -> Floats:
    return np.asarray(np.cumsum(values) - values)


def _loading(lots: Lots, row: Ints, place: Floats, slots: int) -> tuple[Floats, Floats]:
    """Return what copies wait for loading their own model, and the loading ahead of them: every
    slot loads a model once, the first copies of a model wait for it."""
    own, before = np.zeros((2, *place.shape))
    cold_s, model = lots.cold_s[row], lots.model[row]
    for one in np.unique(model[cold_s > 0]):
        here = model == one
        many = np.where(here, lots.many[row], 0)
        earlier = _ahead(many)[:, None] + np.where(here[:, None], place, 0.0)
        once_s = float(cold_s[here][0])
        before += np.minimum(earlier, slots) * once_s
        own += np.where(here[:, None] & (earlier < slots), once_s, 0.0)
    return own, before


class _Line:
    """The copies of a site in the order of execution: sums over those ahead of a place."""

    def __init__(self, many: Ints, busy_s: Floats, variance: Floats) -> None:
        sums = np.zeros((4, many.size + 1))
        each = [np.ones(many.size), busy_s, variance, variance + busy_s**2]
        np.cumsum(many * np.array(each), axis=1, out=sums[:, 1:])
        self.copies, self.work_s, self.noise, self.squares = sums

    def ahead(self, free_s: Floats, copies: Floats, loading_s: Floats) -> Floats:
        """Return what decides when copies start that have so many copies and so much loading ahead:
        when the first slot is free, the share of the work ahead, its standard deviation, the slots
        that share it, the copies per slot, and mean and coefficient of variation of those that are
        executed just before."""
        work_s = np.interp(copies, self.copies, self.work_s) + loading_s
        at_once = float(np.searchsorted(free_s, free_s[0], side="right"))
        if at_once == free_s.size:
            slots, fluid_s = np.full(copies.shape, at_once), free_s[0] + work_s / at_once
        else:
            room = free_s * np.arange(free_s.size) - _ahead(free_s)
            fluid_s = np.interp(work_s, room, free_s)
            fluid_s += np.maximum(work_s - room[-1], 0.0) / free_s.size
            slots = np.searchsorted(free_s, fluid_s, side="right").astype(np.float64)
        waits = copies >= at_once
        earlier = np.maximum(copies - slots, 0.0)
        later = np.maximum(copies, 1.0)
        mean_s, square = (
            (np.interp(later, self.copies, sums) - np.interp(earlier, self.copies, sums))
            / (later - earlier)
            for sums in (self.work_s, self.squares)
        )
        return np.array(
            [
                np.full(copies.shape, free_s[0]),
                np.where(waits, fluid_s, free_s[0]),
                np.where(waits, np.sqrt(np.interp(copies, self.copies, self.noise)) / slots, 0.0),
                slots,
                (copies + 0.5) / slots,
                mean_s,
                np.sqrt(np.maximum(square / mean_s**2 - 1, 0.0)),
            ]
        )


WAVES, STEPS = 24, 20
VARIED, FINE = (0.0, 3.0), 20
"""Coefficients of variation from least to most, and how many of them between two whole numbers."""


def renewed(waves: Floats, variation: Floats) -> Floats:
    """Return when the copy starts that has so many copies per slot ahead, in mean durations, for
    durations with this coefficient of variation.

    All slots begin together, so that for durations which vary little the starts come in waves; where
    they vary, a copy starts earlier than its share of the work, by the mean residual duration.
    """
    step = np.round(np.minimum(variation, VARIED[-1]) * FINE).astype(np.int64)
    found = np.empty_like(waves)
    for one in np.unique(step):
        here = step == one
        at, time = _renewal(int(one))
        found[here] = np.interp(waves[here], at, time) + np.maximum(waves[here] - at[-1], 0.0)
    return found


@lru_cache(maxsize=256)
def _renewal(step: int) -> tuple[Floats, Floats]:
    """Return copies per slot started by each time: one more than the renewal function. The sum of
    several durations is taken for log-normal (Fenton 1960)."""
    variation = max(step / FINE, 1e-3)
    time = np.linspace(0.0, WAVES / 2, WAVES // 2 * STEPS + 1)
    total = np.ones(time.size)
    logs = np.log(np.maximum(time, 1e-9))
    for wave in range(1, WAVES + 1):
        spread = math.sqrt(math.log1p(variation**2 / wave))
        total += normal((logs - math.log(wave)) / spread + spread / 2)
    return total, time


def _chance(instance: Instance, lots: Lots, items: Items, done: Floats) -> Chance:
    """Sum up over sites, then over draws of their factors; `done` is lots x places x nodes."""
    every = np.array([one.items for one in instance.classes], np.int64)
    each = np.array([one.copies for one in instance.classes], np.int64)
    complete = np.bincount(items.of_class, minlength=every.size)
    whole = np.bincount(lots.of_copy[items.whole], minlength=lots.many.size)
    weight = np.exp(-NODES * NODES / 2)
    by_lot = done.mean(axis=1)
    done_copies = np.bincount(
        lots.of_class, lots.many * (by_lot @ weight / weight.sum()), every.size
    )
    share: Floats = done_copies / np.maximum(np.bincount(lots.of_class, lots.many, every.size), 1)
    by_class = share**each * complete / every
    needed = math.ceil(instance.swarm.min_success_ratio * int(every.sum()) - 1e-9)
    may_fail = int(complete.sum()) - needed
    if may_fail < 0 or not lots.many.size:
        return Chance(by_class, float(needed <= 0), 0.0)
    # An item with two late copies fails once.
    once = (1 - share**each) / np.maximum(each * (1 - share), 1e-12)
    factor = whole * np.where(share < 1, once, 1.0)[lots.of_class]
    sites = _Sites(lots.site)
    if may_fail == 0:
        logs = np.log(np.maximum(done, 1e-300)).mean(axis=1)
        given = np.exp(sites.drawn(whole[:, None] * logs))
    else:
        spread = (done * (1 - done)).mean(axis=1)
        given = few_failures(
            sites.drawn(factor[:, None] * (1 - by_lot)),
            sites.drawn(factor[:, None] * spread),
            may_fail,
        )
    swarm = float(given.mean())
    error = math.hypot(float(given.std()) / math.sqrt(DRAWS), MODEL_ERROR * swarm * (1 - swarm))
    return Chance(by_class, swarm, error)


class _Sites:
    """The factors of the sites in every draw."""

    def __init__(self, site: Ints) -> None:
        self.used, self.of_lot = np.unique(site, return_inverse=True)
        shape = (self.used.size, DRAWS)
        self.factor = np.random.default_rng(SEED).standard_normal(shape)

    def drawn(self, by_lot: Floats) -> Floats:
        """Return the sum over all sites per draw of what lots contribute at the nodes."""
        at_nodes = [np.bincount(self.of_lot, one, self.used.size) for one in by_lot.T]
        table = np.stack(at_nodes, axis=1)
        found = np.zeros(DRAWS)
        for factor, row in zip(self.factor, table, strict=True):
            if np.ptp(row):
                found += np.interp(factor, NODES, row)
            else:
                found += row[0]
        return found
