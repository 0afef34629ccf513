"""Workshops: per bundle, the unpacked code, its zygotes, and what the host checks of its tasks.

Decides which zygote gives the next child and what a child may read, write and start. One
workshop serves one tenant and one bundle; nothing warm is shared across either.
"""

import json
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from swarm_ray.definition.bundle import LINKED_FILE, unpack
from swarm_ray.errors import SwarmError
from swarm_ray.ports.hosts import Parcel
from swarm_ray.ports.sandbox import AttemptPolicy, Child, Sandbox, Zygote, ZygotePolicy

SERVICE_THREADS = 256
"""Model calls at once per bundle: threads that wait cost little; `concurrency` is the limit."""
RESERVE = 16
"""Clean children per zygote: enough that a full lane never waits for a fork."""
FRAME_LIMIT_BYTES = 256 * 2**20
"""Convergence receives all results of a swarm in one frame; one item is limited much earlier."""


class Workshop:
    """One bundle at work on this host."""

    def __init__(self, driver: Sandbox, folder: Path, zygotes: int) -> None:
        linked = json.loads((folder / LINKED_FILE).read_bytes())
        self._tasks: Mapping[str, Mapping[str, Any]] = linked["tasks"]
        self._driver = driver
        self._folder = folder
        self._count = zygotes
        self._zygotes: list[Zygote] = []
        self._turn = 0
        self._idle: list[tuple[Zygote, Child]] = []
        self._services = ThreadPoolExecutor(SERVICE_THREADS, "swarm-ray-service")
        self._validators = {
            name: Draft202012Validator(task["output_schema"])
            for name, task in self._tasks.items()
            if task.get("output_schema")
        }
        self._cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []

    def open(self) -> None:
        """Start the zygotes; safe to repeat."""
        while len(self._zygotes) < self._count:
            self._zygotes.append(self._start(len(self._zygotes)))

    def _start(self, at: int) -> Zygote:
        """Start the zygote number `at`. One per core is bound to its core: a child that stays
        where its parent's pages are warm starts measurably faster."""
        cpu = self._cores[at] if self._count == len(self._cores) > 1 else None
        policy = ZygotePolicy(RESERVE, frame_limit_bytes=FRAME_LIMIT_BYTES, cpu=cpu)
        return self._driver.start(self._folder, policy)

    def take(self, parcel: Parcel) -> tuple[Zygote, Child]:
        """Return a clean child for an attempt of a parcel, and the zygote that it is from.

        Raises:
            Busy: every zygote is behind; try again after exits.
            SwarmError: what the driver raises when no child can be made.
        """
        task = self._tasks[parcel.task]
        if self._idle:
            return self._idle.pop()
        self._turn += 1
        at = self._turn % len(self._zygotes)
        if not self._zygotes[at].alive:
            self._zygotes[at].close()
            self._zygotes[at] = self._start(at)
        reads = tuple(Path(path) for path in parcel.reads.values())
        policy = AttemptPolicy(
            reads=reads,
            processes=int(task.get("processes", 0)),
            memory_bytes=task.get("memory_bytes"),
        )
        return self._zygotes[at], self._zygotes[at].take(policy)

    @property
    def reuses(self) -> bool:
        """Say whether children serve one attempt after the other: only where nothing is isolated
        anyway."""
        return self._driver.label == "none"

    def give_back(self, zygote: Zygote, child: Child) -> None:
        """Take back a child that has answered and can serve again."""
        self._idle.append((zygote, child))

    def ended(self, zygote: Zygote, token: int) -> None:
        """A child that nobody waits for has ended."""
        for pair in [one for one in self._idle if one[0] is zygote and one[1].token == token]:
            self._idle.remove(pair)
            pair[1].close()

    def serve(self, work: Callable[[], None]) -> None:
        """Run a service call beside the host's thread."""
        self._services.submit(work)

    def output_flaw(self, task: str, output: Any) -> str:
        """Return why an output does not fit the declared schema; empty when it does."""
        validator = self._validators.get(task)
        if validator is None:
            return ""
        error = next(iter(validator.iter_errors(output)), None)
        return "" if error is None else f"{error.json_path}: {error.message}"

    def delegate_limits(self, task: str) -> dict[str, int]:
        """Return how deep and how many sub-agents a task allows."""
        limits = self._tasks[task].get("delegate") or {}
        return {"depth": int(limits.get("depth", 0)), "count": int(limits.get("count", 0))}

    def close(self) -> None:
        """End zygotes with all of their children."""
        for _, child in self._idle:
            child.close()
        for zygote in self._zygotes:
            zygote.close()
        self._services.shutdown(wait=False, cancel_futures=True)


class Workshops:
    """All bundles that a host has. `keep`, `has` and `open` may be called from any thread."""

    def __init__(self, driver: Sandbox, folder: Path, zygotes: int) -> None:
        self._driver = driver
        self._folder = folder
        self._zygotes = zygotes
        self._open: dict[str, Workshop] = {}
        self._lock = threading.Lock()
        self._closed = False

    def keep(self, digest: str, data: bytes) -> None:
        """Unpack a bundle; safe to repeat."""
        with self._lock:
            target = self._folder / "bundles" / digest
            if not self._closed and not target.exists():
                part = self._folder / "bundles" / f".{digest}.part"
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir(parents=True)
                unpack(data, part, digest)
                part.rename(target)

    def has(self, digest: str) -> bool:
        """Say whether a bundle is here."""
        return (self._folder / "bundles" / digest).exists()

    def open(self, digest: str) -> None:
        """Have the bundle's zygotes running.

        Raises:
            SwarmError: `host.stopped` after `close`, or what the driver raises.
        """
        with self._lock:
            if self._closed:
                raise SwarmError("host.stopped", "this host has stopped")
            if digest not in self._open:
                folder = self._folder / "bundles" / digest
                self._open[digest] = Workshop(self._driver, folder, self._zygotes)
            self._open[digest].open()

    def get(self, digest: str) -> Workshop:
        """Return an open workshop."""
        return self._open[digest]

    def child_ended(self, zygote: Zygote, token: int) -> None:
        """A child that no attempt waits for has ended."""
        for workshop in self._open.values():
            workshop.ended(zygote, token)

    def close(self) -> None:
        """Close everything and remove the unpacked bundles; nothing is opened any more."""
        with self._lock:
            self._closed = True
            for workshop in self._open.values():
                workshop.close()
            self._open.clear()
            shutil.rmtree(self._folder, ignore_errors=True)
