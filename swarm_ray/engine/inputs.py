"""The inputs of a run: declared ones only, defaults filled in, paths made absolute, all checked.

Decides what a run may be started with, before anything is written.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swarm_ray.definition.shapes import value_error
from swarm_ray.errors import UsageError


def complete_inputs(
    declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the value of every declared input.

    Args:
        declared: `inputs` of the linked process.
        given: values by name.

    Raises:
        UsageError: `run.unknown_input`, `run.missing_input`, `run.bad_input`.
    """
    if unknown := sorted(given.keys() - declared.keys()):
        known = ", ".join(sorted(declared)) or "none"
        raise UsageError(
            "run.unknown_input", f"the process has no input {unknown[0]!r}", hint=f"known: {known}"
        )
    complete: dict[str, Any] = {}
    for name, entry in declared.items():
        if name not in given and entry["required"]:
            raise UsageError(
                "run.missing_input", f"input {name!r} is missing", hint=f"--input {name}=..."
            )
        value = given.get(name, entry.get("default"))
        if entry["type"] == "path" and isinstance(value, str):
            value = str(Path(value).expanduser().absolute())
        if flaw := value_error(value, entry["schema"]):
            raise UsageError(
                "run.bad_input",
                f"input {name!r}: {flaw}",
                hint=f"give a value of type {entry['type']} as the process declares it",
            )
        complete[name] = value
    return complete
