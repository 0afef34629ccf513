"""Bundles that a coordinator keeps: the archive to hand to hosts, the plan to decide with.

Decides nothing: a bundle is found by digest, checked when it is read, and read once.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swarm_ray.core.events import RunOpened
from swarm_ray.core.plan import Plan
from swarm_ray.definition.bundle import LINKED_FILE, PLAN_FILE, read_bundle
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.ledger.body_files import BodyPlace
from swarm_ray.ledger.database import sync_folder
from swarm_ray.values.codec import encode
from swarm_ray.values.digests import sha256
from swarm_ray.values.records import from_record, to_record


@dataclass(frozen=True, slots=True)
class Loaded:
    """A bundle that was read: its archive, plan, tasks and per-swarm settings."""

    data: bytes
    plan: Plan
    plan_digest: str
    tasks: Mapping[str, Mapping[str, Any]]
    process: Mapping[str, Any]
    knowledge: Mapping[str, str]


class BundleShelf:
    """All bundles of one coordinator, as files below a folder.

    Args:
        folder: where this node keeps them.
        shared: where every node finds them, if there is such a place.
    """

    def __init__(self, folder: Path, shared: BodyPlace | None = None) -> None:
        self._folder = folder
        self._shared = shared
        self._loaded: dict[str, Loaded] = {}

    def put(self, data: bytes, digest: str) -> Loaded:
        """Keep a bundle durably; returns it read.

        Raises:
            IntegrityError, UsageError: what reading the archive finds wrong.
        """
        loaded = self._loaded[digest] = _read(data, digest)
        path = self._path(digest)
        if path.exists():
            path.touch()  # in use again: it is no garbage
            return loaded
        if self._shared is not None:
            self._shared.write(digest, data)
        self._keep(path, data)
        return loaded

    def get(self, digest: str) -> Loaded:
        """Return a kept bundle.

        Raises:
            UsageError: `bundle.unknown`.
        """
        if digest not in self._loaded:
            path = self._path(digest)
            if not path.exists():
                self._fetch(path, digest)
            self._loaded[digest] = _read(path.read_bytes(), digest)
        return self._loaded[digest]

    def _fetch(self, path: Path, digest: str) -> None:
        if self._shared is None:
            raise UsageError(
                "bundle.unknown",
                f"no bundle {digest[:12]} is kept here",
                hint="restore the file below `bundles` of the tenant's folder from a copy",
            )
        data = self._shared.read(digest)
        _read(data, digest)
        self._keep(path, data)

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest}.bundle"

    def _keep(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(self._folder)

    def plan_of(self, opened: RunOpened) -> Plan:
        """Return the plan that an opening entry names.

        Raises:
            IntegrityError: `bundle.wrong_plan` when the bundle holds another one.
        """
        loaded = self.get(opened.bundle)
        if loaded.plan_digest != opened.plan:
            raise IntegrityError(
                "bundle.wrong_plan", f"the bundle's plan is not {opened.plan[:12]}"
            )
        return loaded.plan


def _read(data: bytes, digest: str) -> Loaded:
    content = read_bundle(data, digest)
    process = json.loads(content[PLAN_FILE])
    plan = from_record(Plan, process["plan"])
    knowledge = {
        name.removeprefix("knowledge/").removesuffix(".md"): body.decode()
        for name, body in content.items()
        if name.startswith("knowledge/")
    }
    tasks = json.loads(content[LINKED_FILE])["tasks"]
    plan_digest = sha256(encode(to_record(plan), max_bytes=None))
    return Loaded(data, plan, plan_digest, tasks, process, knowledge)
