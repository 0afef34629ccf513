"""The placed copies of a plan, as the sites will take them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, copy_offsets
from swarm_placement.simulate.conditions import Order
from swarm_placement.simulate.queues import Floats, Ints, Queues
from swarm_placement.simulate.world import World


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """The placed copies, by site, then order of execution; `index` is that into `Plan.option`."""

    index: Ints
    of_class: Ints
    option: Ints
    queues: Queues


def placed(facts: World, option: NDArray[np.int32], order: Order) -> Copies:
    """Return the placed copies of a plan in the order in which sites take them."""
    offsets = copy_offsets(facts.instance.classes)
    index = np.flatnonzero(option >= 0)
    of_class = np.searchsorted(offsets, index, side="right") - 1
    chosen = option[index].astype(np.int64)
    site = facts.site[chosen]
    first = facts.latest_s[of_class, chosen] if order == "latest start" else np.zeros(len(index))
    by = np.lexsort((index, first, site))
    index, of_class, chosen = index[by], of_class[by], chosen[by]
    sites = len(facts.instance.sites)
    begin = np.searchsorted(site[by], np.arange(sites + 1))
    free = tuple(_free_s(facts.instance, number) for number in range(sites))
    queues = Queues(begin, facts.model[chosen], facts.cold_s[chosen], free)
    return Copies(index, of_class, chosen, queues)


def _free_s(instance: Instance, number: int) -> Floats:
    """Return when the slots of a site are free: what occupies it goes on the slot free first."""
    site = instance.sites[number]
    free = np.full(site.slots, site.boot_s)
    for one in instance.occupancy:
        for remaining_s in one.remaining_s if one.site == site.name else ():
            free[free.argmin()] += remaining_s
    return np.sort(free)
