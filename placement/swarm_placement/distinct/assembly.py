"""The plan of an assignment: options in the instance's order, probabilities, and the bound."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement.chance import probability
from swarm_placement.chance.lots import Lots
from swarm_placement.distinct.bidding import Assignment
from swarm_placement.distinct.candidates import CLOSED, Prices
from swarm_placement.distinct.grid import Grid
from swarm_placement.distinct.items import Items
from swarm_placement.distinct.linear import Forms
from swarm_placement.model import Bound, Instance, Plan, Unplaced, options
from swarm_placement.placing.assembly import gap
from swarm_placement.program import arcs
from swarm_placement.program.necessary import Necessary
from swarm_placement.program.problem import problem
from swarm_placement.program.room import Room
from swarm_placement.telling import reasons

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def assemble(
    instance: Instance,
    items: Items,
    forms: Forms,
    plan: Assignment,
    rows: Grid,
    prices: Prices,
    lower: float,
    penalty: float,
    known: Necessary,
) -> Plan:
    """Return the plan; `lower` is what the prices prove within the rows, `known` for any plan."""
    item, ordinal = np.nonzero(plan.chosen >= 0)
    cell = (item, plan.chosen[item, ordinal])
    option = np.full(int(items.copies.sum()), -1, np.int32)
    place = items.first[item] + ordinal
    option[place] = plan.found.option[cell]
    cost = float(plan.found.cost_usd[cell].sum())
    objective = cost + penalty * (option.size - item.size)
    chance = probability.of_lots(instance, _lots(instance, items, forms, plan, cell, place))
    least, within = max(known.lower_usd, 0.0), max(lower, 0.0)
    return Plan(
        option,
        Bound(
            cost_usd=cost,
            penalty_usd=penalty,
            objective_usd=objective,
            lower_usd=least,
            gap=gap(objective, least),
            within_rows_usd=within,
            within_rows_gap=gap(objective, within),
            within_rows_dual_usd=lower,
            within_rows_proof="duality",
            probability=chance.swarm,
            probability_error=chance.error,
            class_probability=chance.each,
            unplaced=_unplaced(instance, items, plan, cost),
            capacity=rows.prices(prices.row_usd),
            share_price_usd=prices.share_usd,
            budget_price=prices.budget,
            windows=known.windows,
            window_share_usd=known.share_usd,
            window_budget=known.budget,
        ),
        "distinct",
    )


def _lots(
    instance: Instance,
    items: Items,
    forms: Forms,
    plan: Assignment,
    cell: tuple[Ints, Ints],
    place: Ints,
) -> Lots:
    """Return the placed copies, each a lot of its own."""
    term = arcs.terms(instance, options(instance))
    by = np.argsort(place)
    item, option = cell[0][by], plan.found.option[cell][by]
    pattern, rate = items.pattern[item], term.preemptions_per_s[option]
    mean_s = items.size[2, item] * forms.mean_s[pattern, option]
    known = forms.sigma[pattern, option]
    busy_s = plan.found.work_s[cell][by] * (1 - term.margin[option])
    spot = rate > 0
    busy_s[spot] = np.log1p(rate[spot] * busy_s[spot]) / rate[spot]  # without restarts
    return Lots(
        of_class=items.of_class[item],
        site=term.site[option],
        model=term.model[option],
        latest_s=plan.found.latest_s[cell][by],
        move_s=np.maximum(busy_s - mean_s, 0.0),
        cold_s=term.cold_s[option],
        mean_s=mean_s,
        sigma=np.where(np.isnan(known), items.sigma[item], known),
        rate=rate,
        due_s=arcs.deadlines(instance, instance.classes)[items.of_class[item]],
        many=np.ones(place.size, np.int64),
        copy=place[by],
        of_copy=np.arange(place.size),
    )


def _unplaced(
    instance: Instance, items: Items, plan: Assignment, cost: float
) -> tuple[Unplaced, ...]:
    """Return every class with copies that found no place; items of one pattern share a reason, but
    for those that may run nowhere."""
    short = np.flatnonzero(plan.missing > 0)
    missing: dict[int, int] = {}
    said: dict[tuple[int, bool], str] = {}
    reason: dict[int, str] = {}
    for item in short[np.argsort(items.of_class[short], kind="stable")]:
        one = int(items.of_class[item])
        missing[one] = missing.get(one, 0) + int(plan.missing[item])
        key = (int(items.pattern[item]), bool((plan.found.rank_usd[item] < CLOSED / 2).any()))
        if key not in said:
            said[key] = _reason(instance, one, plan, cost)
        reason[one] = said[key]
    return tuple(Unplaced(one, many, reason[one]) for one, many in missing.items())


def _reason(instance: Instance, one: int, plan: Assignment, cost: float) -> str:
    """Return why a class found no place in what the plan leaves free."""
    alone = replace(instance, classes=(instance.classes[one],))
    flat = problem(alone)
    room = Room(flat, np.zeros(flat.of_class.size, np.int64))
    room.site, room.money = plan.site_left, flat.budget_usd - cost
    return reasons.reason(alone, room, 0)
