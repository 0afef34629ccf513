"""Parsl's high-throughput executor with two workers. No isolation, no log."""

# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"

import os
import time
from typing import Any

import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider


@parsl.python_app
def noop(item: int) -> int:
    return item


@parsl.python_app
def pause(seconds: float) -> float:
    import time

    time.sleep(seconds)
    return seconds


def measure(what: str, count: int, *, sleep_ms: float = 0, width: int = 16) -> dict[str, Any]:
    """Return how long `count` items take: `noop` or `sleep`."""
    home = os.environ["HOME"]
    workers = 2 if what == "noop" else width
    provider = LocalProvider(init_blocks=1, max_blocks=1)
    executor = HighThroughputExecutor(
        address="127.0.0.1", max_workers_per_node=workers, cores_per_worker=0.1, provider=provider
    )
    parsl.load(Config(executors=[executor], run_dir=f"{home}/runinfo", usage_tracking=0))
    try:
        [one.result() for one in [noop(n) for n in range(50)]]
        began_s = time.monotonic()
        if what == "noop":
            running = [noop(n) for n in range(count)]
        else:
            running = [pause(sleep_ms / 1000) for _ in range(count)]
        [one.result() for one in running]
        seconds = time.monotonic() - began_s
    finally:
        parsl.dfk().cleanup()
    return {"seconds": seconds, "count": count, "version": parsl.__version__}
