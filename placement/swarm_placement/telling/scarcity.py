"""What a plan's shadow prices say: the price of a copy, of a slot, of time.

Shadow prices hold at the margin: for the first slot-second more or less, everything else as it is.
What a whole slot or minute changes is found by solving the linear program again, up to
`MOST_ARCS` arcs; it may be more or less than the price says.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Bound, Instance, options
from swarm_placement.program.arcs import Table
from swarm_placement.program.problem import inner, problem
from swarm_placement.program.relaxation import Relaxation

Floats = NDArray[np.float64]
MINUTE_S = 60.0
MOST_ARCS = 20_000
"""Arcs up to which the linear program is solved again for what one more of something would do."""
ASKED = 3
"""So many savings, the largest at the margin, are worked out."""
NOTHING = 1e-6
"""Copies or dollars that count as none."""
MOST_CELLS = 200_000
"""Classes x options up to which it is worth counting arcs."""


@dataclass(frozen=True, slots=True)
class Saving:
    """Something that would make a plan cheaper or place more copies.

    `what`: "slot" (one more like those of `site`), "minute" (all deadlines one later), "share" (one
    more copy at `site` above its share), "budget" (one more dollar); `site` is empty where it is no
    single one. `usd` is what it saves, 0 where it places up to `copies` more instead, whose money
    comes on top: so many fractions of copies find a place, at most as many as the plan has without.
    `marginal`: `usd` is the price of the first slot-second times their number, an upper bound of what
    so many save.
    """

    what: str
    site: str
    usd: float
    copies: float = 0.0
    marginal: bool = True


@dataclass(frozen=True, slots=True)
class Optimum:
    """What fractions of copies cost at best, and how many of them find no place."""

    cost_usd: float
    unplaced: float


def optimum(instance: Instance) -> Optimum | None:
    """Return the optimum of the linear program, None if it has more than `MOST_ARCS` arcs."""
    cells = len(instance.classes) * len(options(instance))
    flat = problem(instance) if cells <= MOST_CELLS else None
    if flat is None or flat.of_class.size > MOST_ARCS:
        return None
    found = Relaxation(flat).solve()
    return Optimum(inner(found.copies, flat.cost_usd), found.unplaced)


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
    """Return per site what one more slot like those there would save at the margin."""
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
    found = sorted((one for one in found if one.usd > 0), key=lambda one: -one.usd)
    if not found:
        return []
    return _worked_out(instance, bound, found[:ASKED]) + found[ASKED:]


def slot_saving(instance: Instance, bound: Bound, site: int) -> Saving:
    """Return what one more slot at a site would do, as `savings` has it; nothing has a `usd` of 0."""
    name = instance.sites[site].name
    one = Saving("slot", name, float(slot_worth_usd(instance, bound)[site]))
    found = _worked_out(instance, bound, [one]) if one.usd > 0 else []
    return found[0] if found else replace(one, usd=0.0)


def _worked_out(instance: Instance, bound: Bound, found: list[Saving]) -> list[Saving]:
    """Return the savings that are left when the program is solved again with each."""
    now = optimum(instance)
    if now is None:
        return found
    missing = without_place(bound)
    solved = [_solved(instance, now, one, missing) for one in found]
    solved = [one for one in solved if one.usd > NOTHING or one.copies > NOTHING]
    return sorted(solved, key=lambda one: (-one.copies, -one.usd))


def _solved(instance: Instance, now: Optimum, one: Saving, missing: int) -> Saving:
    match one.what:
        case "minute":
            changed = minute_later(instance)
        case "slot":
            changed = slot_more(instance, one.site)
        case _:
            return one
    return gained(now, optimum(changed), one, missing)


def without_place(bound: Bound) -> int:
    """Return how many copies a plan leaves without a place: fewer than its linear program does where
    copies were inserted outside of the rows."""
    return sum(one.copies for one in bound.unplaced)


def gained(now: Optimum, then: Optimum | None, one: Saving, missing: int) -> Saving:
    """Return the saving as the difference of two optima, for a plan with so many copies missing; at
    the margin where an optimum is missing."""
    if then is None:
        return one
    copies = now.unplaced - then.unplaced
    if copies > NOTHING:
        return replace(one, usd=0.0, copies=min(copies, float(missing)), marginal=False)
    return replace(one, usd=max(0.0, now.cost_usd - then.cost_usd), marginal=False)


def slot_more(instance: Instance, site: str) -> Instance:
    """Return the instance with one more slot at a site."""
    sites = tuple(
        replace(one, slots=one.slots + 1) if one.name == site else one for one in instance.sites
    )
    return replace(instance, sites=sites)


def alone_later(instance: Instance, number: int) -> Instance:
    """Return the instance with the deadline of one item of a class a minute later; of the swarm's
    deadline nothing changes but that."""
    one = instance.classes[number]
    last_s = instance.swarm.deadline_s - instance.swarm.reserve_s
    due_s = last_s if one.deadline_s is None else min(last_s, one.deadline_s)
    others = tuple(
        replace(
            each, deadline_s=last_s if each.deadline_s is None else min(each.deadline_s, last_s)
        )
        for each in instance.classes
    )
    rest = (replace(others[number], items=one.items - 1),) if one.items > 1 else ()
    later = replace(others[number], name=f"{one.name} later", items=1, deadline_s=due_s + MINUTE_S)
    return replace(
        instance,
        swarm=replace(instance.swarm, deadline_s=instance.swarm.deadline_s + MINUTE_S),
        classes=(*others[:number], *rest, later, *others[number + 1 :]),
    )


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
