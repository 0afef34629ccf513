"""Children of a warm zygote, driven directly: from the request to the first byte of the answer."""

import os
import select
import time
from pathlib import Path
from typing import Any

from benchmarks import swarms
from swarm_ray.definition.bundle import unpack
from swarm_ray.definition.python_api import map_process
from swarm_ray.ports.sandbox import AttemptPolicy, Zygote, ZygotePolicy
from swarm_ray.sandbox.frames import FrameReader, encode_frame
from swarm_ray.sandbox.probe import choose

LIMIT_BYTES = 8 << 20
PATIENCE_S = 30.0
EXIT_PATIENCE_S = 2.0
ORDER = {
    "frame": "run",
    "task": "mapped_item",
    "correlation": "benchmark",
    "scope": "benchmark",
    "reads": {},
    "memory": [],
    "inputs": {"item": 7},
}


def measure(count: int, *, isolation: str = "", calm_ms: float = 20.0) -> dict[str, Any]:
    """Start `count` workers one after the other; say how long each took in milliseconds."""
    driver = choose(isolation or None)
    bundle = map_process(swarms.noop).bundle
    folder = Path(os.environ["HOME"]) / "bundle"
    folder.mkdir()
    unpack(bundle.data, folder, bundle.digest)
    began_s = time.monotonic()
    zygote: Zygote = driver.start(folder, ZygotePolicy())
    _wait(zygote, lambda: zygote.ready)
    cold_ms = (time.monotonic() - began_s) * 1000
    try:
        for _ in range(10):
            _one(zygote)
        samples = []
        for _ in range(count):
            time.sleep(calm_ms / 1000)
            samples.append(_one(zygote))
    finally:
        zygote.close()
    return {
        "first_byte_ms": [first for first, _ in samples],
        "ended_ms": [ended for _, ended in samples if ended is not None],
        "unreported": sum(ended is None for _, ended in samples),
        "cold_ms": cold_ms,
        "driver": driver.name,
    }


def _wait(zygote: Zygote, done: Any) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not done():
        if not zygote.alive or time.monotonic() > until_s:
            raise RuntimeError(f"no sandbox: {zygote.failure or 'it took too long'}")
        select.select([zygote.fileno()], [], [], 0.1)
        zygote.exits()


def _one(zygote: Zygote) -> tuple[float, float | None]:
    """Run one attempt; the exit is None when nobody reported it in time."""
    began_s = time.perf_counter()
    child = zygote.take(AttemptPolicy())
    child.sock.send(encode_frame(ORDER, LIMIT_BYTES))
    select.select([child.sock], [], [], PATIENCE_S)
    first_s = time.perf_counter()
    (answer,) = FrameReader(LIMIT_BYTES).feed(child.sock.recv(65_536))
    assert (answer["status"], answer["output"]) == ("ok", 7), answer
    until_s = time.monotonic() + EXIT_PATIENCE_S
    while not any(one.token == child.token for one in zygote.exits()):
        if time.monotonic() > until_s:
            child.close()
            return (first_s - began_s) * 1000, None
        select.select([zygote.fileno()], [], [], 0.1)
    ended_s = time.perf_counter()
    child.close()
    return (first_s - began_s) * 1000, (ended_s - began_s) * 1000
