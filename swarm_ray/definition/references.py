"""References to run values inside an effect's arguments: `{from: review.markdown}`.

Decides which mappings are references, which names they need, and what stands in their place when
the values are known. Never looks anything up outside the values it is given.
"""

from collections.abc import Mapping
from typing import Any

from swarm_ray.errors import UsageError


def names_in(arguments: Any) -> frozenset[str]:
    """Return the first names of all references in the arguments."""
    if (path := reference_of(arguments)) is not None:
        return frozenset({path.split(".")[0]})
    parts: Any = ()
    if isinstance(arguments, Mapping):
        parts = arguments.values()
    elif isinstance(arguments, list):
        parts = arguments
    return frozenset().union(*map(names_in, parts))


def fill(arguments: Any, values: Mapping[str, Any]) -> Any:
    """Return the arguments with every reference replaced by its value.

    Raises:
        UsageError: `definition.missing_reference` when a value has no such field.
    """
    if (path := reference_of(arguments)) is not None:
        return _at(path, values)
    if isinstance(arguments, Mapping):
        return {key: fill(part, values) for key, part in arguments.items()}
    if isinstance(arguments, list):
        return [fill(part, values) for part in arguments]
    return arguments


def reference_of(value: Any) -> str | None:
    """Return the dotted path of a reference, None for any other value."""
    if isinstance(value, Mapping) and set(value) == {"from"} and isinstance(value["from"], str):
        return str(value["from"])
    return None


def _at(path: str, values: Mapping[str, Any]) -> Any:
    found: Any = values
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise UsageError(
                "definition.missing_reference",
                f"the reference {path!r} finds no {part!r}",
                hint="the step before must yield an object with that field",
            )
        found = found[part]
    return found
