"""Durable appends to a ledger on this machine's disk, one by one and in group commits."""

import os
import time
from pathlib import Path
from typing import Any

from swarm_ray.ledger.store import Store
from swarm_ray.ports.log import Append

ENTRY = b'{"kind":"benchmark","padding":"' + b"x" * 280 + b'"}'
GROUP = 64


def measure(seconds: float) -> dict[str, Any]:
    """Return appends per second for commits of one entry, of 64 entries, and of 64 runs at once;
    and `fsync`s per second of a plain file beside it."""
    folder = Path(os.environ["HOME"])
    store = Store.open(folder / "ledger")
    epoch = store.acquire_epoch("benchmark")

    def one(run: str, size: int, entries: int) -> Append:
        return Append(run, epoch, size, [ENTRY] * entries)

    found = {
        "single": _rate(seconds, lambda n: store.commit([one("single", n, 1)])),
        "group": GROUP * _rate(seconds, lambda n: store.commit([one("group", n * GROUP, GROUP)])),
        "runs": GROUP
        * _rate(seconds, lambda n: store.commit([one(f"run-{k}", n, 1) for k in range(GROUP)])),
    }
    store.close()
    with (folder / "plain").open("wb", buffering=0) as out:

        def plain(_: int) -> None:
            out.write(ENTRY)
            os.fdatasync(out.fileno())

        found["fdatasync"] = _rate(seconds, plain)
    return found


def _rate(seconds: float, act: Any) -> float:
    began_s = time.monotonic()
    count = 0
    while time.monotonic() - began_s < seconds:
        act(count)
        count += 1
    return count / (time.monotonic() - began_s)
