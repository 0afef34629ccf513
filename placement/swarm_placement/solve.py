"""One call from an instance to a plan with its bound."""

import math

from swarm_placement import distinct
from swarm_placement.model import Instance, Plan
from swarm_placement.placing import whole
from swarm_placement.placing.assembly import assemble
from swarm_placement.placing.assurance import nearer, same_arcs
from swarm_placement.placing.completion import completed
from swarm_placement.placing.exact import improved
from swarm_placement.program import equal, necessary
from swarm_placement.program.necessary import Necessary
from swarm_placement.program.problem import EXACT_ARCS, Problem, problem
from swarm_placement.program.relaxation import Relaxation, Relaxed
from swarm_placement.program.room import Room
from swarm_placement.validation import check

MOST_CLASSES = 2_000
"""Classes the linear program takes at once."""
EXACT_S = 1.0
WINDOWS_ARCS = 20_000
"""Arcs, for each second that may be spent, up to which the bound for any plan has a linear program of
its own."""
ROUNDS = 3
"""Rounds in which large instances are improved if time may be spent on it."""
SURER = 3
"""Plans that are tried for a swarm that misses its probability."""


def solve(instance: Instance, exact_s: float = EXACT_S) -> Plan:
    """Return a plan for an instance.

    Classes go through the linear program, rounding and ejection chains (`whole`). An answer that is
    not yet within `whole.CLOSE` of its bound is worked on if `exact_s` is not 0: above `EXACT_ARCS`
    arcs in rounds of improvement, whose number is fixed; up to there by the exact solver for so many
    seconds, and then the answer depends on the machine's speed.

    Copies that find no place within the margins of sites are placed in them (`margin`); what still has
    none is tried wherever the plan would be in time if it were executed (`insertion`).

    A plan that misses `Swarm.target_probability` is replaced, if `exact_s` is not 0, by one in which
    the classes that are not sure enough start earlier (`assurance`), if one of `SURER` such plans
    places all copies and reaches the target. If none does, the first plan is the answer, with the
    probability it has; dearer plans that miss the target as well are not offered.

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
    program = Relaxation(problem(instance))
    relaxed = program.solve()
    room, proven_usd = _room(program, relaxed, exact_s)
    room, option, over = completed(instance, room, _quickly)
    solver = "exact" if proven_usd > -math.inf else "classes"
    is_worth = program.flat.of_class.size <= WINDOWS_ARCS * exact_s
    known = necessary.best(instance, program.flat) if is_worth else None
    plan = assemble(
        instance, room, relaxed.prices, solver, proven_usd, option=option, over=over, known=known
    )
    return _surer(instance, program.flat, relaxed, plan, known) if exact_s > 0 else plan


def _room(program: Relaxation, relaxed: Relaxed, exact_s: float) -> tuple[Room, float]:
    """Return whole copies within the rows, and the bound that the exact solver proved."""
    if program.flat.of_class.size > EXACT_ARCS:
        return whole.large(program, relaxed, rounds=ROUNDS if exact_s > 0 else 0), -math.inf
    room = whole.small(program, relaxed, is_thorough=exact_s > 0)
    if exact_s <= 0 or whole.is_close(room, relaxed):
        return room, -math.inf
    return improved(program.flat, room, exact_s)


def _quickly(flat: Problem) -> Room:
    """Return whole copies of a problem, without the exact solver."""
    program = Relaxation(flat)
    return _room(program, program.solve(), 0.0)[0]


def _surer(
    instance: Instance, flat: Problem, relaxed: Relaxed, plan: Plan, known: Necessary | None
) -> Plan:
    """Return a plan that is as sure as asked, or the plan given."""
    planned = nearer(instance, instance, flat, plan)
    for _ in range(SURER):
        if planned is None:
            return plan
        room = _quickly(problem(planned))
        copies = same_arcs(flat, room.flat, room.copies)
        trial = assemble(instance, Room(flat, copies), relaxed.prices, "classes", known=known)
        is_sure = trial.bound.probability >= instance.swarm.target_probability
        if is_sure and not room.left.any():
            return trial
        planned = nearer(instance, planned, flat, trial)
    return plan


def _distinct(instance: Instance, exact_s: float) -> Plan:
    """Solve many classes: those that are alike as one, or else item by item."""
    if len({one.work_s for one in instance.classes}) <= MOST_CLASSES:
        merged, members = equal.merge(instance)
        if len(merged.classes) <= MOST_CLASSES:
            return equal.split(instance, members, _classes(merged, exact_s))
    return distinct.placed(instance, exact_s)
