"""Garbage of a tenant: closed runs past their time, unclaimed bodies, folders of dead hosts.

Decides what nobody needs any more. The leaf of a dropped run stays in the index log.
"""

import shutil
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from swarm_ray.ledger.store import Store
from swarm_ray.values.ids import id_time_ms

HOST_FOLDER_AGE_S = 3600


def host_folders(folder: Path) -> set[str]:
    """Return the names of the hosts that have a folder below a tenant's."""
    return {path.name for path in (folder / "hosts").glob("*")}


def remove_host_folders(folder: Path, names: Iterable[str]) -> None:
    """Remove the folders of hosts that are dead."""
    for name in names:
        shutil.rmtree(folder / "hosts" / name, ignore_errors=True)


def collect_garbage(
    store: Store, epoch: int, folder: Path, keep_days: int, living: Collection[str] = ()
) -> Mapping[str, int]:
    """Delete and count what is not needed.

    Args:
        store: the tenant's ledger.
        epoch: the coordinator's epoch.
        folder: the tenant's state folder.
        keep_days: closed runs that are younger stay.
        living: names of the hosts that are at work; their folders stay.
    """
    before_ms = int(time.time() * 1000) - keep_days * 86_400_000
    runs = [
        head.log_id
        for head in store.logs("run")
        if head.state == "closed" and id_time_ms(head.log_id) < before_ms
    ]
    for run in runs:
        store.drop_run(run, epoch)
    hosts = 0
    for path in (folder / "hosts").glob("*"):
        aged = time.time() - path.stat().st_mtime > HOST_FOLDER_AGE_S
        if aged and path.name not in living:
            shutil.rmtree(path)
            hosts += 1
    return {"runs": len(runs), "bodies": store.sweep_bodies(), "host_folders": hosts}
