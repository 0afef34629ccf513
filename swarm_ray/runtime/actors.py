"""The one place where plain classes become Ray actors, with all of their options.

Decides names, lifetimes, restarts and where actors run. A runtime_env is never set here: what
a job brings must not reach these processes.
"""

import sys
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from swarm_ray.config import Settings
from swarm_ray.errors import UsageError

NAMESPACE = "swarm_ray"
COORDINATOR_THREADS = 32
HOST_THREADS = 8
JOB_FILES = "/runtime_resources/"
"""Part of every path below which Ray unpacks what a job brings."""


def coordinator_name(tenant: str) -> str:
    """Return the actor name of a tenant's coordinator."""
    return f"coordinator/{tenant}"


def refuse_foreign_path() -> None:
    """Refuse to run inside a process that imports from a job's working_dir.

    Raises:
        UsageError: `runtime.foreign_path`: a file of the job, `json.py` say, would be imported
            in place of the library's.
    """
    foreign = [entry for entry in sys.path if JOB_FILES in entry]
    if foreign:
        raise UsageError(
            "runtime.foreign_path",
            f"this process imports from {foreign[0]}",
            hint="start the coordinator with `swarm-ray up`, outside of a job's working_dir",
        )


def start_coordinator(settings: Settings, node_id: str) -> Any:
    """Create the coordinator of a tenant on a node, or return the one that is there.

    Detached and restarted by Ray for ever, on that node, where its ledger is, or on any when the
    ledger is on servers that every node reaches. Its state lies in the ledger, so a call may fail
    although it was performed: every method can be repeated.
    """
    from swarm_ray.runtime.coordinator import CoordinatorActor

    options = {
        "name": coordinator_name(settings.tenant),
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "get_if_exists": True,
        "max_restarts": -1,
        "max_task_retries": 0,
        "max_concurrency": COORDINATOR_THREADS,
        "num_cpus": 0,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(node_id, soft=settings.movable),
    }
    return ray.remote(CoordinatorActor).options(**options).remote(settings)


def start_host(settings: Settings, name: str, node_id: str, site: str, key: bytes) -> Any:
    """Create a host on a node. Never restarted: a new generation takes its place."""
    from swarm_ray.runtime.host import HostActor

    options = {
        "name": f"host/{settings.tenant}/{name}",
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "get_if_exists": True,
        "max_restarts": 0,
        "max_task_retries": 0,
        "max_concurrency": HOST_THREADS,
        "num_cpus": 0,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(node_id, soft=False),
    }
    return ray.remote(HostActor).options(**options).remote(settings, name, node_id, site, key)
