"""Ray alone: plain tasks, tasks with a process of their own, a threaded actor. No isolation, no log."""

# mypy: disable-error-code="untyped-decorator"

import time
from typing import Any

import ray


@ray.remote
def noop(item: int) -> int:
    return item


@ray.remote(max_calls=1)
def fresh(item: int) -> int:
    return item


@ray.remote
class Sleeper:
    def pause(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds


def measure(what: str, count: int, *, sleep_ms: float = 0, width: int = 16) -> dict[str, Any]:
    """Return how long `count` items take: `tasks`, `max_calls` or `threaded`."""
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        logging_level="error",
        log_to_driver=False,
    )
    if what == "threaded":
        actor = Sleeper.options(max_concurrency=width).remote()  # type: ignore[attr-defined]
        ray.get([actor.pause.remote(0.0) for _ in range(width)])
        began_s = time.monotonic()
        ray.get([actor.pause.remote(sleep_ms / 1000) for _ in range(count)])
    else:
        function = {"tasks": noop, "max_calls": fresh}[what]
        ray.get([noop.remote(n) for n in range(200)])
        began_s = time.monotonic()
        ray.get([function.remote(n) for n in range(count)])
    return {"seconds": time.monotonic() - began_s, "count": count, "version": ray.__version__}
