"""Cost at equal hit rate: the solver against five schedulers' policies on the same instances.

Same eligibility, domains and simulated world as in `placement_deadline`, moving and backups granted
to everyone; each rival in the better of two orders of execution (first come, first served; by least
latest start). Rivals are re-implementations of policies, not the products; the first four are
blind to price or to queues by design, the cost-aware greedy is the one to beat. Money is what the
simulation spent, stragglers and backups included. The solver keeps 15 % of every site free, the
greedy 10 %, which is cheaper. A rival's hit rate is equal when it is at
most half a point below the solver's; where no rival has one, no ratio is given. Settings were chosen on seeds 3 and 4; figures are medians of
seeds 41 to 45.
"""

from benchmarks.figures import Figure, median
from benchmarks.probes.placements import POLICIES, Row, compared
from benchmarks.suites.placement_deadline import CASES, QUICK, SEEDS, Case
from swarm_placement.simulate.conditions import Conditions

TIMED = False
EQUAL = 0.005


def run(*, quick: bool) -> list[Figure]:
    """Place and execute every case with every policy."""
    seeds = SEEDS[:2] if quick else SEEDS
    figures = []
    for case in QUICK if quick else CASES:
        rows: dict[str, list[Row]] = {name: [] for name in POLICIES}
        for seed in seeds:
            instance = case.instance(seed)
            for name in POLICIES:
                rows[name].append(compared(instance, name, Conditions(draws=case.draws // 4), seed))
        figures += _figures(case, rows)
    return figures


def _figures(case: Case, rows: dict[str, list[Row]]) -> list[Figure]:
    solver = rows["solver"]
    rivals = {name: found for name, found in rows.items() if name != "solver"}
    ratios = []
    for number, row in enumerate(solver):
        equal = [
            found[number].outcome.usd
            for found in rivals.values()
            if found[number].outcome.hit >= row.outcome.hit - EQUAL
        ]
        ratios += [row.outcome.usd / min(equal)] if equal else []
    figures = []
    if ratios:
        figures.append(
            Figure(
                f"{case.name}: money / the cheapest rival's with an equal hit rate",
                median(ratios),
                "ratio",
                1.0,
                samples=ratios,
                note=f"with {len(ratios)} of {len(solver)} seeds; else no rival had one",
            )
        )
    return [
        *figures,
        Figure(
            f"{case.name}: money spent",
            median([row.outcome.usd for row in solver]),
            "USD",
            peers={
                name: median([row.outcome.usd for row in found]) for name, found in rivals.items()
            },
        ),
        Figure(
            f"{case.name}: items done in time",
            median([row.outcome.hit for row in solver]),
            "share",
            peers={
                name: median([row.outcome.hit for row in found]) for name, found in rivals.items()
            },
        ),
        Figure(
            f"{case.name}: the same of the worst class",
            median([row.worst for row in solver]),
            "share",
            peers={name: median([row.worst for row in found]) for name, found in rivals.items()},
        ),
    ]
