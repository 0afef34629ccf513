"""Dask on two worker processes. No isolation, no log."""

# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"

import time
from typing import Any

import distributed


def noop(item: int) -> int:
    return item


def measure(what: str, count: int, *, sleep_ms: float = 0, width: int = 16) -> dict[str, Any]:
    """Return how long `count` items take: `noop` or `sleep`."""
    threads = 1 if what == "noop" else width // 2
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=threads, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.gather(client.map(noop, range(200), pure=False))
        began_s = time.monotonic()
        if what == "noop":
            client.gather(client.map(noop, range(count), pure=False))
        else:
            client.gather(client.map(time.sleep, [sleep_ms / 1000] * count, pure=False))
        seconds = time.monotonic() - began_s
    return {"seconds": seconds, "count": count, "version": distributed.__version__}
