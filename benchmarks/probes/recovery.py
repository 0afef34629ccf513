"""A coordinator that comes back after a kill and finishes its runs; also the replay alone."""

import time
from pathlib import Path
from typing import Any

from benchmarks.probes.deployment import home_settings, wait_closed
from swarm_ray.engine.bundles import BundleShelf
from swarm_ray.engine.history import replay
from swarm_ray.ledger.reader import Reader
from swarm_ray.testing.local import local_service


def measure(home: str, run: str, *, only_replay: bool = False) -> dict[str, Any]:
    """Replay the log only, or recover and work until the run is closed."""
    settings = home_settings(home, "none")
    if only_replay:
        return _replay(settings.folder, run)
    began_s = time.monotonic()
    service = local_service(settings)
    ready_s = time.monotonic() - began_s
    wait_closed(service, run)
    service.shut_down()
    return {"ready_s": ready_s}


def _replay(folder: Path, run: str) -> dict[str, Any]:
    shelf = BundleShelf(folder / "bundles")
    with Reader.open_readonly(folder) as reader:
        began_s = time.monotonic()
        thread = replay(reader.entries(run), lambda opened: shelf.get(opened.bundle).plan)
        return {"replay_s": time.monotonic() - began_s, "entries": thread.size}
