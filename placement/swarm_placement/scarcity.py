"""What a plan's shadow prices say: the price of a copy, of a slot, of time.

Shadow prices hold at the margin: for the first slot-second more or less, everything else as it is.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement.arcs import Table
from swarm_placement.model import Bound, Instance, options

Floats = NDArray[np.float64]
MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Saving:
    """Something that would make a plan cheaper, and by how much at the margin.

    `what`: "slot" (one more like those of `site`), "minute" (all deadlines one later), "share" (one
    more copy at `site` above its share), "budget" (one more dollar); `site` is empty where it is no
    single one.
    """

    what: str
    site: str
    usd: float


def price_usd(instance: Instance, bound: Bound, table: Table) -> Floats:
    """Return what a copy costs with what it takes from others, class x option; infinite where an
    option is not permitted.

    This is the reduced cost of the linear program: slot-seconds are charged in all capacity rows a
    copy with this latest start is in.
    """
    site = np.array([way.site for way in options(instance)], np.int64)
    slot_usd = np.zeros_like(table.latest_s)
    for row in bound.capacity:
        inside = (site == row.site) & (table.latest_s < row.below_s)
        slot_usd += np.where(inside, row.usd_per_slot_s, 0.0)
    cost_usd = np.where(table.exists, table.cost_usd, np.inf)
    work_s = np.where(table.exists, table.work_s, 0.0)
    return np.asarray(
        cost_usd * (1 + bound.budget_price) + work_s * slot_usd + bound.share_price_usd[site]
    )


def slot_worth_usd(instance: Instance, bound: Bound) -> Floats:
    """Return per site what one more slot like those there would save."""
    found = np.zeros(len(instance.sites))
    for row in bound.capacity:
        found[row.site] += row.usd_per_slot_s * row.slot_s / instance.sites[row.site].slots
    return found


def minute_worth_usd(instance: Instance, bound: Bound) -> float:
    """Return what it would save if every deadline were a minute later: each slot then offers a
    minute more in each capacity row."""
    return sum(
        row.usd_per_slot_s * instance.sites[row.site].slots * MINUTE_S for row in bound.capacity
    )


def savings(instance: Instance, bound: Bound) -> list[Saving]:
    """Return what would make a plan cheaper, most first; hard requirements are never offered."""
    slots = slot_worth_usd(instance, bound)
    found = [Saving("minute", "", minute_worth_usd(instance, bound))]
    found += [
        Saving("slot", site.name, float(usd))
        for site, usd in zip(instance.sites, slots, strict=True)
    ]
    found += [
        Saving("share", site.name, float(usd))
        for site, usd in zip(instance.sites, bound.share_price_usd, strict=True)
    ]
    found.append(Saving("budget", "", bound.budget_price))
    return sorted((one for one in found if one.usd > 0), key=lambda one: -one.usd)


def minute_later(instance: Instance) -> Instance:
    """Return the instance with every deadline a minute later."""
    return replace(
        instance,
        swarm=replace(instance.swarm, deadline_s=instance.swarm.deadline_s + MINUTE_S),
        classes=tuple(
            one if one.deadline_s is None else replace(one, deadline_s=one.deadline_s + MINUTE_S)
            for one in instance.classes
        ),
    )
