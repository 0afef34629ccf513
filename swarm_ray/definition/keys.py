"""Which keys each kind of step admits.

Decides that a key which would have no effect where it stands is refused, never ignored. Never
decides what a key means.
"""

from typing import Any, Final

from swarm_ray.definition.linking import Linking, Path
from swarm_ray.definition.load import Document
from swarm_ray.definition.model import Requires, Step

_ALWAYS: Final = frozenset({"name", "action", "output"})
_ADMITTED: Final = {
    "fan_out": frozenset({"fan_out", "retry", "deadline", "on_error", "gate"}),
    "ask": frozenset({"ask", "input", "deadline", "gate"}),
    "effect": frozenset({"effect", "with", "input", "retry", "deadline", "gate"}),
    "delegate": frozenset({"delegate", "input", "gate", "retry", "deadline"}),
    "code": frozenset(
        {"uses", "with", "input", "reads", "processes", "knowledge", "memory", "output_schema"}
        | {"examples", "memory_bytes", "tokens", "requires", "gate", "retry", "deadline"}
    ),
}
_PROCESS_ONLY: Final = frozenset({"ask", "on_error", "deadline", "retry"})


def check_keys(
    linking: Linking, document: Document[Any], step: Step, path: Path, kind: str
) -> None:
    """Refuse keys that a step of this kind (fan_out, ask, effect, delegate, code) does not use."""
    for key in sorted(_set_keys(linking, step) - _ALWAYS - _ADMITTED[kind]):
        what = "a step that runs code" if kind == "code" else f"a step with `{kind}:`"
        at, place = linking.place(document, step, path, key)
        message = f"`{key}:` has no meaning on {what}"
        hint = "remove it, or move it to the step or task that it is about"
        linking.flaw(at, "definition.misplaced_key", message, *place, hint=hint)


def check_task_keys(
    linking: Linking, document: Document[Any], step: Step, path: Path, requires: Requires | None
) -> None:
    """Refuse keys in a step of a blueprint that belong to the process that runs it."""
    found = {key for key in _PROCESS_ONLY if getattr(step, key)}
    if requires and requires.model_fields_set - {"model"}:
        found.add("requires")
    for key in sorted(found):
        at, place = linking.place(document, step, path, key)
        message = f"`{key}:` belongs to a step of a process, not of a task"
        hint = "move it to the process step that runs the task"
        linking.flaw(at, "definition.misplaced_key", message, *place, hint=hint)


def _set_keys(linking: Linking, step: Step) -> set[str]:
    keys = set(step.model_fields_set)
    if step.action in linking.actions and not (step.uses or step.effect or step.fan_out):
        keys |= linking.actions[step.action].model_fields_set
    return {key.rstrip("_") for key in keys}
