"""What would let everything be placed, when it cannot be.

Each limit is eased alone, and the least easing is searched with the linear program, which says
whether fractions of copies would fit. Residency, hardware and capability are never eased: an answer
that needs them names the requirement instead (`Bound.unplaced`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil

from swarm_placement.model import Instance
from swarm_placement.problem import problem
from swarm_placement.relaxation import Relaxation

FACTORS = (1.02, 1.05, 1.1, 1.2, 1.35, 1.5, 2.0, 3.0, 5.0)
"""Easings that are tried, from small to large."""
NOTHING = 1e-6
"""Copies that count as none."""


@dataclass(frozen=True, slots=True)
class Relief:
    """A limit that, eased alone, would help: its field, the easing in words, and how many copies
    (of fractions, in the linear program) would still be without a place."""

    field: str
    easing: str
    unplaced: float


def stranded(instance: Instance) -> float:
    """Return how many copies have no place even in fractions."""
    return Relaxation(problem(instance)).solve().unplaced


def relief(instance: Instance) -> tuple[Relief, ...]:
    """Return what would help an instance whose copies do not all fit: the complete reliefs, with
    the least easing that is enough, before the partial ones; nothing when all fit in fractions."""
    now = stranded(instance)
    if now <= NOTHING:
        return ()
    found = [one for one in _each(instance, now) if one.unplaced < now - NOTHING]
    return tuple(sorted(found, key=lambda one: one.unplaced))


def _each(instance: Instance, now: float) -> Iterator[Relief]:
    """Yield the effect of easing each limit that there is."""
    yield _least(instance, now, "swarm.deadline_s", "{:g} times the time, for every class", _later)
    yield _least(instance, now, "sites[*].slots", "{:g} times the slots, at every site", _larger)
    swarm = instance.swarm
    if any(one.budget_usd is not None for one in instance.classes):
        free = tuple(replace(one, budget_usd=None) for one in instance.classes)
        left = stranded(replace(instance, classes=free))
        yield Relief("classes[*].budget_usd", "no limit to what a copy may cost", left)
    if swarm.budget_usd is not None:
        rich = replace(instance, swarm=replace(swarm, budget_usd=None))
        yield Relief("swarm.budget_usd", "no limit of money", stranded(rich))
    if swarm.max_site_share < 1:
        uneven = replace(instance, swarm=replace(swarm, max_site_share=1.0))
        yield Relief("swarm.max_site_share", "no limit to a site's share", stranded(uneven))
    if any(one.copies > 1 for one in instance.classes):
        fewer = tuple(replace(one, copies=max(1, one.copies - 1)) for one in instance.classes)
        left = stranded(replace(instance, classes=fewer))
        yield Relief("classes[*].copies", "one copy fewer of each item that has several", left)
    if any(site.margin for site in instance.sites):
        sites = tuple(replace(site, margin=0.0) for site in instance.sites)
        yield Relief("sites[*].margin", "no margin", stranded(replace(instance, sites=sites)))


def _least(
    instance: Instance,
    now: float,
    field: str,
    words: str,
    ease: Callable[[Instance, float], Instance],
) -> Relief:
    """Return the least factor that is enough, or the largest one tried."""
    found = Relief(field, "nothing", now)
    for factor in FACTORS:
        found = Relief(field, words.format(factor), stranded(ease(instance, factor)))
        if found.unplaced <= NOTHING:
            break
    return found


def _later(instance: Instance, factor: float) -> Instance:
    """Return the instance with every deadline later, the reserve as it is."""
    swarm = instance.swarm
    last_s = (swarm.deadline_s - swarm.reserve_s) * factor + swarm.reserve_s
    classes = tuple(
        one if one.deadline_s is None else replace(one, deadline_s=one.deadline_s * factor)
        for one in instance.classes
    )
    return replace(instance, swarm=replace(swarm, deadline_s=last_s), classes=classes)


def _larger(instance: Instance, factor: float) -> Instance:
    """Return the instance with more slots at every site, rounded up."""
    sites = tuple(replace(one, slots=ceil(one.slots * factor)) for one in instance.sites)
    return replace(instance, sites=sites)
