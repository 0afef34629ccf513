"""The placed copies of a plan as its sites take them: lots of copies that are alike.

Copies of one class with one option are a lot; where items are unlike each other, each copy is one.
A site takes its copies by least latest start, on a tie by the lower index into `Plan.option`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, copy_offsets, options
from swarm_placement.program import arcs, capacity
from swarm_placement.program.problem import Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Lots:
    """One array entry per lot.

    `move_s` is the transfer, `cold_s` what a slot takes to load the lot's model, `mean_s` and
    `sigma` describe the log-normal computation, `rate` is preemptions per second, `due_s` when the
    items must be done, `many` the number of copies. `copy` holds the ascending indices of the placed
    copies in `Plan.option`, `of_copy` the lot of each.
    """

    of_class: Ints
    site: Ints
    model: Ints
    latest_s: Floats
    move_s: Floats
    cold_s: Floats
    mean_s: Floats
    sigma: Floats
    rate: Floats
    due_s: Floats
    many: Ints
    copy: Ints
    of_copy: Ints


def of_arcs(instance: Instance, flat: Problem, option: NDArray[np.int32]) -> Lots:
    """Return the lots of a plan by class and option; every option used must be an arc of `flat`."""
    term = arcs.terms(instance, options(instance))
    copy = np.flatnonzero(option >= 0)
    owner = np.repeat(np.arange(flat.classes), flat.demand)[copy]
    width = term.site.size
    key = owner * width + option[copy]
    number = np.full(flat.classes * width, -1)
    number[flat.of_class * width + flat.option] = np.arange(flat.option.size)
    copies = np.bincount(number[key], minlength=flat.option.size)
    arc = np.flatnonzero(copies)
    lot = np.cumsum(copies > 0) - 1
    way = flat.option[arc]
    return Lots(
        of_class=flat.of_class[arc],
        site=flat.site[arc],
        model=term.model[way],
        latest_s=flat.latest_s[arc],
        move_s=flat.fixed_s[arc] - term.cold_s[way],
        cold_s=term.cold_s[way],
        mean_s=flat.mean_s[arc],
        sigma=flat.sigma[arc],
        rate=term.preemptions_per_s[way],
        due_s=arcs.deadlines(instance, instance.classes)[flat.of_class[arc]],
        many=copies[arc],
        copy=copy,
        of_copy=lot[number[key]],
    )


def queues(instance: Instance, lots: Lots) -> Iterator[tuple[Floats, Ints]]:
    """Yield, per site in use, when its slots are free (ascending, seconds from now) and its lots in
    the order of execution."""
    first = np.empty(lots.many.size, np.int64)
    first[lots.of_copy[::-1]] = np.arange(lots.of_copy.size)[::-1]  # the last one written stays
    order = np.lexsort((first, lots.latest_s, lots.site))
    bounds = np.searchsorted(lots.site[order], np.arange(len(instance.sites) + 1))
    occupied = {one.site for one in instance.occupancy}
    for site in np.flatnonzero(np.diff(bounds)).tolist():
        here = instance.sites[site]
        free_s = (
            capacity.free_times(instance, site)
            if here.name in occupied
            else np.full(here.slots, here.boot_s)
        )
        yield free_s, order[bounds[site] : bounds[site + 1]]


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """The items all of whose copies have a place: the class of each, and where its copies begin in
    `Lots.copy`; `whole` says per placed copy whether it belongs to one of them."""

    of_class: Ints
    begin: Ints
    whole: NDArray[np.bool_]


def items_of(instance: Instance, lots: Lots) -> Items:
    """Return the items that can be done at all."""
    each = np.array([one.copies for one in instance.classes], np.int64)
    items = np.array([one.items for one in instance.classes], np.int64)
    offsets = copy_offsets(instance.classes)
    before = np.cumsum(items) - items
    owner = np.searchsorted(offsets, lots.copy, side="right") - 1
    item = before[owner] + (lots.copy - offsets[owner]) // each[owner]
    placed = np.bincount(item, minlength=int(items.sum()))
    whole = placed[item] == each[owner]
    begin = np.flatnonzero(np.diff(item[whole], prepend=-1))
    return Items(owner[whole][begin], begin, whole)
