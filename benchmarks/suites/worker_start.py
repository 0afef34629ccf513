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
    """Measure every driver's p95; the samples are single starts."""
    count, times = (QUICK_COUNT, 1) if quick else (COUNT, 3)
    found = []
    for driver in ("landlock", "bwrap", "none"):
        rounds = [
            measure("benchmarks.probes.workers", count=count, isolation=driver)
            for _ in range(times)
        ]
        first = [p95(one["first_byte_ms"]) for one in rounds]
        reach = REACH_MS if driver != "none" else None
        half = median([value for one in rounds for value in one["first_byte_ms"]])
        ended = median([value for one in rounds for value in one["ended_ms"]])
        cold = median([one["cold_ms"] for one in rounds])
        found.append(
            Figure(
                f"{driver}: request to first byte, p95",
                median(first),
                "ms",
                reach,
                samples=first,
                note=f"median {half:.2f} ms, to the reported exit {ended:.2f} ms, "
                f"zygote cold start {cold:.0f} ms",
            )
        )
    return found


def p95(samples: list[float]) -> float:
    """Return the value that 95 % of the samples do not exceed."""
    return statistics.quantiles(samples, n=20, method="inclusive")[-1]
