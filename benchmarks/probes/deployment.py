"""What the probes without Ray share: settings of a folder, a mapped function as a run."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from swarm_ray.config import Settings
from swarm_ray.definition.python_api import map_process
from swarm_ray.ports.clock import SystemClock
from swarm_ray.ports.service import Service
from swarm_ray.values.ids import RANDOM_BYTES, uuid7

CONCURRENCY = 64


def home_settings(home: str, isolation: str, **more: Any) -> Settings:
    """Return settings with everything in one folder."""
    return Settings(home=Path(home), isolation=isolation, **more)


def new_run() -> str:
    """Mint the id of a run."""
    clock = SystemClock()
    return uuid7(clock.now_us() // 1000, clock.random(RANDOM_BYTES))


def open_map(
    service: Service,
    run: str,
    function: Callable[..., Any],
    items: list[Any],
    *,
    concurrency: int = CONCURRENCY,
    **limits: Any,
) -> None:
    """Open a run that maps a function over items."""
    bundle = map_process(function, concurrency=concurrency, **limits).bundle
    service.open_run(run, bundle.data, bundle.digest, {"items": items})


def wait_closed(service: Service, run: str, patience_s: float = 3_600.0) -> None:
    """Wait until a run is over.

    Raises:
        TimeoutError: it is not.
    """
    until_s = time.monotonic() + patience_s
    at = 0
    while time.monotonic() < until_s:
        page = service.entries(run, at, 5.0)
        at += len(page.entries)
        if page.closed:
            return
    raise TimeoutError(f"{run} is still open after {patience_s:.0f} s")
