"""The simulated world: many small ones with faults, or a single large one without."""

import resource
import time
from typing import Any

from swarm_ray.core.plan import Convergence, Plan, Step
from swarm_ray.testing.faults import Faults
from swarm_ray.testing.office import RUN
from swarm_ray.testing.plans import SCENES, fan_out
from swarm_ray.testing.world import World

SLOTS = 16


def measure(what: str, **sizes: int) -> dict[str, Any]:
    """Play `seeds` worlds with faults, or one with `items` and `sites`."""
    before = _peak_bytes()
    began_s = time.monotonic()
    facts = _seeds(**sizes) if what == "seeds" else _large(**sizes)
    found = {"seconds": time.monotonic() - began_s, "peak_bytes": _peak_bytes() - before}
    return found | facts


def _seeds(seeds: int) -> dict[str, Any]:
    names = tuple(SCENES)
    for seed in range(seeds):
        scene = SCENES[names[seed % len(names)]]
        world = World(
            scene.plan,
            seed,
            items=scene.items,
            hosts=2 + seed % 4,
            slots=1 + seed % 5,
            sites=1 + seed % 2,
            faults=Faults(),
            slice_tokens=scene.slice_tokens,
            resumes=scene.resumes,
        )
        world.play()
        world.check()
    return {}


def _large(items: int, sites: int) -> dict[str, Any]:
    rule = fan_out(Convergence(), concurrency=SLOTS * sites)
    plan = Plan("large", 1, (Step("work", output="results", fan_out=rule),))
    world = World(plan, 1, items=items, hosts=sites, slots=SLOTS, sites=sites, faults=Faults.none())
    closed = world.play()
    assert closed.status == "done", closed
    entries = sizes = 0
    for data in world.log.entries(RUN):
        entries += 1
        sizes += len(data)
    return {"virtual_s": world.now_us / 1e6, "entries": entries, "log_bytes": sizes}


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
