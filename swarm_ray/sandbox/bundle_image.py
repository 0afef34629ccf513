"""What a zygote holds of a bundle: data, compiled skills and preloaded libraries.

Decides what is loaded before the first fork. It reads the bundle and imports declared libraries; it
never executes a line of the bundle's code.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module

from swarm_ray.sandbox import gates
from swarm_ray.sandbox.executors import load
from swarm_ray.sandbox.worker import Worker

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from typing import Any

_SEMANTICS = 1


class BundleError(Exception):
    """The bundle cannot be loaded.

    Args:
        code: stable dotted slug.
        message: what is wrong, and where.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Linked:
    """The parts of `linked.json` a zygote needs."""

    __slots__ = ("preload", "tasks")

    def __init__(self, tasks: dict[str, dict[str, Any]], preload: list[str]) -> None:
        self.tasks = tasks
        self.preload = preload

    @property
    def steps(self) -> list[dict[str, Any]]:
        """All steps of all tasks."""
        return [step for task in self.tasks.values() for step in task["steps"]]


def read_linked(bundle: str) -> Linked:
    """Read a bundle's `linked.json`.

    Raises:
        BundleError: it is missing, is no JSON, or is of an unknown version.
    """
    path = os.path.join(bundle, "linked.json")
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except (OSError, ValueError) as error:
        raise BundleError("bundle.not_readable", f"{path}: {error}") from error
    if not isinstance(document, dict) or document.get("semantics") != _SEMANTICS:
        raise BundleError("bundle.semantics", f"{path}: semantics must be {_SEMANTICS}")
    return Linked(document["tasks"], list(document.get("preload") or ()))


def _knowledge(bundle: str, names: set[str]) -> dict[str, str]:
    texts = {}
    for name in sorted(names):
        path = os.path.join(bundle, "knowledge", f"{name}.md")
        try:
            with open(path, encoding="utf-8") as file:
                texts[name] = file.read()
        except (OSError, ValueError) as error:
            raise BundleError("bundle.knowledge", f"{path}: {error}") from error
    return texts


def load_image(bundle: str, libraries: list[str]) -> Worker:
    """Load everything the children of a bundle share.

    Args:
        bundle: folder of the unpacked bundle.
        libraries: folders with installed packages, for the gate language.

    Raises:
        BundleError: a part is missing, or a preload cannot be imported.
    """
    linked = read_linked(bundle)
    for name in linked.preload:
        try:
            import_module(name)
        except Exception as error:
            raise BundleError("bundle.preload", f"preload {name!r}: {error}") from error
    kinds = {str(step["kind"]) for step in linked.steps}
    load(kinds)
    try:
        gates.compile_gates({str(s["gate"]) for s in linked.steps if s.get("gate")}, libraries)
    except ImportError as error:
        raise BundleError("bundle.gates", str(error)) from error
    wanted = {str(name) for task in linked.tasks.values() for name in task.get("knowledge") or ()}
    return Worker(linked.tasks, _knowledge(bundle, wanted))


def threads() -> int:
    """Return how many threads this process has; a zygote must have one, since it forks."""
    if sys.platform != "linux":
        return len(sys._current_frames())
    return len(os.listdir("/proc/self/task"))
