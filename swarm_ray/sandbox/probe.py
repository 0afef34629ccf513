"""Which sandbox works on this machine: found by trying, never by looking at versions.

Decides what counts as working: a child answers, does the ordinary thing, and fails to get out. It
chooses the strongest driver that works and never falls back to `none` by itself.
"""

import json
import os
import select
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swarm_ray.errors import SwarmError, UsageError
from swarm_ray.ports.sandbox import AttemptPolicy, Isolation, Sandbox, Zygote, ZygotePolicy
from swarm_ray.sandbox import escapes
from swarm_ray.sandbox.drivers import BwrapDriver, LandlockDriver, NoneDriver
from swarm_ray.sandbox.frames import FrameReader, encode_frame

_DRIVERS: dict[str, Callable[[], Sandbox]] = {
    "landlock": LandlockDriver,
    "bwrap": BwrapDriver,
    "none": NoneDriver,
}
_STRONGEST_FIRST = ("landlock", "bwrap")
_PATIENCE_S = 10.0
_FRAME_LIMIT_BYTES = 1 << 16
_ORDINARY = "own files"
_TASK = {
    "name": "escape",
    "output": "outcome",
    "steps": [{"name": "try", "kind": "skill", "uses": "escapes:attempt", "output": "outcome"}],
}


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing a worker tried.

    Args:
        name: what it tried.
        ok: the sandbox did as it should: let the ordinary thing happen, refused the escape.
        detail: what the kernel answered.
    """

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one driver really does on this machine.

    Args:
        name: the driver.
        label: isolation class of its workers.
        works: everything held.
        detail: what holds, or why it does not work.
        improvement: what would make it work, or stronger; empty when nothing would.
        capabilities: outcome by outcome; empty when no child could be started.
        isolation: what holds, as the zygote found it; None when it could not say.
    """

    name: str
    label: str
    works: bool
    detail: str
    improvement: str
    capabilities: tuple[Capability, ...] = ()
    isolation: Isolation | None = None


def probe() -> list[ProbeResult]:
    """Try each confining driver for real; takes about a tenth of a second each."""
    return [probe_driver(_DRIVERS[name]()) for name in _STRONGEST_FIRST]


def probe_driver(driver: Sandbox) -> ProbeResult:
    """Start a zygote, let a worker try to get out, and say what happened."""
    with tempfile.TemporaryDirectory(prefix="swarm-ray-probe-") as folder:
        try:
            return _tried(driver, Path(folder))
        except SwarmError as error:
            return ProbeResult(driver.name, driver.label, False, error.message, error.hint)


def choose(requested: str | None) -> Sandbox:
    """Return the requested driver, or the strongest one that works.

    Args:
        requested: a driver's name; None tries the confining ones in order of strength.

    Raises:
        UsageError: no such driver, it does not work here, or none does.
    """
    if requested is not None and requested not in _DRIVERS:
        raise UsageError(
            "sandbox.unknown_driver",
            f"there is no sandbox driver {requested!r}",
            hint=f"use one of {', '.join(_DRIVERS)}",
        )
    if requested == "none":
        return NoneDriver()
    results = []
    for name in (requested,) if requested else _STRONGEST_FIRST:
        driver = _DRIVERS[name]()
        result = probe_driver(driver)
        if result.works:
            return driver
        results.append(result)
    raise UsageError(
        "sandbox.none_works",
        "; ".join(f"{result.name}: {result.detail}" for result in results),
        hint="; ".join(result.improvement for result in results if result.improvement)
        or "ask for the driver `none`, knowing that workers are not contained then",
    )


def _tried(driver: Sandbox, folder: Path) -> ProbeResult:
    outside = folder / "outside"
    outside.mkdir()
    (outside / "secret").write_text("for the host alone", encoding="utf-8")
    zygote = driver.start(_bundle(folder / "bundle"), ZygotePolicy(reserve=1))
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            inputs = {
                "port": listener.getsockname()[1],
                "secret": str(outside / "secret"),
                "outside": str(outside / "written"),
                "host": os.getpid(),
            }
            answer = ask(zygote, "escape", inputs)
        await_ready(zygote)
        return _judged(driver, answer, zygote.isolation)
    finally:
        zygote.close()


def _bundle(folder: Path) -> Path:
    (folder / "skills").mkdir(parents=True)
    shutil.copyfile(escapes.__file__, folder / "skills" / "escapes.py")
    linked = {"semantics": 1, "preload": [], "tasks": {"escape": _TASK}}
    (folder / "linked.json").write_text(json.dumps(linked), encoding="utf-8")
    return folder


def ask(
    zygote: Zygote,
    task: str,
    inputs: dict[str, Any],
    attempt: AttemptPolicy | None = None,
    patience_s: float = _PATIENCE_S,
    limit_bytes: int = _FRAME_LIMIT_BYTES,
) -> dict[str, Any]:
    """Run one task to its end, blocking; for probes, tests and threads, not for a host's loop.

    Returns:
        The result frame; one of status `lost` when the child ended without a result.
    """
    child = zygote.take(attempt or AttemptPolicy())
    reader = FrameReader(limit_bytes)
    until = time.monotonic() + patience_s
    run = {"frame": "run", "task": task, "inputs": inputs}
    sock = child.sock.fileno()
    try:
        unsent = memoryview(encode_frame(run, limit_bytes))
        while (left_s := until - time.monotonic()) > 0:
            writable = [sock] if unsent else []
            readable, able, _ = select.select([sock, zygote.fileno()], writable, [], left_s)
            if able:
                unsent = unsent[child.sock.send(unsent) :]
            if zygote.fileno() in readable:
                zygote.exits()  # nobody else looks, and the child may wait for its sandbox
            if sock not in readable:
                continue
            data = child.sock.recv(_FRAME_LIMIT_BYTES)
            if not data:
                break
            for frame in reader.feed(data):
                if frame["frame"] == "result":
                    return frame
    except OSError as error:
        return {"frame": "result", "status": "lost", "message": str(error)}
    finally:
        child.kill()
        child.close()
    return {"frame": "result", "status": "lost", "message": "the worker gave no result"}


def await_ready(zygote: Zygote, patience_s: float = _PATIENCE_S) -> None:
    """Wait until the zygote has said what holds, or is gone; blocking."""
    until = time.monotonic() + patience_s
    while not zygote.ready and zygote.alive and (left_s := until - time.monotonic()) > 0:
        select.select([zygote.fileno()], [], [], left_s)
        zygote.exits()


def _judged(driver: Sandbox, answer: dict[str, Any], isolation: Isolation | None) -> ProbeResult:
    if answer["status"] != "ok" or isolation is None:
        why = str(answer.get("message") or "the zygote did not become ready")
        return ProbeResult(driver.name, driver.label, False, why, _remedy(driver, isolation))
    capabilities = tuple(
        Capability(name, told.startswith(escapes.REFUSED) != (name == _ORDINARY), told)
        for name, told in answer["output"].items()
    )
    broken = [capability for capability in capabilities if not capability.ok]
    detail = "; ".join(f"{each.name} {each.detail}" for each in broken) or describe(isolation)
    return ProbeResult(
        driver.name,
        driver.label,
        not broken,
        detail,
        _remedy(driver, isolation),
        capabilities,
        isolation,
    )


def describe(isolation: Isolation) -> str:
    """Say in one line what holds around a worker."""
    landlock = f"Landlock ABI {isolation.landlock_abi}" if isolation.landlock_abi else "no Landlock"
    parts = [
        isolation.label,
        landlock,
        "seccomp" if isolation.seccomp else "no seccomp",
        f"namespaces {'+'.join(isolation.namespaces) or 'none'}",
        *isolation.notes,
    ]
    return ", ".join(parts)


def _remedy(driver: Sandbox, isolation: Isolation | None) -> str:
    if isolation is None:
        return f"run `swarm-ray doctor` again after enabling what {driver.name} needs"
    if "pid" not in isolation.namespaces:
        return "permit user namespaces, so that workers get process and mount namespaces too"
    return ""
