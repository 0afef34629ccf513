"""DBOS: a durable workflow per item on a queue, in SQLite; what it repeats after it was killed."""

# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc, no-any-return"

import time
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID

QUEUE = "items"


@DBOS.step()
def work(trace: str, item: int) -> int:
    time.sleep(0.05)
    with Path(trace).open("a") as out:
        out.write(f"{item}\n")
    return item


@DBOS.workflow()
def one(trace: str, item: int) -> int:
    return work(trace, item)


def measure(folder: str, count: int, *, resume: bool) -> dict[str, Any]:
    """Work on all items, or on what is left of them; writes a line to `trace` per finished item."""
    config: DBOSConfig = {
        "name": "benchmark",
        "system_database_url": f"sqlite:///{folder}/dbos.sqlite",
        "log_level": "ERROR",
        "application_version": "1",
        "executor_id": "local",
        "run_admin_server": False,
    }
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=16, polling_interval_sec=0.1)
    trace = f"{folder}/trace"
    if resume:
        handles = [DBOS.retrieve_workflow(f"item-{n}") for n in range(count)]
    else:
        handles = []
        for n in range(count):
            with SetWorkflowID(f"item-{n}"):
                handles.append(DBOS.enqueue_workflow(QUEUE, one, trace, n))
    for handle in handles:
        handle.get_result()
    DBOS.destroy()
    return {}
