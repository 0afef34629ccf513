"""10,000 no-op items with isolation `none`, beside plain Ray tasks.

Each item still gets a signature and a place in the durable log. Nothing is confined, so processes
serve one item after another, as the warm worker processes of Ray do.
"""

from benchmarks.children import measure
from benchmarks.figures import Figure, median
from benchmarks.peers.rates import ray_tasks_rate
from benchmarks.suites.noop import CONCURRENCY, ITEMS, QUICK_ITEMS, TIMES, stages

REACH = 1.0


def run(*, quick: bool) -> list[Figure]:
    """Measure both in turn, so that both see the same machine."""
    count, times = (QUICK_ITEMS, 1) if quick else (ITEMS, TIMES)
    tasks, swarms = [], []
    for _ in range(times):
        tasks.append(ray_tasks_rate(count))
        found = measure(
            "benchmarks.probes.on_ray", counts=[count], concurrency=CONCURRENCY, isolation="none"
        )
        swarms.append(found["runs"][0])
    rates = [count / one["swarm_s"] for one in swarms]
    ratios = [rate / task for rate, task in zip(rates, tasks, strict=True)]
    return [
        Figure(
            f"{count} no-ops without isolation: rate / plain Ray tasks",
            median(ratios),
            "ratio",
            REACH,
            "least",
            samples=ratios,
        ),
        Figure(
            "no-ops from swarm.opened to swarm.converged",
            median(rates),
            "items/s",
            peers={"Ray tasks": median(tasks)},
            samples=rates,
        ),
        *stages(count, swarms),
    ]
