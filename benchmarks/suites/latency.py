"""200 items of 50 ms, 16 at once: how close the swarm comes to the ideal 0.65 s.

In sandboxes on Ray, in a warm tenant, from the entry that opens the swarm to the one that says it
converged. The ideal is 13 rounds of 50 ms.
"""

import math

from benchmarks.children import measure
from benchmarks.figures import Figure, median
from benchmarks.peers.rates import LATENCY, latencies_s

TIMES = 5
REACH = 1.08


def run(*, quick: bool, peers: bool = False) -> list[Figure]:
    """Run the swarm several times in one tenant; each peer once."""
    count, sleep_ms, width = LATENCY["count"], LATENCY["sleep_ms"], LATENCY["width"]
    ideal_s = math.ceil(count / width) * sleep_ms / 1000
    found = measure(
        "benchmarks.probes.on_ray",
        counts=[count] * (1 if quick else TIMES),
        sleep_ms=sleep_ms,
        concurrency=width,
    )
    seconds = [one["swarm_s"] for one in found["runs"]]
    caller = [one["caller_s"] for one in found["runs"]]
    return [
        Figure(
            f"{count} items of {sleep_ms} ms at {width}: time / the ideal {ideal_s:.2f} s",
            median(seconds) / ideal_s,
            "ratio",
            REACH,
            samples=[one / ideal_s for one in seconds],
        ),
        Figure(
            "from swarm.opened to swarm.converged",
            median(seconds),
            "s",
            peers=latencies_s(installed=peers),
            samples=seconds,
        ),
        Figure("from the caller's map() to result()", median(caller), "s", samples=caller),
    ]
