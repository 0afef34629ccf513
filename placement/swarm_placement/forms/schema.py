"""JSON Schema of dataclasses as plain data: the types are theirs, the ranges those of `limits`."""

import dataclasses
import inspect
import types
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from swarm_placement.forms.plain import default, optional, plain
from swarm_placement.validation.limits import RANGES, Range

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(kind: type, title: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the plain data `reader(kind)` takes."""
    definitions: dict[str, Any] = {}
    _define(kind, definitions)
    body = definitions.pop(kind.__name__)
    return {"$schema": DIALECT, "title": title, **body, "$defs": definitions}


def _define(kind: Any, definitions: dict[str, Any]) -> None:
    """Add the schema of a dataclass, and of those it holds, to the definitions."""
    hints, fields = get_type_hints(kind), dataclasses.fields(kind)
    limits = RANGES.get(kind, {})
    properties: dict[str, Any] = {}
    definitions[kind.__name__] = {
        "type": "object",
        "description": inspect.getdoc(kind),
        "additionalProperties": False,
        "required": [field.name for field in fields if not optional(field)],
        "properties": properties,
    }
    for field in fields:
        shape = _shape(hints[field.name], limits.get(field.name), definitions)
        if optional(field):
            shape["default"] = plain(default(field))
        properties[field.name] = shape


def _shape(kind: Any, limit: Range | None, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a field; numbers in it are within `limit`."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if kind.__name__ not in definitions:
            _define(kind, definitions)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    origin, inner = get_origin(kind), get_args(kind)
    if origin is None:
        return _scalar(kind, limit)
    if origin is np.ndarray:
        return _shape(tuple[tuple[tuple[float | None, ...], ...], ...], limit, definitions)
    if origin is Literal:
        return {"enum": list(inner)}
    each = _shape(inner[1] if origin is Mapping else inner[0], limit, definitions)
    if origin is types.UnionType:
        return {"anyOf": [each, {"type": "null"}]}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": each}
    return {"type": "array", "items": each}


def _scalar(kind: type, limit: Range | None) -> dict[str, Any]:
    names = {str: "string", bool: "boolean", int: "integer", float: "number"}
    return {"type": names[kind], **(limit.schema() if limit else {})}
