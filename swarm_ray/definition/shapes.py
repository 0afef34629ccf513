"""Types of inputs and outputs as JSON Schemas, and whether two of them can meet.

Decides only what is certain: a conflict is reported when no value of the producer's schema could
be a value of the consumer's, or when a needed field is not among the declared ones. Never
validates a value of a run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Schema = Mapping[str, Any]

_NAMED: Final[dict[str, dict[str, Any]]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "list": {"type": "array"},
    "object": {"type": "object"},
    "path": {"type": "string", "format": "path"},
    "any": {},
}
_TYPE_NAMES: Final = {"array": "list"}
_SCALARS: Final = frozenset({"string", "integer", "boolean", "number"})


@dataclass(frozen=True, slots=True)
class Input:
    """A declared input: type name, its JSON Schema, and the value when none is given."""

    type: str
    schema: Schema
    default: Any = None
    required: bool = True

    def to_record(self) -> dict[str, Any]:
        """Return plain data for the bundle."""
        record = {"type": self.type, "schema": dict(self.schema), "required": self.required}
        return record if self.required else {**record, "default": self.default}


def read_input(declared: str | Mapping[str, Any]) -> Input:
    """Return the input of a type name or an inline JSON Schema (`default` makes it optional)."""
    if isinstance(declared, str):
        return Input(declared, _NAMED[declared])
    named = declared.get("type")
    schema = {key: value for key, value in declared.items() if key != "default"}
    if isinstance(named, str) and named in _NAMED:
        schema = {**schema, **_NAMED[named]} if named != "any" else _without(schema, "type")
    type_name = _TYPE_NAMES.get(named, named) if isinstance(named, str) else "any"
    return Input(type_name, schema, declared.get("default"), "default" not in declared)


def is_plain(entry: Input) -> bool:
    """Tell whether the type name of an input says all that its schema says."""
    return entry.schema == _NAMED.get(entry.type)


def schema_error(schema: Schema) -> str:
    """Return why a mapping is not a JSON Schema (draft 2020-12), or an empty text."""
    import jsonschema  # loads slowly, and only definitions with schemas need it

    try:
        jsonschema.Draft202012Validator.check_schema(dict(schema))
    except jsonschema.SchemaError as error:
        return str(error.message)
    return _outside_reference(schema)


def value_error(value: Any, schema: Schema) -> str:
    """Return why a value does not match a schema, or an empty text."""
    import jsonschema
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    # An empty registry: a reference is never fetched from anywhere.
    validator = jsonschema.Draft202012Validator(dict(schema), registry=Registry())
    try:
        found = next(validator.iter_errors(value), None)
    except Unresolvable as error:
        return f"the reference {error.ref!r} leads nowhere"
    return "" if found is None else str(found.message)


def object_of(inputs: Mapping[str, Input]) -> dict[str, Any]:
    """Return the schema of an object with these inputs as fields."""
    return {
        "type": "object",
        "properties": {name: dict(entry.schema) for name, entry in inputs.items()},
        "required": [name for name, entry in inputs.items() if entry.required],
    }


def is_scalar(schema: Schema) -> bool:
    """Tell whether every value of the schema is a text, number or truth value."""
    types = _types(schema)
    return bool(types) and types <= _SCALARS


def fields_of(schema: object) -> Mapping[str, Any]:
    """Return the declared fields of an object's schema; none for any other schema."""
    found = schema.get("properties") if isinstance(schema, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def conflict(given: object, wanted: object, where: str = "the value") -> str:
    """Return why a value of `given` can never be a value of `wanted`, or an empty text.

    A schema that is absent, `true`, or not one at all (a flaw of its own) conflicts with nothing.
    """
    if not isinstance(given, Mapping) or not isinstance(wanted, Mapping):
        return ""
    have, need = _types(given), _types(wanted)
    if have and need and not _overlap(have, need):
        return f"{where} is {' or '.join(sorted(have))}, wanted is {' or '.join(sorted(need))}"
    properties, needed = fields_of(given), wanted.get("required")
    for name in needed if properties and isinstance(needed, list) else ():
        if isinstance(name, str) and name not in properties:
            return f"{where} has no field {name!r}"
    for name, part in fields_of(wanted).items():
        if found := conflict(properties.get(name), part, f"field {name!r} of {where}"):
            return found
    return conflict(given.get("items"), wanted.get("items"), f"an element of {where}")


def _outside_reference(node: object) -> str:
    if isinstance(node, list):
        return next(filter(None, map(_outside_reference, node)), "")
    if not isinstance(node, Mapping):
        return ""
    target = node.get("$ref", node.get("$dynamicRef"))
    if isinstance(target, str) and not target.startswith("#"):
        return f"the reference {target!r} leads out of the schema"
    return next(filter(None, map(_outside_reference, node.values())), "")


def _types(schema: Schema) -> frozenset[str]:
    declared = schema.get("type")
    named = declared if isinstance(declared, list) else [declared]
    return frozenset(name for name in named if isinstance(name, str))


def _overlap(have: frozenset[str], need: frozenset[str]) -> bool:
    numeric = {"integer", "number"}
    return bool(have & need) or bool(have & numeric and need & numeric)


def _without(schema: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != key}
