"""Bounded, contained, verifiable swarms of agent work on Ray.

Start with `run` (a process definition) or `map` (a function over items); both return a
`RunHandle`. Names are loaded when they are used: importing this package costs next to nothing and
never imports Ray.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swarm_ray.client.convergence import Collect, Custom, Merge, Reduce, Vote
    from swarm_ray.client.handle import RunHandle
    from swarm_ray.client.outcomes import (
        BudgetExceeded,
        DeadlineExceeded,
        MinSuccessNotMet,
        RunFailed,
    )
    from swarm_ray.client.results import RunResult
    from swarm_ray.client.starting import attach, map, run, runs  # noqa: A004  # our word
    from swarm_ray.errors import SwarmError

_HOMES = {
    "attach": "swarm_ray.client.starting",
    "map": "swarm_ray.client.starting",
    "run": "swarm_ray.client.starting",
    "runs": "swarm_ray.client.starting",
    "RunHandle": "swarm_ray.client.handle",
    "RunResult": "swarm_ray.client.results",
    "Collect": "swarm_ray.client.convergence",
    "Custom": "swarm_ray.client.convergence",
    "Merge": "swarm_ray.client.convergence",
    "Reduce": "swarm_ray.client.convergence",
    "Vote": "swarm_ray.client.convergence",
    "SwarmError": "swarm_ray.errors",
    "RunFailed": "swarm_ray.client.outcomes",
    "MinSuccessNotMet": "swarm_ray.client.outcomes",
    "BudgetExceeded": "swarm_ray.client.outcomes",
    "DeadlineExceeded": "swarm_ray.client.outcomes",
}

__all__ = [
    "BudgetExceeded",
    "Collect",
    "Custom",
    "DeadlineExceeded",
    "Merge",
    "MinSuccessNotMet",
    "Reduce",
    "RunFailed",
    "RunHandle",
    "RunResult",
    "SwarmError",
    "Vote",
    "attach",
    "map",
    "run",
    "runs",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'swarm_ray' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
