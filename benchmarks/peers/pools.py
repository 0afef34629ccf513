"""The standard library: a process pool, a thread pool, asyncio with a semaphore. No isolation, no log."""

import asyncio
import platform
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any


def noop(item: int) -> int:
    return item


def measure(what: str, count: int, *, sleep_ms: float = 0, width: int = 16) -> dict[str, Any]:
    """Return how long `count` items take: `processes`, `threads` or `asyncio`."""
    if what == "processes":
        with ProcessPoolExecutor(2) as pool:
            list(pool.map(noop, range(200)))
            began_s = time.monotonic()
            list(pool.map(noop, range(count)))
            seconds = time.monotonic() - began_s
    elif what == "threads":
        with ThreadPoolExecutor(width) as threads:
            list(threads.map(time.sleep, [0.0] * width))
            began_s = time.monotonic()
            list(threads.map(time.sleep, [sleep_ms / 1000] * count))
            seconds = time.monotonic() - began_s
    else:
        seconds = asyncio.run(_gather(count, sleep_ms / 1000, width))
    return {"seconds": seconds, "count": count, "version": platform.python_version()}


async def _gather(count: int, sleep_s: float, width: int) -> float:
    gate = asyncio.Semaphore(width)

    async def one() -> None:
        async with gate:
            await asyncio.sleep(sleep_s)

    began_s = time.monotonic()
    await asyncio.gather(*(one() for _ in range(count)))
    return time.monotonic() - began_s
