"""The plan of an assignment: options in the instance's order, probabilities, and the bound."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement import arcs, capacity, probability, reasons
from swarm_placement.assembly import gap
from swarm_placement.distinct.bidding import Assignment
from swarm_placement.distinct.candidates import CLOSED, Prices
from swarm_placement.distinct.grid import Grid
from swarm_placement.distinct.items import Items
from swarm_placement.distinct.linear import Forms
from swarm_placement.model import Bound, Instance, Plan, Unplaced, options
from swarm_placement.problem import cold_starts, problem
from swarm_placement.room import Room

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
) -> Plan:
    """Return the plan; `lower` is what the prices prove."""
    item, ordinal = np.nonzero(plan.chosen >= 0)
    cell = (item, plan.chosen[item, ordinal])
    option = np.full(int(items.copies.sum()), -1, np.int32)
    place = items.first[item] + ordinal
    option[place] = plan.found.option[cell]
    cost = float(plan.found.cost_usd[cell].sum())
    objective = cost + penalty * (option.size - item.size)
    done = _done(instance, items, forms, plan, cell, place)
    whole = np.zeros(plan.copies.size)
    np.add.at(whole, item, np.log(np.maximum(done, 1e-300)))
    success = np.where(plan.missing == 0, np.exp(whole), 0.0)
    classes = len(instance.classes)
    many = np.bincount(items.of_class, minlength=classes)
    by_class = np.bincount(items.of_class, success, classes) / many
    best = max(lower, 0.0)
    return Plan(
        option,
        Bound(
            cost_usd=cost,
            penalty_usd=penalty,
            objective_usd=objective,
            lower_usd=best,
            dual_lower_usd=lower,
            gap=gap(objective, best),
            proof="duality",
            probability=probability.swarm_probability(
                many, by_class, instance.swarm.min_success_ratio
            ),
            class_probability=by_class,
            unplaced=_unplaced(instance, items, plan, cost),
            capacity=rows.prices(prices.row_usd),
            share_price_usd=prices.share_usd,
            budget_price=prices.budget,
        ),
        "distinct",
    )


def _done(
    instance: Instance,
    items: Items,
    forms: Forms,
    plan: Assignment,
    cell: tuple[Ints, Ints],
    place: Ints,
) -> Floats:
    """Return the probability that each copy ends before its deadline, as `probability` sees it."""
    item, option = cell[0], plan.found.option[cell]
    latest_s = plan.found.latest_s[cell]
    pattern = items.pattern[item]
    mean_s = items.size[2, item] * forms.mean_s[pattern, option]
    known = forms.sigma[pattern, option]
    sigma = np.where(np.isnan(known), items.sigma[item], known)
    planned = instance.swarm.item_probability
    last_hop = arcs.quantile_s(mean_s, sigma, planned)
    start = _starts(instance, plan, cell, latest_s, place)
    left_s = np.maximum(latest_s + last_hop - start, 0.0)
    middle = np.log(mean_s) - sigma * sigma / 2
    with np.errstate(divide="ignore"):
        done = probability.normal((np.log(left_s) - middle) / np.maximum(sigma, 1e-9))
    spot = np.array([way.spot for way in options(instance)])[option]
    return np.where(spot, np.minimum(done, planned), done)


def _starts(
    instance: Instance, plan: Assignment, cell: tuple[Ints, Ints], latest_s: Floats, place: Ints
) -> Floats:
    """Return when each copy begins, by least latest start on the slots of its site."""
    site = plan.found.row[cell] // plan.found.levels
    order = np.lexsort((place, latest_s, site))
    margin = np.array([one.margin for one in instance.sites])
    work_s = plan.found.work_s[cell] * (1 - margin[site])
    cold_s = cold_starts(instance, np.unique(plan.found.option[cell]))
    start = np.empty(order.size)
    bounds = np.searchsorted(site[order], np.arange(len(instance.sites) + 1))
    for at in range(len(instance.sites)):
        here = order[bounds[at] : bounds[at + 1]]
        before = np.cumsum(work_s[here]) - work_s[here]
        free_s = capacity.free_times(instance, at)
        start[here] = probability.begins(free_s, before, float(cold_s[at]))
    return start


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
