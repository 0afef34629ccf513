"""The simulated world: 1,000 seeds with faults, and a million items over a thousand sites.

One thread, virtual time; the real codec, log, engine, run, pool and host machines. Every one of the
seeds is also checked (replay, promises); the large world runs without faults.
"""

from benchmarks.children import measure
from benchmarks.figures import Figure, median


def run(*, quick: bool) -> list[Figure]:
    """Play many small worlds and a large one."""
    seeds = 100 if quick else 1_000
    items, sites = (20_000, 50) if quick else (1_000_000, 1_000)
    times = 1 if quick else 3
    small = [
        measure("benchmarks.probes.simulation", what="seeds", seeds=seeds) for _ in range(times)
    ]
    large = [
        measure("benchmarks.probes.simulation", what="large", items=items, sites=sites)
        for _ in range(times)
    ]
    seconds = [one["seconds"] for one in large]
    peak = [one["peak_bytes"] / 2**20 for one in large]
    return [
        Figure(
            f"{seeds} worlds with faults, checked",
            median([one["seconds"] for one in small]),
            "s",
            samples=[one["seconds"] for one in small],
        ),
        Figure(
            f"{items} items over {sites} sites",
            median(seconds),
            "s",
            samples=seconds,
            note=f"{large[0]['virtual_s']:.1f} s of virtual time, {large[0]['entries']} entries, "
            f"{large[0]['log_bytes'] / items:.0f} bytes of log per item",
        ),
        Figure("its peak memory", median(peak), "MiB", samples=peak),
        Figure("its rate", items / median(seconds), "items/s"),
    ]
