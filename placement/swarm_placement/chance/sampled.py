"""The chance of a plan by executing it many times: Monte Carlo of the list schedule.

Every site takes its copies in the order of the plan, each on the slot that is free first, with
transfers, loading of cold models, log-normal durations and restarts on spot slots; a copy keeps its
duration when it starts again. The draws are seeded by a constant, so that a plan has one answer.
What needs no chance is not drawn: a copy that finds a free slot ends in time with the probability
its distribution gives.
"""

import math

import numpy as np
from numpy.typing import NDArray

from swarm_placement.chance.likelihood import Chance, at_least, drawn_error, normal
from swarm_placement.chance.lots import Items, Lots, items_of, queues
from swarm_placement.model import Instance

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Truths = NDArray[np.bool_]
SEED = 20_260
LEAST_DRAWS, MOST_DRAWS = 200, 1_000
BUDGET_NS = 5e7
"""Processor time, nanoseconds, that executing a plan may take; counted, not measured, so that every
machine gives the same answer."""
COPY_NS, COLD_COPY_NS = 4_000.0, 15_000.0
"""What a copy takes once for all draws: where any slot will do, and where it matters which one."""
DRAW_NS, SLOT_NS, SPOT_NS = 25.0, 0.8, 60.0
"""What a copy takes in each draw: itself, for each slot of its site, and for its restarts."""


def draws(instance: Instance, lots: Lots) -> int:
    """Return how many draws are affordable, at most `MOST_DRAWS`; 0 if less than `LEAST_DRAWS`."""
    size = len(instance.sites)
    here = np.bincount(lots.site, lots.many, size)
    slots = np.minimum(np.array([site.slots for site in instance.sites]), here)
    cold = np.bincount(lots.site, lots.many * (lots.cold_s > 0), size)
    # With one model its first copies load every slot, with several a slot may lack one till the end.
    known = np.where(np.isclose(cold, here), np.minimum(slots, here), here)
    once = float((here * COPY_NS + np.where(cold > 0, known, 0.0) * COLD_COPY_NS).sum())
    each = here * (DRAW_NS + SLOT_NS * slots)
    spot = SPOT_NS * float(lots.many[lots.rate > 0].sum())
    affordable = int(min(MOST_DRAWS, (BUDGET_NS - once) / max(float(each.sum()) + spot, 1.0)))
    return affordable if affordable >= LEAST_DRAWS else 0


def sampled(instance: Instance, lots: Lots, many: int) -> Chance:
    """Return the chance of a plan from so many draws."""
    rng = np.random.default_rng(SEED)
    shape = (lots.copy.size, many)
    done = np.zeros(shape, dtype=bool)
    sure = np.full(shape[0], np.nan)
    by_lot = np.argsort(lots.of_copy, kind="stable")
    begin = np.cumsum(lots.many) - lots.many
    for free_s, row in queues(instance, lots):
        copies = np.concatenate([by_lot[begin[one] : begin[one] + lots.many[one]] for one in row])
        # Lots of equal latest start take turns by index.
        copies = copies[np.lexsort((copies, lots.latest_s[lots.of_copy[copies]]))]
        lot = lots.of_copy[copies]
        free_s = free_s[: copies.size]
        busy_s = _busy_s(lots, lot, many, rng)
        begin_s = begins(free_s, busy_s, lots.model[lot], lots.cold_s[lot])
        done[copies] = begin_s + busy_s <= lots.due_s[lot][:, None]
        at_once = np.flatnonzero((lots.rate[lot] == 0)[: int((free_s == free_s[0]).sum())])
        sure[copies[at_once]] = _in_time(lots, lot[at_once], float(free_s[0]))
    return _chance(instance, items_of(instance, lots), done, sure)


def _busy_s(lots: Lots, lot: Ints, many: int, rng: np.random.Generator) -> Floats:
    """Draw what copies take on their slots without loading, copies x draws."""
    # Single precision is twice as fast; a sigma of 0 still gives exactly the mean.
    sigma = lots.sigma[lot][:, None].astype(np.float32)
    drawn = np.exp(
        sigma * rng.standard_normal((lot.size, many), dtype=np.float32) - sigma * sigma / 2
    )
    busy = lots.mean_s[lot][:, None] * drawn + lots.move_s[lot][:, None]
    spot = np.flatnonzero(lots.rate[lot])
    if spot.size:
        once = busy[spot]
        busy[spot] += _lost_s(once, lots.rate[lot[spot]][:, None], float(lots.due_s.max()), rng)
    return np.asarray(busy)


def _lost_s(once: Floats, rate: Floats, horizon_s: float, rng: np.random.Generator) -> Floats:
    """Draw what preempted tries take before the one that succeeds; beyond the horizon it is late
    in any case."""
    lost = np.zeros(once.size)
    scale, needed = np.broadcast_to(1 / rate, once.shape).ravel(), once.ravel()
    trying = np.arange(once.size)
    while trying.size:
        until = rng.exponential(scale[trying])
        trying, until = trying[until < needed[trying]], until[until < needed[trying]]
        lost[trying] += until
        trying = trying[lost[trying] <= horizon_s]
    return lost.reshape(once.shape)


def begins(free_s: Floats, busy_s: Floats, model: Ints, cold_s: Floats) -> Floats:
    """Return when the copies begin once their model is loaded, copies x draws: each on the slot that
    is free first."""
    found = np.empty_like(busy_s)
    free = np.repeat(free_s[:, None], busy_s.shape[1], axis=1)
    done = _while_loading(free, busy_s, model, cold_s, found)
    _in_turn(free, busy_s[done:], found[done:])
    return found


def _while_loading(free: Floats, busy_s: Floats, model: Ints, cold_s: Floats, found: Floats) -> int:
    """Execute copies until every slot has loaded all models that are still to come, and return how
    many; `free`, slots x draws, and `found` change."""
    draw = np.arange(free.shape[1])
    last = {int(model[copy]): copy for copy in np.flatnonzero(cold_s)}
    loaded = {one: np.zeros(free.shape, dtype=bool) for one in last}
    for copy in range(len(busy_s)):
        if copy % len(free) == 0 and all(loaded[one].all() for one in loaded if last[one] >= copy):
            return copy
        slot = free.argmin(axis=0)
        begin = free[slot, draw]
        if cold_s[copy]:
            known = loaded[int(model[copy])]
            begin = begin + np.where(known[slot, draw], 0.0, cold_s[copy])
            known[slot, draw] = True
        found[copy] = begin
        free[slot, draw] = begin + busy_s[copy]
    return len(busy_s)


def _in_turn(free: Floats, busy_s: Floats, found: Floats) -> None:
    """Execute copies for which any slot will do: then the times at which slots are free are enough,
    in ascending order (Kiefer and Wolfowitz 1955), and a copy's end is inserted by comparisons."""
    slots, many = free.shape
    line = np.full((slots + 1, many), np.inf)
    line[:slots] = np.sort(free, axis=0)
    here, above, lower, end = line[:-1], line[1:], np.empty((slots, many)), np.empty(many)
    for copy, busy in enumerate(busy_s):
        found[copy] = line[0]
        np.add(line[0], busy, out=end)
        np.minimum(above, end, out=lower)
        np.maximum(here, lower, out=here)


def _in_time(lots: Lots, lot: Ints, begin_s: float) -> Floats:
    """Return the probability that copies which begin then, but for loading, end in time."""
    left = lots.due_s[lot] - begin_s - lots.cold_s[lot] - lots.move_s[lot]
    sigma = np.maximum(lots.sigma[lot], 1e-9)
    middle = np.log(lots.mean_s[lot]) - sigma * sigma / 2
    return normal((np.log(np.maximum(left, 1e-300)) - middle) / sigma)


def _chance(instance: Instance, items: Items, done: Truths, sure: Floats) -> Chance:
    """Count items that are done in each draw; where nothing waits, multiply instead."""
    every = np.array([one.items for one in instance.classes], np.int64)
    needed = math.ceil(instance.swarm.min_success_ratio * int(every.sum()) - 1e-9)
    if not items.begin.size:
        return Chance(np.zeros(every.size), float(needed <= 0), 0.0)
    known, drawn = sure[items.whole], done[items.whole]
    is_known = np.isfinite(known)
    value = np.where(is_known[:, None], np.where(is_known, known, 0.0)[:, None], drawn)
    each = np.multiply.reduceat(value, items.begin).mean(axis=1)
    by_class = np.bincount(items.of_class, each, every.size) / every
    if is_known.all():
        return Chance(by_class, at_least(np.ones(each.size, np.int64), each, needed), 0.0)
    count = np.logical_and.reduceat(drawn, items.begin).sum(axis=0)
    many = done.shape[1]
    swarm = float((count >= needed).mean())
    return Chance(by_class, swarm, drawn_error(swarm, many))
