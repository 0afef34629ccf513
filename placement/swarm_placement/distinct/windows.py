"""The bound for any plan, of items that are all distinct, from prices made for it.

Prices of windows (`swarm_placement.program.necessary`) come from their linear program over a sample of
the items, each standing for as many as it is one of; any prices prove a bound. What they prove is
worked out over every option of every item: min(w, max(0, L - T)) is a difference of one piecewise
linear function of time, so an arc costs two look-ups however many windows its site has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement.distinct.candidates import CLOSED, domain_table, nearest_usd
from swarm_placement.distinct.items import Items
from swarm_placement.distinct.linear import Forms
from swarm_placement.distinct.shares import Limits
from swarm_placement.model import Instance, WindowPrice, options
from swarm_placement.program import necessary
from swarm_placement.program.capacity import free_times
from swarm_placement.program.necessary import FORGIVEN, Necessary, slot_time
from swarm_placement.program.problem import inner, problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SAMPLE_ARCS = 40_000
"""Items x options of the sample aimed at."""
MOST_ARCS = 2_000_000
"""Items x options for each second that may be spent."""
BLOCK_ARCS = 2_000_000
"""Items x options at once."""
SEED = 5


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Every option of some items: dollars (`CLOSED` where it may not run), slot-seconds, latest
    start that the checker still accepts (infinite where it may not run); items x options."""

    cost_usd: Floats
    work_s: Floats
    latest_s: Floats


class Windows:
    """The windows of one site, what they charge, and the extremes of the arcs in each."""

    def __init__(self, until_s: Floats, usd: Floats) -> None:
        order = np.argsort(until_s, kind="stable")
        self.until_s, self.usd = until_s[order], usd[order]
        self._rate = _from_the_end(self.usd)
        self._worth = _from_the_end(self.usd * self.until_s)
        count = until_s.size + 1
        self._last_s = np.full(count, -np.inf)
        self._shortest_s, self._longest_s = np.full(count, np.inf), np.zeros(count)

    def charge(self, latest_s: Floats, work_s: Floats) -> Floats:
        """Return what is charged to a copy of each arc; the arcs are taken into the extremes."""
        found = np.zeros_like(latest_s)
        some = latest_s < self.until_s[-1]
        last_s, busy_s = latest_s[some], work_s[some]
        enters = np.searchsorted(self.until_s, last_s, side="right")
        np.maximum.at(self._last_s, enters, last_s)
        np.minimum.at(self._shortest_s, enters, busy_s)
        np.maximum.at(self._longest_s, enters, busy_s)
        end_s = last_s + busy_s
        leaves = np.searchsorted(self.until_s, end_s, side="right")
        due = self._worth[enters] - self._rate[enters] * last_s
        due -= self._worth[leaves] - self._rate[leaves] * end_s
        found[some] = np.maximum(due, 0.0)
        return found

    def paid_usd(self, free_s: Floats) -> float:
        """Return what all slot-seconds of the windows cost, loading of models aside."""
        last_s = np.maximum.accumulate(self._last_s)[:-1]
        some = np.isfinite(last_s)
        slot_s = slot_time(
            self.until_s[some],
            free_s,
            last_s[some],
            np.minimum.accumulate(self._shortest_s)[:-1][some],
            np.maximum.accumulate(self._longest_s)[:-1][some],
            0.0,
        )
        return inner(self.usd[some], slot_s)


def best(
    instance: Instance, forms: Forms, items: Items, limits: Limits, budget_usd: float
) -> Necessary:
    """Return what prices from a sample prove for any plan."""
    priced = _sampled(instance, items, limits)
    windows = dict(_by_site(priced.windows))
    tables = domain_table(instance, items)
    terms = 0.0
    for block in _blocks(items, forms.site.size):
        table = _table(forms, items, block)
        reduced = table.cost_usd * (1 + priced.budget) + priced.share_usd[forms.site]
        for here, mine in windows.items():
            columns = forms.site == here
            reduced[:, columns] += mine.charge(table.latest_s[:, columns], table.work_s[:, columns])
        terms += sum(_terms(items, block, reduced, tables, limits.penalty_usd))
    limited = np.isfinite(limits.site_most)
    paid = inner(priced.share_usd[limited], limits.site_most[limited])
    paid += priced.budget * budget_usd * (1 + FORGIVEN) if priced.budget else 0.0
    paid += sum(mine.paid_usd(free_times(instance, here)) for here, mine in windows.items())
    return replace(priced, lower_usd=terms - paid)


def _sampled(instance: Instance, items: Items, limits: Limits) -> Necessary:
    """Return prices of windows by their linear program over a sample, and what they prove there."""
    count = items.of_class.size
    size = min(count, max(1, SAMPLE_ARCS // max(1, len(options(instance)))))
    chosen = np.random.default_rng(SEED).choice(count, size, replace=False)
    many = max(1, round(count / size))
    classes = tuple(
        replace(instance.classes[one], items=many) for one in items.of_class[np.sort(chosen)]
    )
    some = replace(instance, classes=classes)
    flat = replace(problem(some), site_most=limits.site_most, penalty_usd=limits.penalty_usd)
    return necessary.best(some, flat)


def _by_site(windows: Sequence[WindowPrice]) -> Iterator[tuple[int, Windows]]:
    site = np.array([one.site for one in windows], np.int64)
    until_s = np.array([one.until_s for one in windows])
    usd = np.array([one.usd_per_slot_s for one in windows])
    for here in np.unique(site).tolist():
        yield here, Windows(until_s[site == here], usd[site == here])


def _blocks(items: Items, options: int) -> Iterator[slice]:
    step = max(1, BLOCK_ARCS // max(1, options))
    for first in range(0, items.of_class.size, step):
        yield slice(first, min(first + step, items.of_class.size))


def _patterns(items: Items, block: slice) -> Iterator[slice]:
    """Yield runs of items of one pattern within a block."""
    bounds = np.flatnonzero(np.diff(items.pattern[block], prepend=-1, append=-1)) + block.start
    yield from map(slice, bounds[:-1].tolist(), bounds[1:].tolist())


def _table(forms: Forms, items: Items, block: slice) -> Table:
    shape = (block.stop - block.start, forms.site.size)
    cost, work, latest = np.empty(shape), np.empty(shape), np.empty(shape)
    every = np.arange(forms.site.size)
    for run in _patterns(items, block):
        found, here = forms.arcs(items, run, every), _within(run, block)
        cost[here] = np.where(found.exists, found.cost_usd, CLOSED)
        work[here] = np.where(found.exists, found.work_s, 0.0)
        latest[here] = np.where(found.exists, found.latest_s, np.inf)
    return Table(cost, work, latest + FORGIVEN * np.maximum(1.0, latest))


def _terms(
    items: Items, block: slice, reduced: Floats, tables: tuple[Ints, Ints], penalty: float
) -> Iterator[float]:
    """Yield per pattern the sum of its items' least reduced costs."""
    every = np.arange(reduced.shape[1])
    for run in _patterns(items, block):
        pattern = int(items.pattern[run.start])
        copies, table = items.sample[pattern].copies, (tables[0][pattern], tables[1][pattern])
        own = reduced[_within(run, block)]
        yield float(nearest_usd(copies, own, every, table, penalty).sum())


def _within(run: slice, block: slice) -> slice:
    return slice(run.start - block.start, run.stop - block.start)


def _from_the_end(values: Floats) -> Floats:
    """Return the sums of the values from each one on, and 0 after the last."""
    return np.append(np.cumsum(values[::-1])[::-1], 0.0)
