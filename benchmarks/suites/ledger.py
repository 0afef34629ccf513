"""Durable appends per second: SQLite with write-ahead log and full synchronisation, Merkle tree kept.

Entries of 312 bytes. The peer is a plain file with a synchronisation after each write of an entry.
"""

from benchmarks.children import measure
from benchmarks.figures import Figure, median

WHAT = {
    "single": "durable appends, a commit per entry",
    "group": "durable appends, 64 entries of one run per commit",
    "runs": "durable appends, one entry of 64 runs each per commit",
}


def run(*, quick: bool) -> list[Figure]:
    """Measure all three ways of committing."""
    seconds, times = (0.5, 1) if quick else (3.0, 3)
    rounds = [measure("benchmarks.probes.ledgers", seconds=seconds) for _ in range(times)]
    plain = {"plain file with fdatasync": median([one["fdatasync"] for one in rounds])}
    return [
        Figure(
            what,
            median([one[name] for one in rounds]),
            "entries/s",
            peers=plain if name == "single" else {},
            samples=[one[name] for one in rounds],
        )
        for name, what in WHAT.items()
    ]
