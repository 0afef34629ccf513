"""One element of an input set as the inputs of a blueprint.

Decides when an element is the mapping of the declared inputs, when it is the one declared input
itself, and whether each input is of its declared type. Plain types are checked without a schema
validator, which makes an input set of 100,000 items cheap.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from swarm_ray.errors import UsageError
from swarm_ray.values.codec import encode_json

SHOWN_CHARS: Final = 80
"""How much of a wrong value an error repeats."""
Check = Callable[[Any], str]
"""Returns what was expected instead of a value; empty when the value is right."""


def _is_integer(value: Any) -> bool:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return whole and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_PLAIN: Final[dict[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "path": lambda value: isinstance(value, str),
    "integer": _is_integer,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


class ItemInputs:
    """Turns elements into the inputs of one linked task; the checks are compiled once.

    Args:
        task: the linked task; `inputs` names the type of each input, `input_schemas` the JSON
            Schema of those that have more than a type.
    """

    def __init__(self, task: Mapping[str, Any]) -> None:
        self._declared: Mapping[str, str] = task["inputs"]
        schemas = task.get("input_schemas", {})
        self._checks: dict[str, Check] = {
            name: _schema_check(schemas[name]) if name in schemas else _plain_check(kind)
            for name, kind in self._declared.items()
            if name in schemas or kind in _PLAIN
        }

    def of(self, element: Any) -> dict[str, Any]:
        """Return the inputs of one item.

        A mapping that holds every declared name gives those names and nothing else. Any other
        element is the value of a single declared input. A blueprint that declares no input takes
        the mapping as it is.

        Raises:
            UsageError: `definition.item_mismatch`, naming the inputs that the element lacks, or
                the one that is not as declared, and what was expected.
        """
        declared = self._declared
        if isinstance(element, Mapping) and declared.keys() <= element.keys():
            inputs = {name: element[name] for name in (declared or element)}
        elif len(declared) == 1:
            inputs = {next(iter(declared)): element}
        else:
            raise _lacking(declared, element)
        for name, check in self._checks.items():
            if expected := check(inputs[name]):
                if inputs[name] is element and isinstance(element, Mapping):
                    raise _lacking(declared, element)
                given = _shown(inputs[name])
                raise _mismatch(f"has as input {name!r} {given}, expected is {expected}")
        return inputs


def _plain_check(kind: str) -> Check:
    holds = _PLAIN[kind]
    return lambda value: "" if holds(value) else f"type {kind}"


def _schema_check(schema: Mapping[str, Any]) -> Check:
    import jsonschema  # loads slowly, and only blueprints with schemas need it
    from referencing import Registry

    # An empty registry: a reference is never fetched from anywhere.
    validator = jsonschema.Draft202012Validator(dict(schema), registry=Registry())

    def check(value: Any) -> str:
        error = next(validator.iter_errors(value), None)
        if error is None:
            return ""
        rule = _shown({str(error.validator): error.validator_value})
        return f"{rule} at {error.json_path}"

    return check


def _lacking(declared: Mapping[str, str], element: Any) -> UsageError:
    names = [name for name in declared if not (isinstance(element, Mapping) and name in element)]
    return _mismatch(f"lacks {', '.join(names)}: it is {_shown(element)}")


def _mismatch(flaw: str) -> UsageError:
    return UsageError(
        "definition.item_mismatch",
        f"the item {flaw}",
        hint="each item is a mapping with the inputs that the blueprint declares",
    )


def _shown(value: Any) -> str:
    text = encode_json(value).decode()
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."
