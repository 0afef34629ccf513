"""Durable appends of results as a coordinator makes them: profile, codec, tree, one commit.

A process that only computes keeps the other core busy meanwhile.
"""

import multiprocessing
import os
import time
from pathlib import Path

from benchmarks.probes.evidence import SWARM, rows_of
from swarm_ray.core.events import Settled, event_to_record
from swarm_ray.ledger.store import Store
from swarm_ray.ports.log import Append
from swarm_ray.values.codec import encode

RUN = "018bcfe5680074309e0bb61cb08f4760"
ROWS = 64
ENTRIES = 8
"""Entries per group commit, as many as a step of a busy coordinator has."""


def measure(seconds: float) -> dict[str, float]:
    """Return rows per second by group commit, and the 50th and 99th percentile of a commit of one
    entry with one row, in milliseconds."""
    busy = multiprocessing.get_context("spawn").Process(target=_busy, daemon=True)
    busy.start()
    try:
        with Store.open(Path(os.environ["HOME"]) / "ledger") as store:
            epoch = store.acquire_epoch("benchmark")
            rate = _rows_per_s(store, epoch, seconds)
            times = sorted(_singles(store, epoch, seconds))
    finally:
        busy.kill()
        busy.join()
    return {
        "rows_per_s": rate,
        "p50_ms": times[len(times) // 2] * 1e3,
        "p99_ms": times[len(times) * 99 // 100] * 1e3,
    }


def _entry(number: int, rows: int) -> bytes:
    event = Settled(SWARM, number, "eu-1", rows_of(number, rows), number, "0" * 128, "0" * 64)
    return encode({**event_to_record(event), "epoch": 1, "time_us": time.time_ns() // 1000})


def _rows_per_s(store: Store, epoch: int, seconds: float) -> float:
    size, begun = 0, time.monotonic()
    while time.monotonic() - begun < seconds:
        entries = [_entry(size + n, ROWS) for n in range(ENTRIES)]
        store.commit([Append(RUN, epoch, size, entries)])
        size += ENTRIES
    return size * ROWS / (time.monotonic() - begun)


def _singles(store: Store, epoch: int, seconds: float) -> list[float]:
    found: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        begun = time.monotonic()
        store.commit([Append("single", epoch, len(found), [_entry(len(found), 1)])])
        found.append(time.monotonic() - begun)
    return found


def _busy() -> None:
    while True:
        sum(range(100_000))
