"""The plan in whole copies: several roundings, each repaired, the best of which is kept.

What is held back in the rows before rounding decides what has room to be rounded up. Large instances
take one share of a copy for all rows. Small ones draw a share per row, from a fixed seed, several
times over (a randomised start with local search, as in GRASP, Feo and Resende 1995): in a few rows,
chance decides which classes fit together.
"""

import numpy as np

from swarm_placement.placing.assembly import gap
from swarm_placement.placing.ejection import improve, repair
from swarm_placement.placing.exact import objective
from swarm_placement.placing.rounding import held_back, rounded
from swarm_placement.program import bound
from swarm_placement.program.relaxation import Relaxation, Relaxed
from swarm_placement.program.room import Room

CLOSE = 1e-3
"""Gap below which a plan is good enough."""
HELD = 0.5
"""Share of a copy that is held back in large instances."""
LARGEST_SHARE = (0.5, 1.5)
"""Shares of small instances are drawn up to a limit that is drawn in here."""
DRAWS = (4, 24)
DRAWN_ARCS = 15_000
"""So many arcs, in all draws together, are worth drawing again, within the limits of `DRAWS`."""
SEED = 0


def is_close(room: Room, relaxed: Relaxed) -> bool:
    """Say whether a plan is so near to the bound that nothing more is tried."""
    return gap(objective(room), relaxed.lower_usd) <= CLOSE


def large(program: Relaxation, relaxed: Relaxed, rounds: int) -> Room:
    """Return whole copies, rounded with and, if that is not close, without room to round up;
    `rounds` of improvement are allowed if that is not close either."""
    flat = program.flat
    room = rounded(flat, relaxed.copies, relaxed.prices)
    if not is_close(room, relaxed):
        program.limit(held_back(flat, relaxed.copies, relaxed.prices, HELD))
        held = program.solve()
        room = min(room, rounded(flat, held.copies, held.prices), key=objective)
        repair(room, bound.reduced_usd(flat, relaxed.prices))
    if not is_close(room, relaxed):
        improve(room, rounds)
    return room


def small(program: Relaxation, relaxed: Relaxed, *, is_thorough: bool) -> Room:
    """Return the best of several roundings, each repaired and improved; if not thorough, of few
    unless copies are stranded."""
    flat, chance = program.flat, np.random.default_rng(SEED)
    best = _polished(program, relaxed)
    for drawn in range(int(np.clip(DRAWN_ARCS // max(1, flat.of_class.size), *DRAWS))):
        enough = drawn >= DRAWS[0] and not is_thorough and not best.left.any()
        if enough or is_close(best, relaxed):
            break
        share = chance.uniform(0.0, chance.uniform(*LARGEST_SHARE), flat.rows.site.size)
        program.limit(held_back(flat, relaxed.copies, relaxed.prices, share))
        best = min(best, _polished(program, program.solve()), key=objective)
    return best


def _polished(program: Relaxation, relaxed: Relaxed) -> Room:
    room = rounded(program.flat, relaxed.copies, relaxed.prices)
    repair(room, bound.reduced_usd(program.flat, relaxed.prices))
    improve(room)
    return room
