"""Durable appends of result rows, the other core busy: through profile, codec, tree and commit.

Eight entries of 64 rows per group commit; single entries of one row beside them.
"""

from benchmarks.children import measure
from benchmarks.figures import Figure, median


def run(*, quick: bool) -> list[Figure]:
    """Measure the rate of rows and the time of single commits."""
    seconds, times = (0.5, 1) if quick else (5.0, 3)
    rounds = [measure("benchmarks.probes.appends", seconds=seconds) for _ in range(times)]

    def of(name: str) -> list[float]:
        return [one[name] for one in rounds]

    return [
        Figure(
            "durable rows, group commit of 512",
            median(of("rows_per_s")),
            "rows/s",
            20_000,
            "least",
            samples=of("rows_per_s"),
        ),
        Figure("single entry, p99", median(of("p99_ms")), "ms", 20, samples=of("p99_ms")),
        Figure("single entry, median", median(of("p50_ms")), "ms", samples=of("p50_ms")),
    ]
