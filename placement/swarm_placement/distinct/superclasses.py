"""Superclasses: items of one pattern with deadlines and sizes near each other.

Within a pattern items are cut at quantiles of their slack (deadline less planned work), and those
parts at quantiles of work. Superclasses that follow each other make up runs; a run stands for its
mean item. The linear program over runs gives the prices from which everything else starts; which
items are together decides about speed and quality, never about what is allowed.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement.distinct.items import Items
from swarm_placement.distinct.linear import Forms
from swarm_placement.model import Instance, ItemClass
from swarm_placement.program import arcs, problem
from swarm_placement.program.problem import Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ARCS = 70_000
"""Superclasses x options aimed at."""
PER_PATTERN = 4
"""Superclasses a pattern has on average at least, as long as `MOST_ARCS` permit."""
MOST_ARCS = 400_000
LEAST_ITEMS = 2
"""Items a superclass has on average, at least."""
BY_SLACK = 0.75
"""Of n parts of a pattern, n to this power are by slack: it decides which rows a copy is in."""


@dataclass(frozen=True, slots=True, eq=False)
class Extents:
    """What no item of a superclass exceeds at an option, superclasses x options; `exists` where any
    item may run."""

    cost_usd: Floats  # most
    shortest_s: Floats  # least
    longest_s: Floats  # most
    latest_s: Floats  # most
    first_s: Floats  # least latest start
    end_s: Floats  # most: when a copy that starts at its latest ends, by mean durations
    exists: NDArray[np.bool_]


def ordered(items: Items, target: int) -> tuple[Items, Ints]:
    """Return the items by superclass, and where each superclass begins, with the end; `target` is
    the number of superclasses aimed at."""
    many = np.bincount(items.pattern)
    cells = np.maximum(1, np.rint(target * many / items.pattern.size)).astype(np.int64)
    across = np.ceil(cells**BY_SLACK).astype(np.int64)
    within = np.maximum(1, np.rint(cells / across)).astype(np.int64)
    slack_s = items.deadline_s - items.size[3]
    key = items.pattern
    for values, parts in ((slack_s, across), (items.size[2], within)):
        order = np.lexsort((values, key))
        _, begin, size = np.unique(key[order], return_index=True, return_counts=True)
        rank = np.arange(order.size) - np.repeat(begin, size)
        part = rank * parts[items.pattern[order]] // np.repeat(size, size)
        finer = np.empty_like(key)
        finer[order] = key[order] * parts.max() + part
        key = finer
    order = np.argsort(key, kind="stable")
    _, begin = np.unique(key[order], return_index=True)
    return items.taken(order), np.append(begin, order.size)


def target(items: int, options: int, patterns: int) -> int:
    """Return how many superclasses to aim at."""
    many = min(PER_PATTERN * patterns, MOST_ARCS // max(1, options))
    return max(1, min(max(ARCS // max(1, options), many), items // LEAST_ITEMS))


def extents(forms: Forms, items: Items, begin: Ints) -> Extents:
    """Return the extents of each superclass."""
    pattern = items.pattern[begin[:-1]]
    low = np.minimum.reduceat(items.size, begin[:-1], axis=1).T[:, None]
    high = np.maximum.reduceat(items.size, begin[:-1], axis=1).T[:, None]
    last = np.maximum.reduceat(items.deadline_s, begin[:-1])[:, None]
    cost = (high @ forms.cost_usd[pattern])[:, 0]
    shortest = (low @ forms.work_s[pattern])[:, 0]
    longest = (high @ forms.work_s[pattern])[:, 0]
    latest = last - (low @ forms.hop_s[pattern])[:, 0]
    soon = np.minimum.reduceat(items.deadline_s, begin[:-1])[:, None]
    first = soon - (high @ forms.hop_s[pattern])[:, 0]
    spare = forms.hop_s[pattern] - forms.work_s[pattern]
    end = last - (np.where(spare > 0, low[:, 0, :, None], high[:, 0, :, None]) * spare).sum(axis=1)
    exists = forms.open[pattern] & (latest >= -2 * arcs.ROUNDING * last)
    latest = np.maximum(latest, 0.0)
    for one in np.flatnonzero(~forms.straight[pattern]):
        found = forms.arcs(items, slice(begin[one], begin[one + 1]), np.arange(cost.shape[1]))
        exists[one] = found.exists.any(axis=0)
        cost[one] = np.where(found.exists, found.cost_usd, 0.0).max(axis=0)
        shortest[one] = np.where(found.exists, found.work_s, np.inf).min(axis=0)
        longest[one] = np.where(found.exists, found.work_s, 0.0).max(axis=0)
        latest[one] = np.where(found.exists, found.latest_s, -np.inf).max(axis=0)
        first[one] = np.where(found.exists, found.latest_s, np.inf).min(axis=0)
        ends = np.where(found.exists, found.latest_s + found.work_s, -np.inf)
        end[one] = ends.max(axis=0)
    return Extents(cost, shortest, longest, latest, first, end, exists)


def runs(items: Items, begin: Ints, most: int) -> Ints:
    """Return at which superclasses runs begin, about `most` of them.

    Runs keep within a pattern, unless there are more patterns than runs: then they are equally long,
    and a run has the pattern of its first superclass.
    """
    pattern = items.pattern[begin[:-1]]
    first = np.flatnonzero(np.diff(pattern, prepend=-1))
    if first.size >= most:
        return np.arange(0, pattern.size, -(-pattern.size // most))
    many = np.diff(np.append(first, pattern.size))
    parts = np.minimum(many, np.maximum(1, np.rint(most * many / pattern.size))).astype(np.int64)
    rank = np.arange(pattern.size) - np.repeat(first, many)
    part = rank * np.repeat(parts, many) // np.repeat(many, many)
    return np.flatnonzero((np.diff(pattern, prepend=-1) != 0) | (np.diff(part, prepend=-1) != 0))


def aggregated(instance: Instance, items: Items, begin: Ints) -> Problem:
    """Return the problem of the mean items of runs; `begin` is where each begins among the items,
    with the end."""
    number = np.diff(begin)
    size = np.add.reduceat(items.size, begin[:-1], axis=1) / number
    deadline_s = np.add.reduceat(items.deadline_s, begin[:-1]) / number
    sigma = arcs.sigma_of(size[2], size[3], instance.swarm.item_probability)
    columns = (number, *size[[1, 2, 4, 5]], sigma, deadline_s)
    classes = tuple(
        _mean(items.sample[items.pattern[first]], *values)
        for first, *values in zip(begin, *(row.tolist() for row in columns), strict=False)
    )
    return problem.problem(replace(instance, classes=classes), problem.LEVEL_RATIO)


def _mean(
    one: ItemClass,
    items: int,
    data_bytes: float,
    work_s: float,
    input_tokens: float,
    output_tokens: float,
    sigma: float,
    deadline_s: float,
) -> ItemClass:
    return replace(
        one, items=items, work_s=work_s, sigma=sigma, deadline_s=deadline_s, budget_usd=None,
        data_bytes=data_bytes, input_tokens=input_tokens, output_tokens=output_tokens,
    )  # fmt: skip
