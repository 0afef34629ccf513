"""What can stand behind a step: one small module per kind.

Decides which executor a kind means. Runs inside the sandbox; a kind that is not listed is a
structural error, never a stub.
"""

from __future__ import annotations

from importlib import import_module

from swarm_ray.sandbox.failures import StructuralError
from swarm_ray.sandbox.skill_context import Context

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    # (step, given inputs, ctx) -> the step's output
    Executor = Callable[[dict[str, Any], dict[str, Any], Context], Any]


_MODULES = {
    "skill": "skill",
    "merge": "merge",
    "reduce": "merge",
    "template": "template",
    "extract": "extract",
    "lint": "python_source",
    "ast": "python_source",
    "embed-classify": "asked",
    "model": "asked",
    "delegate": "asked",
}
_loaded: dict[str, Executor] = {}


def executor(kind: str) -> Executor:
    """Return the executor of `kind`.

    Raises:
        StructuralError: no such kind (`worker.unknown_kind`).
    """
    found = _loaded.get(kind)
    if found is None:
        if kind not in _MODULES:
            raise StructuralError(f"no executor for kind {kind!r}", code="worker.unknown_kind")
        module = import_module(f"swarm_ray.sandbox.executors.{_MODULES[kind]}")
        found = _loaded[kind] = module.EXECUTORS[kind]
    return found


def load(kinds: Iterable[str]) -> None:
    """Import the executors of `kinds` ahead of the first fork; unknown ones fail when they run."""
    for kind in kinds:
        if kind in _MODULES:
            executor(kind)
