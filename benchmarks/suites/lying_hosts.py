"""10,000 items on 100 hosts of which a fifth lies: wrong results that are taken, copies that are run.

Five organisations of 20 hosts; one fifth of the hosts, drawn at random, lies in one of the ways
below, or one organisation does with one voice. Copies land in distinct organisations, the target is
one wrong result in a thousand. The machine of the package decides, with simulated hosts; nothing of
it is told which hosts lie. `cold start` are the executions until half of the hosts are trusted; they
are included in the figures. Beside it: voting with 3, 5 and 7 copies on any hosts, each item's copies
all run; and a majority of 3 in distinct organisations that stops as soon as it is certain, without
reputation. Liars with another wrong answer each cannot outvote anybody; `all alike` is the worst
case, in which liars of different organisations agree although they are not one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.figures import Figure
from benchmarks.probes.liars import ITEMS, Lies, Outcome, Play, adaptive, early, voted

TIMED = False
SEEDS, QUICK_SEEDS = range(1, 21), range(1, 3)
PEER_SEEDS = 3
WRONG_SHARE, EXECUTIONS = 1e-3, 2.0
KINDS = (
    Lies("always"),
    Lies("sometimes", 0.1),
    Lies("sometimes", 0.02),
    Lies("sleeper", 1.0, 50),
    Lies("organisation"),
)
WORST = (
    Lies("always", alike=True),
    Lies("sometimes", 0.02, alike=True),
    Lies("sleeper", 0.1, 50, alike=True),
    Lies("once", 1.0, 30, alike=True),
)
FEW_ITEMS = 1_000


@dataclass(frozen=True, slots=True)
class Rival:
    """Another rule: its name, and what it comes to against some lies with a seed."""

    name: str
    play: Callable[[Lies, int], Outcome]


RIVALS = (
    *(
        Rival(f"{copies} votes", lambda lies, seed, copies=copies: voted(copies, lies, seed))  # type: ignore[misc]  # bound default
        for copies in (3, 5, 7)
    ),
    Rival("majority of 3", lambda lies, seed: Play(early(3), lies, seed).run()),
)


def run(*, quick: bool) -> list[Figure]:
    """Play every kind of lie with every seed, and the rivals with the first few."""
    seeds = QUICK_SEEDS if quick else SEEDS
    kinds = KINDS if quick else (*KINDS, *WORST)
    return [_few(seeds)] + [
        figure
        for lies in kinds
        for figure in _figures(
            lies,
            [Play(adaptive(), lies, seed).run() for seed in seeds],
            _rivals(lies, list(seeds)[: 1 if quick else PEER_SEEDS]),
        )
    ]


def _rivals(lies: Lies, seeds: list[int]) -> dict[str, list[Outcome]]:
    return {one.name: [one.play(lies, seed) for seed in seeds] for one in RIVALS}


def _figures(lies: Lies, outcomes: list[Outcome], rivals: dict[str, list[Outcome]]) -> list[Figure]:
    wrong = [one.wrong / one.items for one in outcomes]
    ran = [one.executions / one.items for one in outcomes]
    missing = sum(one.missing for one in outcomes)
    cold = _mean([one.cold_executions for one in outcomes])
    first = _mean([one.cold_items for one in outcomes])
    bound = max(one.bound_ppm for one in outcomes)
    return [
        Figure(
            f"liars: {lies.name}; wrong results taken, mean",
            _mean(wrong),
            "share",
            WRONG_SHARE,
            peers={
                name: _mean([one.wrong / one.items for one in of]) for name, of in rivals.items()
            },
            samples=wrong,
            note=f"worst of {len(wrong)} seeds {max(wrong):.4f}; stated bound {bound / 1e6:.4f};"
            f" {missing} of {len(outcomes) * ITEMS:,} items without a result",
        ),
        Figure(
            f"liars: {lies.name}; executions per item, worst",
            max(ran),
            "executions",
            EXECUTIONS,
            peers={
                name: _mean([one.executions / one.items for one in of])
                for name, of in rivals.items()
            },
            samples=ran,
            note=f"cold start included: {cold:,.0f} executions, by then {first:,.0f} items had a"
            f" result; items without a majority: "
            + ", ".join(
                f"{_mean([one.missing for one in of]):,.0f} with {name}"
                for name, of in rivals.items()
            ),
        ),
    ]


def _few(seeds: Iterable[int]) -> Figure:
    """Return what a small swarm costs: hosts with few items each are checked nearly always."""
    outcomes = [Play(adaptive(), Lies("always"), seed, FEW_ITEMS).run() for seed in seeds]
    ran = [one.executions / one.items for one in outcomes]
    wrong = sum(one.wrong for one in outcomes)
    return Figure(
        f"{FEW_ITEMS:,} items only, liars: always; executions per item, worst",
        max(ran),
        "executions",
        samples=ran,
        note=f"{wrong} of {len(outcomes) * FEW_ITEMS:,} results wrong",
    )


def _mean(samples: list[float] | list[int]) -> float:
    return sum(samples) / len(samples)
