"""JSON Schema of frozen dataclasses as `records` writes them.

Decides the schema of each admitted type; whatever `records.from_record` refuses, the schema
refuses as well. It reads no files and holds no schema of its own.
"""

import types
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from swarm_ray.values.profile import MAX_INTEGER

SCALARS: dict[type, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": -MAX_INTEGER, "maximum": MAX_INTEGER},
}


def schema_of(kind: type) -> dict[str, Any]:
    """Return the schema of the records of a frozen dataclass; the docstring is its description."""
    hints = get_type_hints(kind)
    required = [
        field.name
        for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING
    ]
    return {
        "type": "object",
        "description": " ".join((kind.__doc__ or "").split()),
        "properties": {field.name: _value(hints[field.name]) for field in fields(kind)},
        "required": required,
        "additionalProperties": False,
    }


def _value(hint: Any) -> dict[str, Any]:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(parts)}
    if origin is tuple:
        return _sequence(parts)
    if origin in (Union, types.UnionType):
        return {
            "anyOf": [{"type": "null"} if part is type(None) else _value(part) for part in parts]
        }
    if is_dataclass(hint) and isinstance(hint, type):
        return schema_of(hint)
    return SCALARS[hint]


def _sequence(parts: tuple[Any, ...]) -> dict[str, Any]:
    if len(parts) == 2 and parts[1] is Ellipsis:
        return {"type": "array", "items": _value(parts[0])}
    return {
        "type": "array",
        "prefixItems": [_value(part) for part in parts],
        "minItems": len(parts),
        "maxItems": len(parts),
    }
