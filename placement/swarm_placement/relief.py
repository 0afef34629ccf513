"""What would let everything be placed, and in time as surely as asked, when it cannot be.

Each limit is eased alone. For copies without a place the least easing is searched with the linear
program, which says whether fractions of copies would fit; for whole copies that do not fit where
fractions do, and for a target that is missed, plans are tried with more and more of it: a larger
easing may make a cheaper plan that is less sure, so that nothing can be searched by halves. Residency, hardware and capability are never
eased: an answer that needs them names the requirement instead (`Bound.unplaced`).
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Any

from swarm_placement.errors import UnitWarning
from swarm_placement.model import Instance, Plan
from swarm_placement.program.problem import problem
from swarm_placement.program.relaxation import Relaxation
from swarm_placement.solve import MOST_CLASSES, solve
from swarm_placement.telling.wording import percent

FACTORS = (1.02, 1.05, 1.1, 1.2, 1.35, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""Easings for which the linear program is solved, from small to large."""
PLANNED = (1.05, 1.1, 1.2, 1.5, 2.0, 3.0, 10.0)
"""Easings for which plans are made, from small to large."""
EXACT_S = 0.02
"""Seconds of exact search for such a plan; with none it would not be made surer either."""
NOTHING = 1e-6
"""Copies that count as none."""
MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Relief:
    """A limit that, eased alone, would help: its field, the easing in words, how many copies would
    still be without a place (fractions, if the linear program says it), and how probably the swarm
    would succeed, if a plan says it."""

    field: str
    easing: str
    unplaced: float
    probability: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data with whole numbers."""
        found = {
            "field": self.field,
            "easing": self.easing,
            "unplaced": ceil(self.unplaced - NOTHING),
        }
        if self.probability is None:
            return found
        return found | {"probability_ppm": floor(self.probability * MILLION)}

    def text(self) -> str:
        """Return it in words."""
        left = ceil(self.unplaced - NOTHING)
        rest = f"; {left:,} copies would still have no place" if left > 0 else ""
        sure = floor((self.probability or 0.0) * MILLION)
        chance = f"; then {percent(sure)} sure" if self.probability is not None else ""
        return f"would help   {self.easing} ({self.field}){rest}{chance}"


def stranded(instance: Instance) -> float:
    """Return how many copies have no place even in fractions."""
    return Relaxation(problem(instance)).solve().unplaced


def relief(instance: Instance) -> tuple[Relief, ...]:
    """Return what would help an instance whose copies do not all fit: the complete reliefs, with
    the least easing that is enough, before the partial ones; nothing when all fit in fractions."""
    now = stranded(instance)
    if now <= NOTHING:
        return ()
    found = [one for one in _each(instance) if one.unplaced < now - NOTHING]
    return tuple(sorted(found, key=lambda one: one.unplaced))


def _each(instance: Instance) -> Iterator[Relief]:
    """Yield the effect of easing each limit that there is."""
    for field, words, ease in _EASED:
        yield _least(instance, field, words, ease)
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


def advice(instance: Instance, plan: Plan) -> tuple[Relief, ...]:
    """Return what would help a plan that leaves copies without a place or misses its target; nothing
    for one that does neither, or of more than `MOST_CLASSES` classes, for which that takes long."""
    swarm, missing = instance.swarm, bool((plan.option < 0).any())
    sure = plan.bound.probability >= swarm.target_probability
    if (sure and not missing) or len(instance.classes) > MOST_CLASSES:
        return ()
    return (relief(instance) if missing else ()) or tuple(_surer(instance, plan))


def _surer(instance: Instance, plan: Plan) -> Iterator[Relief]:
    """Yield the first easing of time and of slots with which a plan is whole and sure, or else the
    one that comes nearest to it, if that is better than the plan."""
    now = Relief("", "", float((plan.option < 0).sum()), plan.bound.probability)
    for field, words, ease in _EASED:
        found = _first(instance, field, words, ease)
        if _lacks(found) < _lacks(now):
            yield found


def _first(
    instance: Instance, field: str, words: str, ease: Callable[[Instance, float], Instance]
) -> Relief:
    """Return the first factor with which a plan is whole and as sure as asked, or else the best."""
    tried: list[Relief] = []
    target = instance.swarm.target_probability
    for factor in PLANNED:
        unplaced, probability = _planned(ease(instance, factor))
        tried.append(Relief(field, words.format(factor), unplaced, probability))
        if not unplaced and probability >= target:
            found, is_enough = tried[-1], "the first that is enough"
            break
    else:
        found, is_enough = min(tried, key=_lacks), "none is enough"
    factors = ", ".join(f"{factor:g}" for factor in PLANNED[: len(tried)])
    return replace(found, easing=f"{found.easing}; tried {factors}, {is_enough}")


def _lacks(one: Relief) -> tuple[float, float]:
    return one.unplaced, -(one.probability or 0.0)


def _planned(instance: Instance) -> tuple[float, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnitWarning)  # what it is about was said of the instance
        plan = solve(instance, exact_s=EXACT_S)
    return float((plan.option < 0).sum()), plan.bound.probability


def _least(
    instance: Instance, field: str, words: str, ease: Callable[[Instance, float], Instance]
) -> Relief:
    """Return the least factor with which fractions of all copies fit, or the largest one; by
    bisection, since more room never leaves more of them out."""

    def tried(at: int) -> Relief:
        left = stranded(ease(instance, FACTORS[at]))
        return Relief(field, words.format(FACTORS[at]), left)

    low, high = 0, len(FACTORS) - 1
    best = tried(high)
    while best.unplaced <= NOTHING and low < high:
        middle = (low + high) // 2
        found = tried(middle)
        if found.unplaced <= NOTHING:
            best, high = found, middle
        else:
            low = middle + 1
    return best


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


_EASED = (
    ("swarm.deadline_s", "{:g} times the time, for every class", _later),
    ("sites[*].slots", "{:g} times the slots, at every site", _larger),
)
