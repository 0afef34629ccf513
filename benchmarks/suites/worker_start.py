"""Worker start in a warm tenant: from the request to the first byte of the answer.

Drives the sandbox driver directly, one worker after the other with 20 ms between them, as a host
does that is not busy. The first byte comes after confinement and after the (empty) skill ran.
"""

import statistics

from benchmarks.children import measure
from benchmarks.figures import Figure, median

COUNT, QUICK_COUNT = 500, 60
REACH_MS = 5.0


def run(*, quick: bool) -> list[Figure]:
    """Measure the p95 of both drivers that confine; the samples are single starts."""
    count, times = (QUICK_COUNT, 1) if quick else (COUNT, 3)
    found = []
    unreported = []
    for driver in ("landlock", "bwrap"):
        rounds = [
            measure("benchmarks.probes.workers", count=count, isolation=driver)
            for _ in range(times)
        ]
        unreported += [float(one["unreported"]) for one in rounds]
        first = [p95(one["first_byte_ms"]) for one in rounds]
        half = median([value for one in rounds for value in one["first_byte_ms"]])
        ended = median([value for one in rounds for value in one["ended_ms"]])
        cold = median([one["cold_ms"] for one in rounds])
        found.append(
            Figure(
                f"{driver}: request to first byte, p95",
                median(first),
                "ms",
                REACH_MS,
                samples=first,
                note=f"median {half:.2f} ms, to the reported exit {ended:.2f} ms, "
                f"zygote cold start {cold:.0f} ms",
            )
        )
    late = Figure(
        "children whose exit was not reported within 2 s",
        max(unreported),
        "children",
        0,
        samples=unreported,
    )
    return [*found, late]


def p95(samples: list[float]) -> float:
    """Return the value that 95 % of the samples do not exceed."""
    return statistics.quantiles(samples, n=20, method="inclusive")[-1]
