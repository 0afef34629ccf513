"""The exact answer, for small instances: the class x option program over whole numbers.

HiGHS branches and bounds from the rounded plan as a hint.
"""

import numpy as np
from numpy.typing import NDArray

from swarm_placement.program import highs
from swarm_placement.program.problem import Problem, inner
from swarm_placement.program.relaxation import Relaxation
from swarm_placement.program.room import Room

Ints = NDArray[np.int64]
ENOUGH = 1e-3
"""Relative gap at which the search ends."""


def improved(flat: Problem, room: Room, limit_s: float) -> tuple[Room, float]:
    """Return the best plan found within a time limit, and the bound that was proven.

    The answer is never worse than `room`. With a time limit it depends on the machine.
    """
    program = Relaxation(flat)
    solver = program.solver
    highs.integral(solver, limit_s, ENOUGH)
    highs.hint(solver, np.concatenate((room.copies, room.left)).astype(float))
    answer = highs.run(solver)
    copies = np.rint(answer.values[: flat.of_class.size]).astype(np.int64)
    found = Room(flat, copies)
    before = objective(room)
    proven = answer.bound / program.scale
    within = found.slot_s.min(initial=0.0) > -1e-5 * flat.rows.slot_s.max(initial=1.0)
    return (found if within and objective(found) < before else room), min(proven, before)


def objective(room: Room) -> float:
    """Return cost plus penalties."""
    return inner(room.copies, room.flat.cost_usd) + room.flat.penalty_usd * int(room.left.sum())
