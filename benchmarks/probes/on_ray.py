"""A swarm on Ray as a user starts it: private cluster, coordinator and host actors, warm tenant.

Says how long each swarm took by its log and for its caller, and what each process used.
"""

import os
import time
from typing import Any

import swarm_ray
from benchmarks import swarms
from benchmarks.accounting import (
    PeakMemory,
    command_of,
    descendants,
    everything_ms,
    own_ms,
    with_reaped_ms,
)
from swarm_ray.client.session import current_session

WARM_ITEMS = 64
HOST_PATIENCE_S = 60.0
HOST_TITLE = "ray::HostActor"


def measure(
    counts: list[int], *, sleep_ms: float = 0, concurrency: int = 64, isolation: str = "auto"
) -> dict[str, Any]:
    """Run one swarm per count, one after the other, in one warm tenant."""
    session = current_session()
    session.isolate("" if isolation == "auto" else isolation)
    service = session.service()
    coordinator = int(service.ready()["pid"])  # type: ignore[attr-defined]  # Ray's service has it
    until_s = time.monotonic() + HOST_PATIENCE_S
    while not service.hosts() and time.monotonic() < until_s:
        time.sleep(0.05)
    label = service.hosts()[0]["isolation"]
    function = swarms.pause if sleep_ms else swarms.noop
    warm = [0.0 if sleep_ms else 0] * WARM_ITEMS
    swarm_ray.map(function, warm, concurrency=concurrency).result()
    runs = [_one(function, _items(count, sleep_ms), concurrency, coordinator) for count in counts]
    return {"isolation": label, "runs": runs}


def _items(count: int, sleep_ms: float) -> list[Any]:
    return [sleep_ms / 1000] * count if sleep_ms else list(range(count))


def _one(function: Any, items: list[Any], concurrency: int, coordinator: int) -> dict[str, Any]:
    before, all_before = _stages(coordinator), everything_ms()
    memory = PeakMemory(coordinator)
    began_s = time.monotonic()
    handle = swarm_ray.map(function, items, concurrency=concurrency)
    result = handle.result()
    caller_s = time.monotonic() - began_s
    growth = memory.growth_bytes()
    after, all_after = _stages(coordinator), everything_ms()
    spent = {name: after[name] - before[name] for name in before}
    spent["Ray and the rest"] = max(0.0, all_after - all_before - sum(spent.values()))
    assert result.output == items, "the results are not the inputs"
    found = swarms.told(current_session().settings.folder, handle.id)
    return {
        **found.plain(),
        "caller_s": caller_s,
        "core_ms": spent,
        "coordinator_growth_bytes": growth,
    }


def _stages(coordinator: int) -> dict[str, float]:
    """Return the processor time of each part so far, milliseconds."""
    hosts = [pid for pid in descendants(os.getpid()) if command_of(pid).startswith(HOST_TITLE)]
    below = [pid for host in hosts for pid in descendants(host)]
    return {
        "client": own_ms(os.getpid()),
        "coordinator": own_ms(coordinator),
        "host": sum(own_ms(pid) for pid in hosts),
        "zygotes and children": sum(with_reaped_ms(pid) for pid in below),
    }
