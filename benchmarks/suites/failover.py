"""Failover of a coordinator to another node: its ledger on PostgreSQL and S3, its node killed.

Two Ray nodes on this machine, a real PostgreSQL server and a real S3 server on loopback. The raylet
of the coordinator's node gets SIGKILL a third of the way; Ray starts the actor on the other node.
"""

from benchmarks.children import measure
from benchmarks.figures import Figure, median

ITEMS, SLEEP_MS = 400, 100.0
REACH_S = 10.0


def run(*, quick: bool) -> list[Figure]:
    """Kill and wait, three times (quick: once)."""
    rounds = [
        measure("benchmarks.probes.moving", items=ITEMS, sleep_ms=SLEEP_MS)
        for _ in range(1 if quick else 3)
    ]

    def figure(what: str, name: str, unit: str, reach: float | None) -> Figure:
        samples = [one[name] for one in rounds]
        return Figure(what, median(samples), unit, reach, samples=samples)

    return [
        figure("from the death of the node to the next dispatch", "first_dispatch_s", "s", REACH_S),
        figure("from the death of the node to the next result", "first_result_s", "s", REACH_S),
        figure("items lost", "lost", "items", 0),
        figure("attempts settled twice", "repeated", "items", 0),
    ]
