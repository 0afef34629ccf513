"""Why one item is where it is: choice, next best, what is excluded, what binds.

Decides nothing; everything follows from the instance, the plan and its shadow prices. Hard
requirements exclude and are never priced: no advice to lift one is given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from swarm_placement.errors import UsageError
from swarm_placement.model import Bound, Instance, ItemClass, Option, Plan, copy_offsets, options
from swarm_placement.program import arcs
from swarm_placement.program.exclusion import Exclusion, by_option, by_site
from swarm_placement.telling.explanation import SAME, Choice, CopyExplanation, Explanation
from swarm_placement.telling.scarcity import (
    Saving,
    alone_later,
    gained,
    minute_later,
    optimum,
    price_usd,
    slot_saving,
    without_place,
)
from swarm_placement.validation.names import nearest

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """The options of one class, one array entry each: prices, infinite where an option is not
    permitted, now and with the deadline a minute later."""

    names: tuple[tuple[str, str, bool], ...]
    excluded: list[list[Exclusion]]
    cost_usd: Floats
    price_usd: Floats
    price_later_usd: Floats
    mean_s: Floats
    latest_s: Floats
    site: NDArray[np.int64]
    domain: NDArray[np.int64]
    domain_most: NDArray[np.int64]

    def free(self, others: Sequence[int]) -> NDArray[np.bool_]:
        """Say which options are in a domain that has room beside the other copies of the item."""
        used = np.bincount(self.domain[list(others)], minlength=self.domain.max() + 1)
        return np.asarray(used[self.domain] < self.domain_most)


def explain(instance: Instance, plan: Plan, item_class: str, ordinal: int = 0) -> Explanation:
    """Explain where the copies of one item are, and why.

    Args:
        instance: what was asked.
        plan: the answer to it.
        item_class: the name of the item's class.
        ordinal: the item's number within its class, from 0.

    Raises:
        UsageError: if there is no such item.
    """
    number = _number(instance, item_class, ordinal)
    one = instance.classes[number]
    ways = options(instance)
    view = _view(instance, plan.bound, one, ways)
    begin = int(copy_offsets(instance.classes)[number]) + ordinal * one.copies
    taken = plan.option[begin : begin + one.copies].tolist()
    missing = [missed.reason for missed in plan.bound.unplaced if missed.item_class == number]
    slot = cache(lambda site: slot_saving(instance, plan.bound, site))
    minute = cache(lambda: _minute(instance, plan.bound, number))
    everybody = _everybody(instance, plan.bound) if min(taken) < 0 else 0.0
    copies = []
    for place, chosen in enumerate(taken):
        others = [way for at, way in enumerate(taken) if at != place and way >= 0]
        free = view.free(others)
        other = _cheapest(view, chosen, free)
        if chosen >= 0:
            binding, site = _binding(view, chosen, free, plan.bound)
        else:
            binding, site = "; ".join(missing), int(view.site[other]) if other >= 0 else -1
        more = slot(site) if site >= 0 else Saving("slot", "", 0.0)
        copies.append(
            CopyExplanation(
                _choice(view, chosen, chosen),
                _choice(view, other, chosen),
                binding,
                instance.sites[site].name if site >= 0 else "",
                more.usd,
                _minute_usd(view, free, plan.bound.penalty_usd, minute, one.copies),
                bool((plan.bound.over_margin == begin + place).any()),
                everybody if chosen < 0 else 0.0,
                more.copies,
                more.marginal and more.usd > 0,
            )
        )
    excluded = by_site(instance, ways, view.excluded)
    return Explanation(item_class, ordinal, one.items, tuple(copies), excluded)


def _number(instance: Instance, item_class: str, ordinal: int) -> int:
    names = [one.name for one in instance.classes]
    if item_class not in names:
        raise UsageError(
            "explain.item_class",
            "item_class",
            f"There is no class {item_class!r}.",
            nearest(item_class, names),
        )
    number = names.index(item_class)
    items = instance.classes[number].items
    if not 0 <= ordinal < items:
        raise UsageError(
            "explain.ordinal",
            "ordinal",
            f"{item_class!r} has {items} items and no item {ordinal}.",
            f"Give a number from 0 to {items - 1}.",
        )
    return number


def _view(instance: Instance, bound: Bound, one: ItemClass, ways: tuple[Option, ...]) -> _View:
    alone = replace(instance, classes=(one,))
    now, later = arcs.table(alone), arcs.table(minute_later(alone))
    sites = [instance.sites[way.site] for way in ways]
    nodes = one.across == "node"
    return _View(
        names=tuple(
            (site.name, instance.models[way.model].name, way.spot)
            for site, way in zip(sites, ways, strict=True)
        ),
        excluded=by_option(instance, one, ways, now),
        cost_usd=now.cost_usd[0],
        price_usd=price_usd(instance, bound, now)[0],
        price_later_usd=price_usd(instance, bound, later)[0],
        mean_s=now.mean_s[0] + now.fixed_s[0],
        latest_s=now.latest_s[0],
        site=np.array([way.site for way in ways], np.int64),
        domain=arcs.domain_numbers(one.across, sites),
        domain_most=np.array([site.nodes if nodes else 1 for site in sites], np.int64),
    )


def _cheapest(view: _View, chosen: int, free: NDArray[np.bool_]) -> int:
    """Return the option of least price beside the chosen one, -1 if there is none."""
    price = np.where(free, view.price_usd, np.inf)
    if chosen >= 0:
        price[chosen] = np.inf
    best = int(np.argmin(price))
    return best if np.isfinite(price[best]) else -1


def _choice(view: _View, way: int, chosen: int) -> Choice | None:
    if way < 0:
        return None
    price = float(view.price_usd[way])
    return Choice(
        *view.names[way],
        cost_usd=float(view.cost_usd[way]),
        price_usd=price,
        dearer_usd=price - float(view.price_usd[chosen]) if chosen >= 0 else 0.0,
        mean_s=float(view.mean_s[way]),
        latest_start_s=float(view.latest_s[way]),
    )


def _binding(view: _View, chosen: int, free: NDArray[np.bool_], bound: Bound) -> tuple[str, int]:
    """Return what keeps the copy from the permitted option of least cost, and at which site."""
    permitted = np.isfinite(view.price_usd)
    cost = np.where(permitted, view.cost_usd, np.inf)
    best = int(np.argmin(cost))
    if cost[chosen] <= cost[best] * (1 + SAME):
        late = [
            way
            for way, reasons in enumerate(view.excluded)
            if [one.constraint for one in reasons] == ["deadline"]
            and view.cost_usd[way] < cost[chosen] * (1 - SAME)
        ]
        if late:
            return "deadline", int(view.site[min(late, key=lambda way: view.cost_usd[way])])
        return "price", int(view.site[chosen])
    site = int(view.site[best])
    if not free[best]:
        return "domain", site
    if bound.share_price_usd[site] > 0:
        return "share", site
    scarce = view.price_usd[best] > cost[best] * (1 + bound.budget_price) * (1 + SAME)
    return ("capacity" if scarce else "whole copies"), site


def _minute(instance: Instance, bound: Bound, number: int) -> Saving | None:
    """Return what one more minute for one item alone gains, None if that is too much to work out."""
    now = optimum(instance)
    then = optimum(alone_later(instance, number)) if now else None
    missing = without_place(bound)
    return gained(now, then, Saving("minute", "", 0.0), missing) if now and then else None


def _everybody(instance: Instance, bound: Bound) -> float:
    """Return up to how many more copies find a place when every deadline is a minute later."""
    now = optimum(instance)
    then = optimum(minute_later(instance)) if now else None
    if not (now and then):
        return 0.0
    return gained(now, then, Saving("minute", "", 0.0), without_place(bound)).copies


def _minute_usd(
    view: _View,
    free: NDArray[np.bool_],
    penalty_usd: float,
    minute: Callable[[], Saving | None],
    copies: int,
) -> float:
    """Return what one more minute saves a copy: as worked out, but no more than by how much its
    least price falls; the latter alone where nothing was worked out."""
    now = np.where(free, view.price_usd, np.inf).min(initial=penalty_usd)
    later = np.where(free, view.price_later_usd, np.inf).min(initial=penalty_usd)
    falls = max(0.0, float(now - later))
    gain = minute() if falls > 0 else None
    return falls if gain is None or gain.copies else min(falls, gain.usd / copies)
