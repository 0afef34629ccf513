"""From how many items on a swarm beats one item after the other, for items of 5, 50 and 500 ms.

On Ray in a warm tenant, sandboxed, as the caller sees it: from `map()` until `result()` returns. In
sequence means the sum of the pauses alone, without any overhead. The source document says "about
four items".
"""

from typing import Any

from benchmarks.children import measure
from benchmarks.figures import Figure, median

CONCURRENCY = 16
LADDER = {
    5: [4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128],
    50: [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16],
    500: [1, 2, 3, 4, 5, 6],
}
QUICK_LADDER = {5: [16, 32, 64], 50: [1, 2, 4, 8], 500: [1, 2]}
DOCUMENT_ITEMS = 4


def run(*, quick: bool) -> list[Figure]:
    """Climb the ladder of counts for each duration."""
    found = []
    for item_ms, counts in (QUICK_LADDER if quick else LADDER).items():
        times = 1 if quick else 3
        runs = measure(
            "benchmarks.probes.on_ray",
            counts=counts * times,
            sleep_ms=item_ms,
            concurrency=CONCURRENCY,
        )["runs"]
        found.append(_figure(item_ms, counts, runs))
    return found


def _figure(item_ms: int, counts: list[int], runs: list[dict[str, Any]]) -> Figure:
    took = {
        count: median([one["caller_s"] for one in runs if one["items"] == count])
        for count in counts
    }
    # The first rung from which on the swarm is always faster.
    slower = [count for count in counts if took[count] >= count * item_ms / 1000]
    won = [count for count in counts if not slower or count > slower[-1]]
    missed = "" if won else f"not faster up to {counts[-1]} items; "
    told = ", ".join(f"{count}: {took[count] * 1000:.0f}" for count in counts)
    return Figure(
        f"items of {item_ms} ms: a swarm is faster from",
        float(won[0] if won else counts[-1] + 1),
        "items",
        peers={"source document": float(DOCUMENT_ITEMS)},
        samples=[one["caller_s"] for one in runs],
        note=f"{missed}items: ms of the swarm: {told}",
    )
