"""A plan from whole copies per arc: which copy goes where, and how good that is."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from swarm_placement.chance import probability
from swarm_placement.model import Bound, CapacityPrice, Instance, Plan, copy_offsets
from swarm_placement.placing import margin
from swarm_placement.program import bound, necessary
from swarm_placement.program.bound import Prices
from swarm_placement.program.necessary import Necessary
from swarm_placement.program.problem import Problem, inner
from swarm_placement.program.room import Room
from swarm_placement.telling import reasons

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Proof = Literal["duality", "branch and bound"]


def decoded(instance: Instance, flat: Problem, copies: Ints) -> NDArray[np.int32]:
    """Return the option of every copy, -1 where none; as many items as can be have all of theirs.

    Copies ordered by domain are dealt to items in turn, so two copies of an item are never in one
    domain beyond what it may take. Where copies are unplaced, the first items are dealt full sets and
    the others what is left.
    """
    offsets = copy_offsets(instance.classes)
    found = np.full(offsets[-1], -1, np.int32)
    used = np.flatnonzero(copies)
    bounds = np.searchsorted(flat.of_class[used], np.arange(flat.classes + 1))
    for number, one in enumerate(instance.classes):
        here = used[bounds[number] : bounds[number + 1]]
        placed = np.repeat(flat.option[here], copies[here])
        mine = found[offsets[number] : offsets[number + 1]].reshape(one.items, one.copies)
        if placed.size in (one.items * one.copies, 0) or one.copies == 1:
            _deal(mine, placed)
            continue
        group = np.repeat(flat.group[here], copies[here])
        numbers, many = np.unique(group, return_counts=True)
        most = flat.group_most[numbers] // one.items
        whole = complete(many, most, one.copies, one.items)
        taken = _first(many, most, (whole, one.items), one.copies)
        rank = np.arange(group.size) - np.searchsorted(group, group)
        is_first = rank < np.repeat(taken, many)
        _deal(mine[:whole], placed[is_first])
        _deal(mine[whole:], placed[~is_first])
    return found


def complete(many: Ints, most: Ints, copies: int, items: int) -> int:
    """Return how many items can have all their copies with so `many` placed in each domain, where an
    item may have at most `most`."""
    low, high = 0, items
    while low < high:
        middle = (low + high + 1) // 2
        if int(np.minimum(many, most * middle).sum()) >= copies * middle:
            low = middle
        else:
            high = middle - 1
    return low


def _first(many: Ints, most: Ints, items: tuple[int, int], copies: int) -> Ints:
    """Return how many copies of each domain go to the first items, which are to be complete; what is
    left of a domain must fit the other items."""
    whole, total = items
    least = np.maximum(0, many - most * (total - whole))
    spare = np.minimum(many, most * whole) - least
    before = np.cumsum(spare) - spare
    return np.asarray(least + np.clip(copies * whole - int(least.sum()) - before, 0, spare))


def _deal(mine: NDArray[np.int32], placed: Ints) -> None:
    """Deal options to items in turn."""
    dealt = np.full(mine.size, -1, np.int32)
    dealt[: placed.size] = placed
    mine[:] = dealt.reshape(mine.shape[1], mine.shape[0]).T


def assemble(
    instance: Instance,
    room: Room,
    prices: Prices,
    solver: str,
    proven_usd: float = -np.inf,
    option: NDArray[np.int32] | None = None,
    over: Mapping[int, int] | None = None,
    known: Necessary | None = None,
) -> Plan:
    """Return the plan of whole copies, with its bounds; `proven_usd` is a bound within the rows found
    otherwise, `option` the decoding when it is given, `over` how many copies of which arcs stand in a
    margin, `known` what holds for any plan (by default what the prices prove)."""
    flat, copies = room.flat, room.copies
    option = decoded(instance, flat, copies) if option is None else option
    lower = bound.lower_usd(flat, prices)
    cost = inner(copies, flat.cost_usd)
    beyond = margin.indices(instance, flat, option, over or {})
    objective = cost + flat.penalty_usd * (int(room.left.sum()) + beyond.size)
    chance = probability.of_plan(instance, flat, option)
    known = known or necessary.from_rows(instance, flat, prices)
    least, within = max(known.lower_usd, 0.0), max(lower, proven_usd, 0.0)
    proof: Proof = "branch and bound" if proven_usd > lower else "duality"
    return Plan(
        option,
        Bound(
            cost_usd=cost,
            penalty_usd=flat.penalty_usd,
            objective_usd=objective,
            lower_usd=least,
            gap=gap(objective, least),
            within_rows_usd=within,
            within_rows_gap=gap(objective, within),
            within_rows_dual_usd=lower,
            within_rows_proof=proof,
            probability=chance.swarm,
            probability_error=chance.error,
            class_probability=chance.each,
            unplaced=reasons.unplaced(instance, room),
            capacity=capacity_prices(flat, prices),
            share_price_usd=prices.share_usd,
            budget_price=prices.budget,
            windows=known.windows,
            window_share_usd=known.share_usd,
            window_budget=known.budget,
            over_margin=beyond,
        ),
        solver,
    )


def gap(objective: float, lower: float) -> float:
    """Return the relative distance of an objective from its bound; 0 when both are 0."""
    if objective <= lower:
        return 0.0
    return objective / lower - 1 if lower > 0 else np.inf


def capacity_prices(flat: Problem, prices: Prices) -> tuple[CapacityPrice, ...]:
    """Return the capacity rows that cost something."""
    rows = flat.rows
    return tuple(
        CapacityPrice(
            int(rows.site[row]),
            float(rows.below_s[row]),
            float(rows.slot_s[row]),
            float(prices.row_usd[row]),
            float(rows.edge_s[row]),
        )
        for row in np.flatnonzero(prices.row_usd > 0)
    )
