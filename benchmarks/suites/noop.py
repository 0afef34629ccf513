"""10,000 no-op items, each in its own sandboxed process, beside the machine's own fork rate.

On Ray with coordinator and host actors, signed and durably logged, in a warm tenant. A peer runs the
same items with less: none of them isolates an item from the next, signs or logs.
"""

from typing import Any

from benchmarks.children import measure
from benchmarks.figures import Figure, median
from benchmarks.peers.rates import noop_rates

ITEMS, QUICK_ITEMS = 10_000, 500
TIMES = 3
REACH = 0.8
CONCURRENCY = 64


def run(*, quick: bool, peers: bool = False) -> list[Figure]:
    """Measure forks and swarm in turn, so that both see the same machine."""
    count, times = (QUICK_ITEMS, 1) if quick else (ITEMS, TIMES)
    others = noop_rates(count, quick=quick, installed=peers)
    seconds = 1.0 if quick else 3.0
    forks: list[dict[str, Any]] = []
    working: list[dict[str, Any]] = []
    swarms: list[dict[str, Any]] = []
    for _ in range(times):
        forks.append(measure("benchmarks.probes.forks", seconds=seconds))
        working.append(measure("benchmarks.probes.forks", seconds=seconds, child="answers"))
        found = measure("benchmarks.probes.on_ray", counts=[count], concurrency=CONCURRENCY)
        swarms.append({**found["runs"][0], "isolation": found["isolation"]})
    return figures(count, forks, working, swarms, others)


def figures(
    count: int,
    forks: list[dict[str, Any]],
    working: list[dict[str, Any]],
    swarms: list[dict[str, Any]],
    others: dict[str, float],
) -> list[Figure]:
    """Return rates, their ratio, and where the processor time went."""
    rates = [count / one["swarm_s"] for one in swarms]
    bare = [one["rate"] for one in forks]
    ratios = [rate / fork for rate, fork in zip(rates, bare, strict=True)]
    answering = [one["rate"] for one in working]
    of_answering = [rate / fork for rate, fork in zip(rates, answering, strict=True)]
    seen = [count / one["caller_s"] for one in swarms]
    return [
        Figure(
            f"{count} no-ops in sandboxes: rate / the machine's fork rate",
            median(ratios),
            "ratio",
            REACH,
            "least",
            samples=ratios,
            note=f"isolation {swarms[0]['isolation']}, concurrency {CONCURRENCY}",
        ),
        Figure(
            f"{count} no-ops in sandboxes: rate / forks that answer a no-op",
            median(of_answering),
            "ratio",
            samples=of_answering,
            note="the forked child does a worker's work, unconfined, unsigned and unlogged",
        ),
        Figure(
            "bare fork, exit, wait with the zygote's modules; best of 1 parent and 1 per processor",
            median(bare),
            "forks/s",
            samples=bare,
        ),
        Figure(
            "the same with a child that answers a no-op as a worker does",
            median(answering),
            "forks/s",
            samples=answering,
        ),
        Figure(
            "no-ops from swarm.opened to swarm.converged",
            median(rates),
            "items/s",
            peers=others,
            samples=rates,
        ),
        Figure("no-ops from the caller's map() to result()", median(seen), "items/s", samples=seen),
        *stages(count, swarms),
        *(
            Figure(
                f"a fork whose child {what} costs",
                median([one["core_ms"] for one in found]),
                "core-ms",
                samples=[one["core_ms"] for one in found],
            )
            for what, found in (("exits at once", forks), ("answers a no-op", working))
        ),
    ]


def stages(count: int, swarms: list[dict[str, Any]]) -> list[Figure]:
    """Return the processor time per item of each part of a deployment."""
    found = []
    for name in swarms[0]["core_ms"]:
        samples = [one["core_ms"][name] / count for one in swarms]
        found.append(Figure(f"per item: {name}", median(samples), "core-ms", samples=samples))
    return found
