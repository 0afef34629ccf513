"""The chance of a plan with too many copies to execute it many times.

A site has one random factor, by which all of its queue is early or late together (`starting`); given
the factors of all sites, items are independent. The factors are drawn, seeded by a constant; the
number of failures given them is worked out (Rao-Blackwell).
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement.chance import restarts
from swarm_placement.chance.likelihood import Chance, drawn_error, few_failures, normal, quantile
from swarm_placement.chance.lots import Items, Lots, items_of
from swarm_placement.chance.starting import starts
from swarm_placement.model import Instance

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SEED = 20_260
DRAWS = 400
FURTHEST = 4.0
"""A site's factor is worked out up to here, either way."""
LEAST_NODES, MOST_NODES = 25, 129
"""Values of a site's factor at which its failures are worked out; between them they are interpolated.
On few slots a whole queue is in time or is not, within a small part of a standard deviation."""
CELLS = 100_000
"""Parts x nodes, if there may be more nodes than the least."""
PART = 0.1
"""Copies per slot that one place in the queue stands for: what is late may be the very last of it, in
the first waves by much."""
MOST_PARTS = 8_000
"""Parts of all queues together, if lots are divided."""
LIKE_DRAWS = 100
"""The approximation is stated to be as exact as so many executions would be: chosen on some random
plans and checked on others (README)."""


def approximated(instance: Instance, lots: Lots) -> Chance:
    """Return the chance of a plan from the distribution of its queues."""
    lots = divided(instance, lots)
    when = starts(instance, lots, np.asarray((lots.many[:, None] - 1) / 2, np.float64))
    nodes = _nodes(lots.many.size)
    done = in_time(lots, when.at(nodes))
    return _chance(instance, lots, items_of(instance, lots), nodes, done)


def _nodes(parts: int) -> Floats:
    """Return the values of a site's factor for so many parts, an odd number so that 0 is one."""
    many = min(MOST_NODES, max(LEAST_NODES, CELLS // max(parts, 1) // 2 * 2 + 1))
    return np.linspace(-FURTHEST, FURTHEST, many)


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


def in_time(lots: Lots, begin_s: Floats) -> Floats:
    """Return the probability that copies which compute from then on (lots x cases), after their
    transfer, end before they are due, restarts on spot slots included."""
    sigma = np.maximum(lots.sigma, 1e-9)[:, None]
    middle = np.log(lots.mean_s)[:, None] - sigma * sigma / 2
    left_s = lots.due_s[:, None] - begin_s
    once_s = np.maximum(left_s - lots.move_s[:, None], 1e-300)
    found = normal((np.log(once_s) - middle) / sigma)
    spot = np.flatnonzero(lots.rate)
    if spot.size:
        found[spot] = np.maximum(found[spot] - restarts.delayed(lots, spot, left_s[spot]), 0.0)
    return found


def _chance(instance: Instance, lots: Lots, items: Items, nodes: Floats, done: Floats) -> Chance:
    """Sum up over sites, then over draws of their factors; `done` is lots x nodes."""
    every = np.array([one.items for one in instance.classes], np.int64)
    each = np.array([one.copies for one in instance.classes], np.int64)
    complete = np.bincount(items.of_class, minlength=every.size)
    whole = np.bincount(lots.of_copy[items.whole], minlength=lots.many.size)
    weight = np.exp(-nodes * nodes / 2)
    done_copies = np.bincount(lots.of_class, lots.many * (done @ weight / weight.sum()), every.size)
    share: Floats = done_copies / np.maximum(np.bincount(lots.of_class, lots.many, every.size), 1)
    by_class = share**each * complete / every
    needed = math.ceil(instance.swarm.min_success_ratio * int(every.sum()) - 1e-9)
    may_fail = int(complete.sum()) - needed
    if may_fail < 0 or not lots.many.size:
        return Chance(by_class, float(needed <= 0), 0.0)
    # An item with two late copies fails once.
    once = (1 - share**each) / np.maximum(each * (1 - share), 1e-12)
    factor = whole * np.where(share < 1, once, 1.0)[lots.of_class]
    sites = _Sites(lots.site, nodes)
    if may_fail == 0:
        logs: Floats = np.log(np.maximum(done, 1e-300))
        given = np.exp(sites.drawn(logs * whole[:, None]))
    else:
        given = few_failures(
            sites.drawn(factor[:, None] * (1 - done)),
            sites.drawn(factor[:, None] * done * (1 - done)),
            may_fail,
        )
    swarm = float(given.mean())
    return Chance(by_class, swarm, drawn_error(swarm, LIKE_DRAWS))


class _Sites:
    """The factors of the sites in every draw: those of one site are spread evenly (McKay, Beckman and
    Conover 1979)."""

    def __init__(self, site: Ints, nodes: Floats) -> None:
        self.nodes = nodes
        self.used, self.of_lot = np.unique(site, return_inverse=True)
        even = quantile((np.arange(DRAWS) + 0.5) / DRAWS)
        rng = np.random.default_rng(SEED)
        self.factor = rng.permuted(np.tile(even, (self.used.size, 1)), axis=1)

    def drawn(self, by_lot: Floats) -> Floats:
        """Return the sum over all sites per draw of what lots contribute at the nodes."""
        at_nodes = [np.bincount(self.of_lot, one, self.used.size) for one in by_lot.T]
        table = np.stack(at_nodes, axis=1)
        found = np.zeros(DRAWS)
        for factor, row in zip(self.factor, table, strict=True):
            if np.ptp(row):
                found += np.interp(factor, self.nodes, row)
            else:
                found += row[0]
        return found
