"""Garbage of a tenant: closed runs past their time, and what no run that is left refers to.

Decides what nobody needs any more: bundles, bodies and folders of hosts that went. The leaf of a
dropped run stays in the index log. What is young is left alone: it may belong to a run that is
just being opened.
"""

import shutil
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from swarm_ray.core.events import RunOpened
from swarm_ray.engine.history import read_entry
from swarm_ray.errors import UsageError
from swarm_ray.ledger.store import Store
from swarm_ray.ports.log import Retention
from swarm_ray.values.ids import id_time_ms

YOUNG_S = 3_600
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Garbage:
    """What can be deleted, by kind: ids of runs, digests of bundles, commitments of bodies and
    names of files that are none, names of dead hosts' folders."""

    runs: tuple[str, ...]
    bundles: tuple[str, ...]
    bodies: tuple[str, ...]
    host_folders: tuple[str, ...]

    def names(self) -> Mapping[str, list[str]]:
        """Return the names by kind as plain data."""
        return {kind: list(found) for kind, found in asdict(self).items()}


def host_folders(folder: Path) -> set[str]:
    """Return the names of the hosts that have a folder below a tenant's."""
    return {path.name for path in (folder / "hosts").glob("*")}


def remove_host_folders(folder: Path, names: Iterable[str]) -> None:
    """Remove the folders of hosts that are dead."""
    for name in names:
        shutil.rmtree(folder / "hosts" / name, ignore_errors=True)


def find_garbage(
    store: Store, folder: Path, keep_days: int, living: Collection[str] = ()
) -> Garbage:
    """Say what is not needed; deletes nothing.

    Args:
        store: the tenant's ledger.
        folder: the tenant's state folder.
        keep_days: closed runs that are younger stay.
        living: names of the hosts that are at work; their folders stay.
    """
    now_s = time.time()
    before_ms = int(now_s * 1000) - keep_days * DAY_MS
    left = [head for head in store.logs("run") if head.state != "dropped"]
    runs = {
        head.log_id
        for head in left
        if head.state == "closed" and id_time_ms(head.log_id) < before_ms
    }
    kept = {head.log_id for head in left} - runs
    return Garbage(
        tuple(sorted(runs)),
        tuple(sorted(_old(folder / "bundles", now_s) - _bundles_of(store, kept))),
        tuple(sorted(store.unclaimed_bodies(int((now_s - YOUNG_S) * 1e6)))),
        tuple(sorted(_old(folder / "hosts", now_s) - set(living))),
    )


def find_contents(
    store: Store, keep_days: int, classes: Sequence[Retention], run: str = ""
) -> tuple[str, ...]:
    """Return the bodies of some retention classes that are still kept of closed runs; their entries
    stay, so that what is left can be checked for ever.

    Args:
        store: the tenant's ledger.
        keep_days: runs that are younger keep theirs; a run that is named does not.
        classes: retention classes.
        run: id of the only run that is meant; empty for all.

    Raises:
        UsageError: `ledger.run_open` for a named run that is open, `ledger.unknown_log`.
    """
    if run:
        head = store.head(run)
        if head.state == "open":
            raise UsageError(
                "ledger.run_open", f"run {run} is open", hint="close or cancel it first"
            )
        return tuple(store.bodies_of(run, classes))
    before_ms = int(time.time() * 1000) - keep_days * DAY_MS
    old = [
        head.log_id
        for head in store.logs("run")
        if head.state == "closed" and id_time_ms(head.log_id) < before_ms
    ]
    return tuple(name for one in old for name in store.bodies_of(one, classes))


def remove_garbage(garbage: Garbage, store: Store, epoch: int, folder: Path) -> None:
    """Delete what was found; safe to repeat.

    Raises:
        IntegrityError: `ledger.stale_epoch`.
    """
    for run in garbage.runs:
        store.drop_run(run, epoch)
    for bundle in garbage.bundles:
        (folder / "bundles" / bundle).unlink(missing_ok=True)
    store.remove_bodies(garbage.bodies)
    remove_host_folders(folder, garbage.host_folders)


def _bundles_of(store: Store, runs: Iterable[str]) -> set[str]:
    """Return the bundle files that these runs need, to go on, to be resumed or to be shown."""
    found = set()
    for run in runs:
        event, _ = read_entry(next(iter(store.entries(run, 0, 1))))
        assert isinstance(event, RunOpened)
        found.add(f"{event.bundle}.bundle")
    return found


def _old(folder: Path, now_s: float) -> set[str]:
    return {path.name for path in folder.glob("*") if now_s - path.stat().st_mtime > YOUNG_S}
