"""A coordinator that comes back after a kill and finishes its runs; also the recovery alone."""

import time
from pathlib import Path
from typing import Any

from benchmarks.probes.deployment import home_settings, wait_closed
from swarm_ray.engine.bundles import BundleShelf
from swarm_ray.engine.loop import Engine
from swarm_ray.ledger.store import Store
from swarm_ray.testing.local import local_service


def measure(home: str, run: str, *, only_recover: bool = False) -> dict[str, Any]:
    """Rebuild the run only, or recover and work until it is closed."""
    settings = home_settings(home, "none")
    if only_recover:
        return _recover(settings.folder, run)
    began_s = time.monotonic()
    service = local_service(settings)
    ready_s = time.monotonic() - began_s
    wait_closed(service, run)
    service.shut_down()
    return {"ready_s": ready_s}


def _recover(folder: Path, run: str) -> dict[str, Any]:
    shelf = BundleShelf(folder / "bundles")
    with Store.open(folder, create=False) as store:
        began_s = time.monotonic()
        Engine(store, store.epoch(), shelf.plan_of).recover([run])
        return {"recover_s": time.monotonic() - began_s}
