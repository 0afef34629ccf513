"""A coordinator on one certain node, for who wants to see what happens when that node dies."""

import time
from typing import Any

import ray
from ray._private.state import actors

from swarm_ray.config import Settings
from swarm_ray.runtime.actors import start_coordinator

LOOK_S = 0.1


def coordinator_on(settings: Settings, node_id: str, patience_s: float = 60.0) -> Any:
    """Start the coordinator of a tenant on a node of the cluster, given by its id; return its actor.

    One that may move is no more than preferred there: Ray takes another node while its scheduler
    has not heard of this one. Such a coordinator is ended and started again.

    Raises:
        TimeoutError: Ray never chose the node.
    """
    until_s = time.monotonic() + patience_s
    while time.monotonic() < until_s:
        actor = start_coordinator(settings, node_id)
        ray.get(actor.ready.remote())
        if actors(actor._actor_id.hex())["Address"]["NodeID"] == node_id:
            return actor
        ray.kill(actor)
        time.sleep(LOOK_S)
    raise TimeoutError(f"Ray did not start the coordinator on node {node_id}")
