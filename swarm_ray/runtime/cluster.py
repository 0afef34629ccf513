"""Finding or starting a cluster, and the coordinator on it.

Decides whether to join the cluster that is there or to start a private one, and tunes Ray's
failure detection: its defaults take from 14 to 64 s to notice a dead node, these 1 to 4 s.
"""

import atexit
import logging
import os
import shlex
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any

import ray
from ray._private import services
from ray.job_config import JobConfig

from swarm_ray.config import Settings
from swarm_ray.core.events import SEMANTICS
from swarm_ray.errors import SwarmError, UsageError
from swarm_ray.runtime.actors import NAMESPACE, coordinator_name, start_coordinator
from swarm_ray.runtime.service import RayService
from swarm_ray.runtime.system import write_settings

FAILURE_DETECTION = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_grpc_client_keepalive_time_ms": "2000",
    "RAY_grpc_client_keepalive_timeout_ms": "3000",
}
"""Measured: node death is seen after 1.3 s (process) or 3.9 s (cut link)."""

REACH_PATIENCE_S = 10.0
SYSTEM_JOB_PATIENCE_S = 60.0
SYSTEM_JOB_PAUSE_S = 0.2
_SILENT = frozenset({"runtime.no_answer", "runtime.coordinator_gone"})
QUIET = {"RAY_DEDUP_LOGS": "1", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


def connect(settings: Settings) -> RayService:
    """Return the service of a tenant; starts what is missing.

    A cluster that is running (`RAY_ADDRESS`, a job's, or a local `ray start`) is joined, else a
    private one is started that ends with this process. A coordinator that had to stop, on a full
    disk say, is replaced once.

    Raises:
        SwarmError: `runtime.no_cluster`, `runtime.ledger_in_use`, `runtime.no_system_job`, and
            why a coordinator refuses to start.
        UsageError: `runtime.other_semantics`, `runtime.other_isolation`.
    """
    private = join(settings)
    service = RayService(_coordinator(settings), private=private)
    try:
        found = service.ready()
    except SwarmError as error:
        if error.code in _SILENT:
            raise
        service, found = _replaced(settings, service)
    if private:
        atexit.register(_end_private, service)
    _shake_hands(settings, found)
    return service


def _shake_hands(settings: Settings, found: Mapping[str, Any]) -> None:
    """Refuse a coordinator that would not do what was asked.

    Raises:
        UsageError: `runtime.other_semantics`, `runtime.other_isolation`, `runtime.other_home`.
    """
    if found["semantics"] != SEMANTICS:
        raise UsageError(
            "runtime.other_semantics",
            f"the coordinator runs swarm_ray {found['version']} with semantics "
            f"{found['semantics']}, this is {SEMANTICS}",
            hint="use the same version on both sides",
        )
    _same_home(settings, found["folder"])
    if settings.isolation not in ("auto", found["isolation"]):
        raise UsageError(
            "runtime.other_isolation",
            f"the running coordinator isolates by {found['isolation']!r}",
            hint="leave --isolation out, or start another tenant with SWARM_RAY_TENANT",
        )


def _same_home(settings: Settings, folder: str) -> None:
    if folder != str(settings.folder):
        raise UsageError(
            "runtime.other_home",
            f"the coordinator of tenant {settings.tenant!r} on this cluster keeps its ledger in "
            f"{folder}",
            hint="set SWARM_RAY_HOME to its home, another SWARM_RAY_TENANT, or "
            "SWARM_RAY_ADDRESS=local for a cluster of your own",
        )


def _replaced(settings: Settings, stopped: RayService) -> tuple[RayService, Mapping[str, Any]]:
    stopped.end()
    service = RayService(_coordinator(settings), private=stopped.private)
    try:
        return service, service.ready()
    except SwarmError:
        service.end()
        raise


def _end_private(service: RayService) -> None:
    """Hosts end their workers and remove their folders before the cluster goes."""
    if ray.is_initialized():
        service.shut_down()
        ray.shutdown()


def _coordinator(settings: Settings) -> Any:
    """Return the coordinator's handle, never as an actor of a job that brings files of its own."""
    node_id = ray.get_runtime_context().get_node_id()
    if not ray.get_runtime_context().runtime_env:
        return start_coordinator(settings, node_id)
    handle = _find_coordinator(settings)
    if handle is None:
        _run_system_job(settings, node_id)
        handle = _find_coordinator(settings)
    if handle is None:
        raise SwarmError(
            "runtime.no_system_job",
            "the system job has not started a coordinator",
            hint="start it with `swarm-ray up` outside of a job's working_dir",
        )
    return handle


def _find_coordinator(settings: Settings) -> Any:
    try:
        return ray.get_actor(coordinator_name(settings.tenant), namespace=NAMESPACE)
    except ValueError:
        return None


def _run_system_job(settings: Settings, node_id: str) -> None:
    """Run `swarm_ray.runtime.system` as a job of its own and wait until it has ended.

    A cluster whose agents are still busy starting takes no job; it is asked again.
    """
    from ray.job_submission import JobStatus, JobSubmissionClient

    path = settings.folder / f"system-{os.getpid()}.json"
    write_settings(settings, path)
    command = [sys.executable, "-P", "-m", "swarm_ray.runtime.system", str(path), node_id]
    until_s = time.monotonic() + SYSTEM_JOB_PATIENCE_S
    try:
        client = JobSubmissionClient()
        job = _submitted(client, shlex.join(command), until_s)
        while not (status := client.get_job_status(job)).is_terminal():
            if time.monotonic() > until_s:
                break
            time.sleep(SYSTEM_JOB_PAUSE_S)
        if status is not JobStatus.SUCCEEDED:
            log = client.get_job_logs(job)[-500:]
            raise SwarmError("runtime.no_system_job", f"the system job is {status}: {log}")
    except (ConnectionError, RuntimeError) as error:
        raise SwarmError(
            "runtime.no_system_job",
            f"the cluster takes no system job: {error}",
            hint="start the coordinator with `swarm-ray up` outside of a job's working_dir",
        ) from error
    finally:
        path.unlink(missing_ok=True)


def _submitted(client: Any, entrypoint: str, until_s: float) -> str:
    while True:
        try:
            return str(client.submit_job(entrypoint=entrypoint))
        except RuntimeError as error:
            if "No available agent" not in str(error) or time.monotonic() > until_s:
                raise
            time.sleep(SYSTEM_JOB_PAUSE_S)


def join(settings: Settings) -> bool:
    """Initialise Ray in this process unless it is initialised; say whether the cluster is private
    to this process.

    The working directory is kept off the import path of this job's processes, where Ray puts it:
    `_client_job` says to Ray that there is none to add.

    Raises:
        SwarmError: `runtime.no_cluster` when the address does not answer.
    """
    if ray.is_initialized():
        return False
    for name, value in {**FAILURE_DETECTION, **QUIET}.items():
        os.environ.setdefault(name, value)
    options: dict[str, Any] = {
        "namespace": NAMESPACE,
        "logging_level": logging.WARNING,
        "log_to_driver": False,
        "configure_logging": False,
        "job_config": JobConfig(_client_job=True),
    }
    address = "local" if settings.address == "local" else _found(settings.address)
    _reach(address, settings.address or os.environ.get("RAY_ADDRESS") or address)
    options["address"] = address
    if address == "local":
        options |= {"num_cpus": 1, "include_dashboard": False}
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _no_cluster(address, error) from error
    return address == "local"


def _found(address: str) -> str:
    """Return the address that `ray.init()` would join, `local` when it would start a cluster."""
    try:
        return services.canonicalize_bootstrap_address(address or None) or "local"
    except ConnectionError as error:
        raise _no_cluster(address, error) from error


def _reach(address: str, given: str) -> None:
    """Fail in time where nobody listens: Ray itself would go on trying for two minutes.

    Args:
        address: the address that Ray makes of what was given.
        given: what the user wrote.

    Raises:
        SwarmError: `runtime.no_cluster`.
    """
    host, _, port = address.rpartition(":")
    if "/" in host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_PATIENCE_S).close()
    except OSError as error:
        raise _no_cluster(given, error) from error


def _no_cluster(address: str, error: Exception) -> SwarmError:
    return SwarmError(
        "runtime.no_cluster",
        f"no Ray cluster answers at {address or 'the default address'}: {error}",
        hint="check RAY_ADDRESS and SWARM_RAY_ADDRESS and that the cluster is up, or unset both "
        "to use a private cluster",
    )


def up(settings: Settings) -> dict[str, Any]:
    """Start coordinator and hosts on a running cluster; idempotent."""
    return dict(connect(settings).ready())


def down(settings: Settings) -> bool:
    """Stop the tenant's coordinator and hosts; open runs go on at the next start. Says whether
    there was one. One of another version is stopped as well, and one that has failed.

    Raises:
        UsageError: `runtime.other_home`: it is somebody else's, and goes on.
    """
    join(settings)
    handle = _find_coordinator(settings)
    if handle is None:
        return False
    service = RayService(handle)
    _same_home(settings, service.folder())
    service.shut_down()
    return True
