"""How probable it is that a plan meets its deadlines.

Starts are those of the fluid schedule: a copy begins when the mean work before it is done on the
slots of its site. Durations are log-normal and independent; an item is done when all its copies
are. A copy on spot slots is credited with the planned probability and no more.
"""

import math

import numpy as np
from numpy.typing import NDArray

from swarm_placement import arcs, capacity
from swarm_placement.model import Instance, options
from swarm_placement.problem import Problem, cold_starts, inner

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
POINTS = (np.arange(8) + 0.5) / 8
"""Where between the first and the last copy of an arc the probability is taken."""
FEW = 1_000
"""Items up to which the number of failures is worked out exactly."""
RARE = 50.0
"""Expected failures up to which their number is taken for Poisson, above for normal."""


def start_window(instance: Instance, flat: Problem, copies: Ints) -> tuple[Floats, Floats]:
    """Return when the first and when the last copy of each arc starts, in seconds from now."""
    first, last = np.zeros(copies.size), np.zeros(copies.size)
    used = np.flatnonzero(copies)
    cold_s = cold_starts(instance, flat.option[used])
    order = used[np.lexsort((used, flat.latest_s[used], flat.site[used]))]
    bounds = np.searchsorted(flat.site[order], np.arange(len(instance.sites) + 1))
    for site in np.flatnonzero(np.diff(bounds)).tolist():
        here = order[bounds[site] : bounds[site + 1]]
        one_s = flat.work_s[here] * (1 - instance.sites[site].margin)
        work_s = copies[here] * one_s
        until = np.cumsum(work_s)
        ends = np.concatenate((until - work_s, until - one_s))
        free_s = capacity.free_times(instance, site)
        first[here], last[here] = begins(free_s, ends, float(cold_s[site])).reshape(2, -1)
    return first, last


def begins(free_s: Floats, before_s: Floats, cold_s: float) -> Floats:
    """Return when work after `before_s` slot-seconds begins on slots free at these times."""
    room = free_s * np.arange(free_s.size) - (np.cumsum(free_s) - free_s)
    begin = np.interp(before_s, room, free_s)
    beyond = before_s > room[-1]
    begin[beyond] = free_s[-1] + (before_s[beyond] - room[-1]) / free_s.size
    return np.where(before_s > 0, begin + cold_s, begin)


def class_probability(instance: Instance, flat: Problem, copies: Ints, complete: Ints) -> Floats:
    """Return, per class, the probability that an item is done before its deadline; `complete` is
    how many items of each class have a place for every copy."""
    first, last = start_window(instance, flat, copies)
    deadline_s = arcs.deadlines(instance, instance.classes)[flat.of_class]
    used = np.flatnonzero(copies)
    start = first[used, None] + (last - first)[used, None] * POINTS
    left_s = deadline_s[used, None] - start - flat.fixed_s[used, None]
    sigma = np.maximum(flat.sigma[used, None], 1e-9)
    middle = np.log(flat.mean_s[used, None]) - sigma * sigma / 2
    with np.errstate(divide="ignore"):
        z = (np.log(np.maximum(left_s, 0.0)) - middle) / sigma
    done = normal(z).mean(axis=1)
    spot = np.array([way.spot for way in options(instance)])[flat.option[used]]
    done[spot] = np.minimum(done[spot], instance.swarm.item_probability)
    many = np.maximum(np.bincount(flat.of_class, copies, flat.classes), 1)
    mean = np.bincount(flat.of_class[used], copies[used] * done, flat.classes) / many
    each = np.array([one.copies for one in instance.classes])
    return np.asarray(mean**each * complete / flat.items)


def swarm_probability(items: Ints, done: Floats, ratio: float) -> float:
    """Return the probability that at least a ratio of all items is done, given each class's.

    The number of failures is a sum of independent events: exact for few items, Poisson while
    failures are rare (Le Cam 1960), normal otherwise.
    """
    may_fail = int(items.sum()) - math.ceil(ratio * int(items.sum()) - 1e-9)
    if may_fail == 0:
        with np.errstate(divide="ignore"):
            return float(np.exp((items * np.log(done)).sum()))
    if items.sum() <= FEW:
        return _exactly(items, done, may_fail)
    fails = inner(items, 1 - done)
    if fails <= RARE:
        terms = np.cumsum(np.log(np.maximum(fails, 1e-300) / np.arange(1, may_fail + 1)))
        return min(1.0, math.exp(-fails) * (1 + float(np.exp(terms).sum())))
    spread = math.sqrt(inner(items, done * (1 - done))) or 1e-9
    return float(normal(np.array([(may_fail + 0.5 - fails) / spread]))[0])


def _exactly(items: Ints, done: Floats, may_fail: int) -> float:
    """Return the probability of at most so many failures by convolution of binomials."""
    total = np.ones(1)
    for many, each in zip(items.tolist(), done.tolist(), strict=True):
        one = np.array([1.0])
        for _ in range(many):
            one = np.convolve(one, (each, 1 - each))[: may_fail + 1]
        total = np.convolve(total, one)[: may_fail + 1]
    return min(1.0, float(total.sum()))


def normal(z: Floats) -> Floats:
    """Return the standard normal distribution function."""
    return np.asarray(0.5 * _erfc(-z / math.sqrt(2)))


_erfc = np.vectorize(math.erfc, otypes=[np.float64])
