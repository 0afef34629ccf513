"""Runs the peers and returns their figures by name; those to be installed only when asked for."""

from typing import Any

from benchmarks.children import measure
from benchmarks.peers.venv import peer_python

FRESH_ITEMS, QUICK_FRESH_ITEMS = 200, 5
PAUSES, PAUSE_MS, WIDTH = 200, 50, 16


def _seconds(module: str, what: str, count: int, python: str = "", **more: Any) -> float:
    named: dict[str, Any] = {"python": python} if python else {}
    found = measure(f"benchmarks.peers.{module}", what=what, count=count, **named, **more)
    return float(found["seconds"])


def ray_tasks_rate(count: int) -> float:
    """Return plain Ray tasks per second."""
    return count / _seconds("ray_tasks", "tasks", count)


def noop_rates(count: int, *, quick: bool, installed: bool) -> dict[str, float]:
    """Return no-ops per second."""
    fresh = QUICK_FRESH_ITEMS if quick else FRESH_ITEMS
    found = {
        "Ray tasks": ray_tasks_rate(count),
        f"Ray max_calls=1, {fresh} tasks": fresh / _seconds("ray_tasks", "max_calls", fresh),
        "ProcessPoolExecutor(2)": count / _seconds("pools", "processes", count),
    }
    if installed:
        python = peer_python()
        found["Dask, 2 processes"] = count / _seconds("dask_tasks", "noop", count, python)
        found["Parsl, 2 workers"] = count / _seconds("parsl_tasks", "noop", count, python)
        found["LangGraph Send"] = count / _seconds("langgraph_send", "noop", count, python)
    return found


def latencies_s(*, installed: bool) -> dict[str, float]:
    """Return how long 200 items of 50 ms take, 16 at once, in seconds."""
    count = PAUSES
    more: dict[str, Any] = {"sleep_ms": PAUSE_MS, "width": WIDTH}
    found = {
        "asyncio gather with a semaphore": _seconds("pools", "asyncio", count, **more),
        "ThreadPoolExecutor(16)": _seconds("pools", "threads", count, **more),
        "Ray threaded actor(16)": _seconds("ray_tasks", "threaded", count, **more),
    }
    if installed:
        python = peer_python()
        found["Dask, 2 x 8 threads"] = _seconds("dask_tasks", "sleep", count, python, **more)
        found["Parsl, 16 workers"] = _seconds("parsl_tasks", "sleep", count, python, **more)
        found["LangGraph Send"] = _seconds("langgraph_send", "sleep", count, python, **more)
    return found
