"""200 items of 50 ms, 16 at once: how close the swarm comes to the ideal 0.65 s.

In sandboxes on Ray, in a warm tenant, from the entry that opens the swarm to the one that says it
converged. The ideal is 13 rounds of 50 ms.
"""

import math

from benchmarks.children import measure
from benchmarks.figures import Figure, median
from benchmarks.peers.rates import PAUSE_MS, PAUSES, WIDTH, latencies_s

TIMES = 5
REACH = 1.08


def run(*, quick: bool, peers: bool = False) -> list[Figure]:
    """Run the swarm several times in one tenant; each peer once."""
    others = latencies_s(installed=peers)
    ideal_s = math.ceil(PAUSES / WIDTH) * PAUSE_MS / 1000
    found = measure(
        "benchmarks.probes.on_ray",
        counts=[PAUSES] * (1 if quick else TIMES),
        sleep_ms=PAUSE_MS,
        concurrency=WIDTH,
    )
    seconds = [one["swarm_s"] for one in found["runs"]]
    caller = [one["caller_s"] for one in found["runs"]]
    return [
        Figure(
            f"{PAUSES} items of {PAUSE_MS} ms at {WIDTH}: time / the ideal {ideal_s:.2f} s",
            median(seconds) / ideal_s,
            "ratio",
            REACH,
            samples=[one / ideal_s for one in seconds],
        ),
        Figure(
            "from swarm.opened to swarm.converged",
            median(seconds),
            "s",
            peers=others,
            samples=seconds,
        ),
        Figure("from the caller's map() to result()", median(caller), "s", samples=caller),
    ]
