"""A coordinator that works on a run until it is killed. The caller knows the run's id."""

import threading
from typing import Any

from benchmarks import swarms
from benchmarks.probes.deployment import home_settings, open_map
from swarm_ray.testing.local import local_service


def measure(home: str, run: str, count: int, *, traced: bool = False) -> dict[str, Any]:
    """Work on no-ops, or on items of 50 ms that leave a trace when they are finished; never
    returns."""
    service = local_service(home_settings(home, "none"))
    if traced:
        items = [{"number": number, "trace": f"{home}/trace"} for number in range(count)]
        open_map(service, run, swarms.traced, items, concurrency=16)
    else:
        open_map(service, run, swarms.noop, list(range(count)))
    threading.Event().wait()
    return {}
