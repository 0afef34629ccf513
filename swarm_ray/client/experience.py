"""What past runs tell about a swarm that is about to run: how many items, how large, how long.

Decides which runs are alike (same process and step, the newest first) and what counts (attempts
that succeeded). A plan uses it where the definition and the inputs leave a question open, and
says so; nothing here changes a run.
"""

from dataclasses import dataclass
from typing import Final

from swarm_ray.client.archive import Archive
from swarm_ray.client.following import Follower
from swarm_ray.engine.placing.demand import Past
from swarm_ray.engine.views import SwarmView
from swarm_ray.errors import IntegrityError
from swarm_ray.values.manifest import Manifest

MAX_RUNS: Final = 20
"""Older runs say less about tomorrow and cost time to read."""
MAX_ENTRIES: Final = 20_000
"""Runs with longer logs are left out: a plan should not take longer than what it plans."""


@dataclass(frozen=True, slots=True)
class Experience:
    """`run` is the newest run that opened the swarm; `item_bytes` are the sizes of its items in
    order (zeros when its inputs were deleted); `attempts` come from all runs that were read,
    the newest run's first."""

    run: str
    item_bytes: tuple[int, ...]
    attempts: tuple[Past, ...]


def experience(archive: Archive, process: str, step: str) -> Experience | None:
    """Return what up to `MAX_RUNS` runs of a process tell about one of its fan-outs; None when
    none of them opened it."""
    newest, sizes = "", tuple[int, ...]()
    attempts: list[Past] = []
    read = 0
    for run in reversed(archive.runs()):
        glance = archive.glance(run)
        if glance.process != process or glance.entries > MAX_ENTRIES:
            continue
        fan_outs = Follower(archive, run).catch_up().fan_outs()
        for swarm in (one for one in fan_outs if one.step == step):
            own = _item_bytes(archive, swarm)
            if not newest:
                newest, sizes = run, own
            attempts += _attempts(swarm, own)
        read += 1
        if read == MAX_RUNS:
            break
    return Experience(newest, sizes, tuple(attempts)) if newest else None


def _item_bytes(archive: Archive, swarm: SwarmView) -> tuple[int, ...]:
    try:
        (blob,) = archive.bodies([swarm.manifest])
    except IntegrityError as error:
        if error.code != "ledger.body_deleted":
            raise
        return (0,) * swarm.items
    manifest = Manifest(blob, swarm.root)
    return tuple(len(manifest.item(ordinal)) for ordinal in range(manifest.count))


def _attempts(swarm: SwarmView, item_bytes: tuple[int, ...]) -> list[Past]:
    return [
        Past(item_bytes[one.item], one.tokens, one.duration_us / 1e6)
        for one in swarm.attempts
        if one.status == "ok"
    ]
