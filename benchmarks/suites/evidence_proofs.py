"""Inclusion proofs in a tree of a million leaves: made from stored levels, and verified.

Processor time of the best of seven rounds of 2,000 proofs of 20 hashes.
"""

from benchmarks.children import measure
from benchmarks.figures import Figure

LEAVES = 1_000_000


def run(*, quick: bool) -> list[Figure]:
    """Measure making and verifying."""
    leaves = LEAVES // 50 if quick else LEAVES
    one = measure("benchmarks.probes.evidence", what="proofs", count=leaves)
    return [
        Figure(f"{name} a proof, {leaves:,} leaves", one[name], "µs", 20)
        for name in ("make", "verify")
    ]
