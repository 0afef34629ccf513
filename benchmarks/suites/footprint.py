"""What an item costs the coordinator's memory and the log, at 100,000 items.

Isolation `none` and no-op items, to be quick: memory and log of the coordinator do not depend on
how workers are confined. Memory is the largest growth of the coordinator process's resident set
from before the run is opened until its result is there.
"""

from benchmarks.children import measure
from benchmarks.figures import Figure, median

ITEMS, QUICK_ITEMS = 100_000, 5_000


def run(*, quick: bool) -> list[Figure]:
    """Run one large swarm per deployment."""
    count, times = (QUICK_ITEMS, 1) if quick else (ITEMS, 3)
    runs = [
        measure("benchmarks.probes.on_ray", counts=[count], isolation="none")["runs"][0]
        for _ in range(times)
    ]

    def figure(what: str, name: str, unit: str, reach: float, note: str = "") -> Figure:
        samples = [one[name] / count for one in runs]
        return Figure(what, median(samples), unit, reach, samples=samples, note=note)

    kinds = ", ".join(f"{number} {kind}" for kind, number in runs[0]["kinds"].items())
    return [
        figure(
            f"growth of the coordinator, {count} items",
            "coordinator_growth_bytes",
            "bytes/item",
            2_048,
        ),
        figure("log entries", "entries", "per item", 1.0, kinds),
        figure("log size", "log_bytes", "bytes/item", 600),
    ]
