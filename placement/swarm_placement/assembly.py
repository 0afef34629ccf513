"""A plan from whole copies per arc: which copy goes where, and how good that is."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from swarm_placement import bound, margin, probability, reasons
from swarm_placement.bound import Prices
from swarm_placement.model import Bound, CapacityPrice, Instance, Plan, copy_offsets
from swarm_placement.problem import Problem, inner
from swarm_placement.room import Room

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Proof = Literal["duality", "branch and bound"]


def decoded(instance: Instance, flat: Problem, copies: Ints) -> NDArray[np.int32]:
    """Return the option of every copy, -1 where none.

    The copies of a class, ordered by domain, are dealt to its items in turn, so two copies of an
    item are `items` apart and never in one domain beyond what it may take; what is unplaced is
    missing from the last items.
    """
    offsets = copy_offsets(instance.classes)
    found = np.full(offsets[-1], -1, np.int32)
    used = np.flatnonzero(copies)
    bounds = np.searchsorted(flat.of_class[used], np.arange(flat.classes + 1))
    for number, one in enumerate(instance.classes):
        here = used[bounds[number] : bounds[number + 1]]
        dealt = np.full(one.items * one.copies, -1, np.int32)
        placed = np.repeat(flat.option[here], copies[here])
        dealt[: placed.size] = placed
        found[offsets[number] : offsets[number + 1]] = dealt.reshape(
            one.copies, one.items
        ).T.ravel()
    return found


def assemble(
    instance: Instance,
    room: Room,
    prices: Prices,
    solver: str,
    proven_usd: float = -np.inf,
    option: NDArray[np.int32] | None = None,
    over: Mapping[int, int] | None = None,
) -> Plan:
    """Return the plan of whole copies, with its bound; `proven_usd` is a bound found otherwise,
    `option` the decoding when it is given, `over` how many copies of which arcs stand in a margin."""
    flat, copies = room.flat, room.copies
    option = decoded(instance, flat, copies) if option is None else option
    lower = bound.lower_usd(flat, prices)
    cost = inner(copies, flat.cost_usd)
    beyond = margin.indices(instance, flat, option, over or {})
    objective = cost + flat.penalty_usd * (int(room.left.sum()) + beyond.size)
    offsets = copy_offsets(instance.classes)
    complete = np.array(
        [
            int(
                (option[offsets[number] : offsets[number + 1]].reshape(-1, one.copies) >= 0)
                .all(1)
                .sum()
            )
            for number, one in enumerate(instance.classes)
        ]
    )
    done = probability.class_probability(instance, flat, copies, complete)
    best = max(lower, proven_usd, 0.0)
    proof: Proof = "branch and bound" if proven_usd > lower else "duality"
    return Plan(
        option,
        Bound(
            cost_usd=cost,
            penalty_usd=flat.penalty_usd,
            objective_usd=objective,
            lower_usd=best,
            dual_lower_usd=lower,
            gap=gap(objective, best),
            proof=proof,
            probability=probability.swarm_probability(
                flat.items, done, instance.swarm.min_success_ratio
            ),
            class_probability=done,
            unplaced=reasons.unplaced(instance, room),
            capacity=capacity_prices(flat, prices),
            share_price_usd=prices.share_usd,
            budget_price=prices.budget,
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
        )
        for row in np.flatnonzero(prices.row_usd > 0)
    )
