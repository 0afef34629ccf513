"""A coordinator on a node that is killed, with its ledger on PostgreSQL and S3.

Says when Ray's next coordinator made the log grow again, and whether anything was lost or repeated.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from benchmarks import swarms
from benchmarks.accounting import descendants
from swarm_ray.client.session import Session, using
from swarm_ray.client.starting import map as swarm_map
from swarm_ray.config import read_settings
from swarm_ray.core.events import Dispatched, Settled
from swarm_ray.engine.history import read_entry
from swarm_ray.runtime.cluster import FAILURE_DETECTION
from swarm_ray.runtime.nodes import coordinator_on
from swarm_ray.testing.servers import make_bucket, object_server, postgres_server, tell_boto3

STORE_BYTES = 80 * 2**20
LOOK_S = 0.05
PATIENCE_S = 120.0


def measure(items: int, sleep_ms: float) -> dict[str, Any]:
    """Kill the node of the coordinator a third of the way; return times and counts.

    `first_dispatch_s` and `first_result_s` count from the SIGKILL of the node's raylet to the log
    time of the first entry of its kind that the next coordinator appended.
    """
    os.environ.update(FAILURE_DETECTION)
    home = Path(os.environ["HOME"])
    home.chmod(0o755)
    with postgres_server(home / "postgres") as ledger, object_server(home / "objects") as url:
        tell_boto3(home, url)
        make_bucket("ledger")
        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 1, "object_store_memory": STORE_BYTES},
        )
        away = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        cluster.wait_for_nodes()
        settings = replace(
            read_settings(os.environ),
            address=cluster.address,
            isolation="none",
            ledger=ledger,
            bodies="s3://ledger/bodies",
        )
        session = Session(settings)
        try:
            with using(session):
                return _moved(session, cluster, away, items, sleep_ms)
        finally:
            session.service().shut_down()
            ray.shutdown()
            cluster.shutdown()


def _moved(
    session: Session, cluster: Cluster, away: Any, items: int, sleep_ms: float
) -> dict[str, Any]:
    settings = session.settings
    ray.init(address=cluster.address, namespace="swarm_ray", log_to_driver=False)
    coordinator_on(settings, away.node_id)
    service = session.service()
    raylets = [info.process.pid for info in away.all_processes["raylet"]]
    handle = swarm_map(swarms.pause, [sleep_ms / 1000] * items, concurrency=8)
    log: list[tuple[Any, int]] = []

    def read() -> None:
        page = service.entries(handle.id, len(log), 0)
        for data in page.entries:
            event, record = read_entry(data)
            log.append((event, record["epoch"]))
            times.append(record["time_us"])

    times: list[int] = []
    until_s = time.monotonic() + PATIENCE_S
    while sum(len(one.rows) for one, _ in log if isinstance(one, Settled)) < items // 3:
        if time.monotonic() > until_s:
            raise TimeoutError("a third of the results did not come")
        time.sleep(LOOK_S)
        read()
    for pid in [*raylets, *(pid for raylet in raylets for pid in descendants(raylet))]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    killed_us = time.time_ns() // 1000
    result = handle.result(timeout=PATIENCE_S)
    while len(log) == 0 or service.entries(handle.id, len(log), 0).entries:
        read()
    before = log[0][1]
    later = [(event, at) for (event, epoch), at in zip(log, times, strict=True) if epoch > before]
    rows = [
        (row.item, row.attempt) for one, _ in log if isinstance(one, Settled) for row in one.rows
    ]
    return {
        "first_dispatch_s": _first(later, Dispatched, killed_us),
        "first_result_s": _first(later, Settled, killed_us),
        "lost": items - len(result.output),
        "repeated": len(rows) - len(set(rows)),
    }


def _first(later: list[tuple[Any, int]], kind: type, killed_us: int) -> float:
    return min(at for event, at in later if isinstance(event, kind)) / 1e6 - killed_us / 1e6
