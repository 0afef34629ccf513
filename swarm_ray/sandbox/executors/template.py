"""Kind `template`: text with `{{name}}` or `{{name.part.0}}` filled from the step's inputs.

Decides what a placeholder means. There are no expressions, filters or loops; an unknown name is an
input failure, never an empty string.
"""

from __future__ import annotations

import json
import re

from swarm_ray.sandbox.failures import InputError, StructuralError
from swarm_ray.sandbox.skill_context import Context

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from typing import Any

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


def look_up(path: str, values: dict[str, Any]) -> Any:
    """Return the value at a dotted path of mapping keys and list positions.

    Raises:
        InputError: nothing is there (`template.unknown_name`).
    """
    found: Any = values
    for part in path.split("."):
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            raise InputError(
                f"the template names {path!r}, of which {part!r} is not among the inputs",
                code="template.unknown_name",
            )
    return found


def render(text: str, values: dict[str, Any]) -> str:
    """Fill every placeholder of `text`; strings as they are, everything else as JSON."""

    def fill(match: re.Match[str]) -> str:
        value = look_up(match[1], values)
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return _PLACEHOLDER.sub(fill, text)


def _run(step: dict[str, Any], given: dict[str, Any], ctx: Context) -> Any:
    text = ctx.with_.get("template")
    if not isinstance(text, str):
        raise StructuralError("a template step needs `with: {template: ...}`", code="template.none")
    return render(text, given)


EXECUTORS = {"template": _run}
