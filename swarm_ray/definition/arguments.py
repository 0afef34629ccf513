"""Arguments of effects against the schemas of their tools, before any value is known.

Decides only what is certain: a reference stands for a value that a run will bring, so it is a flaw
only when no value of the schema declared for it could be the argument. The tool checks the values.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from swarm_ray.definition.references import reference_of
from swarm_ray.definition.shapes import Schema, conflict, fields_of

Place = tuple[str | int, ...]


def argument_errors(
    arguments: Mapping[str, Any], schema: Schema, known: Mapping[str, Schema | None]
) -> Iterator[tuple[Place, str]]:
    """Yield where and why arguments cannot be those of a tool.

    Args:
        arguments: as written under `with:`, references included.
        schema: JSON Schema of the tool's arguments.
        known: schema of each name that a reference may begin with; None where none is declared.
    """
    import jsonschema  # loads slowly, and only definitions with effects need it

    for error in jsonschema.Draft202012Validator(schema).iter_errors(arguments):
        path = reference_of(error.instance)
        problem = error.message
        if path is not None:
            problem = conflict(_declared(path, known), error.schema, repr(path))
        if problem:
            yield tuple(error.absolute_path), problem


def described(schema: Schema) -> str:
    """Return the arguments that a schema declares, as a list for people."""
    needed = schema.get("required", ())
    return ", ".join(
        f"{name} ({part.get('type', 'any')}{'' if name in needed else ', optional'})"
        for name, part in fields_of(schema).items()
    )


def _declared(path: str, known: Mapping[str, Schema | None]) -> object:
    first, *rest = path.split(".")
    found: object = known.get(first)
    for part in rest:
        found = fields_of(found).get(part)
    return found
