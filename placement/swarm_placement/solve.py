"""One call from an instance to a plan with its bound."""

from swarm_placement import bound, distinct, equal
from swarm_placement.assembly import assemble, gap
from swarm_placement.ejection import improve, repair
from swarm_placement.exact import improved, objective
from swarm_placement.model import Instance, Plan
from swarm_placement.problem import EXACT_ARCS, problem
from swarm_placement.relaxation import Relaxation
from swarm_placement.rounding import rounded
from swarm_placement.validation import check

MOST_CLASSES = 2_000
"""Classes the linear program takes at once."""
EXACT_S = 1.0
CLOSE = 1e-3
"""Gap below which the exact solver is not asked."""


def solve(instance: Instance, exact_s: float = EXACT_S) -> Plan:
    """Return a plan for an instance.

    Classes go through the linear program, rounding and ejection chains. An answer that is not yet
    within `CLOSE` of its bound is handed to the exact solver for `exact_s` seconds (0: never) if it
    has at most `EXACT_ARCS` arcs; then the answer depends on the machine's speed.

    More than `MOST_CLASSES` classes unlike each other are placed item by item (`distinct`), and the
    exact solver is not asked.

    Raises:
        UsageError: for a bad instance.
    """
    check(instance)
    if len(instance.classes) > MOST_CLASSES:
        return _distinct(instance, exact_s)
    return _classes(instance, exact_s)


def _classes(instance: Instance, exact_s: float) -> Plan:
    flat = problem(instance)
    relaxed = Relaxation(flat).solve()
    room = rounded(flat, relaxed.copies, relaxed.prices)
    repair(room, bound.reduced_usd(flat, relaxed.prices))
    if flat.of_class.size > EXACT_ARCS or gap(objective(room), relaxed.lower_usd) <= CLOSE:
        return assemble(instance, room, relaxed.prices, "classes")
    improve(room)
    if exact_s <= 0 or gap(objective(room), relaxed.lower_usd) <= CLOSE:
        return assemble(instance, room, relaxed.prices, "classes")
    better, proven_usd = improved(flat, room, exact_s)
    return assemble(instance, better, relaxed.prices, "exact", proven_usd)


def _distinct(instance: Instance, exact_s: float) -> Plan:
    """Solve many classes: those that are alike as one, or else item by item."""
    if len({one.work_s for one in instance.classes}) <= MOST_CLASSES:
        merged, members = equal.merge(instance)
        if len(merged.classes) <= MOST_CLASSES:
            return equal.split(instance, members, _classes(merged, exact_s))
    return distinct.placed(instance)
