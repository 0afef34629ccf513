"""Signing and verifying results, per item: statements, tree and one signature per batch of 64.

Processor time of both sides; a batch of one pays a whole signature for its item.
"""

from benchmarks.children import measure
from benchmarks.figures import Figure, median


def run(*, quick: bool) -> list[Figure]:
    """Measure both sides."""
    batches, times = (20, 1) if quick else (1_000, 3)
    probe = "benchmarks.probes.evidence"
    rounds = [measure(probe, what="signing", count=batches) for _ in range(times)]
    both = [(one["sign"] + one["verify"]) / 1e3 for one in rounds]
    return [
        Figure("sign and verify, per item", median(both), "ms", 0.1, samples=both),
        *(
            Figure(f"{name}, per item", median([one[name] for one in rounds]) / 1e3, "ms")
            for name in ("sign", "verify")
        ),
    ]
