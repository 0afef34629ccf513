"""Dataclasses from plain data and to it, as their types say; `schema` describes the same form.

Plain data is what JSON can say: objects, lists, text, numbers, null. Reading never converts: a
number in quotes, an unknown key, a fraction for a count are errors with the path of the field.
"""

import dataclasses
import reprlib
import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from swarm_placement.errors import UsageError
from swarm_placement.validation.names import nearest

Reader = Callable[[Any], Any]
"""Reads plain data; raises a UsageError whose field is the path inside of that data."""

LARGEST = 2**53
"""Whole numbers beyond this are not exact as floating point."""
SHOWN = 40
"""So many characters of a wrong value are shown."""


@cache
def reader(kind: Any) -> Reader:
    """Return what reads plain data as `kind`, a dataclass or the type of one of its fields.

    Its errors have the codes `form.key` (unknown), `form.missing` and `form.type`.
    """
    if dataclasses.is_dataclass(kind):
        return _record_reader(kind)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is None:
        return {str: _text, bool: _truth, int: _whole, float: _number}[kind]
    if origin is np.ndarray:
        return _table
    if origin is Literal:
        return lambda data: _one_of(data, inner)
    each = reader(inner[1] if origin is Mapping else inner[0])
    if origin is types.UnionType:
        return lambda data: None if data is None else each(data)
    if origin is Mapping:
        return lambda data: _mapping(each, data)
    return lambda data: origin(_list(each, data))


def plain(value: Any) -> Any:
    """Return a dataclass, or the value of one of its fields, as plain data.

    Fields that have their default value are left out; NaN becomes null; sets are sorted.
    """
    if dataclasses.is_dataclass(value):
        return {
            field.name: plain(held)
            for field in dataclasses.fields(value)
            if not _is_default(field, held := getattr(value, field.name))
        }
    if isinstance(value, np.ndarray):
        cells = value.astype(object)
        cells[np.isnan(value)] = None
        return cells.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset):
        return sorted(value)
    return [plain(one) for one in value] if isinstance(value, tuple) else value


def _record_reader(kind: Any) -> Reader:
    readers = {name: reader(hint) for name, hint in get_type_hints(kind).items()}
    names = readers.keys()
    required = [field.name for field in dataclasses.fields(kind) if not optional(field)]

    def read(data: Any) -> Any:
        if type(data) is not dict:
            raise _mistyped(data, "an object")
        if not data.keys() <= names:
            strange = next(key for key in data if key not in names)
            raise UsageError(
                "form.key", "", f"There is no key {strange!r}.", nearest(str(strange), names)
            )
        for name in required:
            if name not in data:
                raise UsageError("form.missing", name, "The key is missing.", f"Add {name!r}.")
        values = {}
        for name, value in data.items():
            try:
                values[name] = readers[name](value)
            except UsageError as error:
                raise _inside(name, error) from None
        return kind(**values)

    return read


def _inside(step: str, error: UsageError) -> UsageError:
    """Return the error with its path begun one step further out."""
    dot = "." if error.field and not error.field.startswith("[") else ""
    return UsageError(error.code, f"{step}{dot}{error.field}", error.message, error.hint)


def _mistyped(data: object, wanted: str) -> UsageError:
    shown = reprlib.repr(data)  # of what is nested deep, the outside
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
    quoted = wanted.endswith("number") and isinstance(data, str) and _is_number(data)
    hint = "Write it without quotes, as 0.0001 or 1.0e-4." if quoted else f"Give {wanted}."
    return UsageError("form.type", "", f"{shown} is not {wanted}.", hint)


def _is_number(words: str) -> bool:
    try:
        float(words)
    except ValueError:
        return False
    return True


def _text(data: object) -> str:
    if type(data) is not str:
        raise _mistyped(data, "text")
    return data


def _truth(data: object) -> bool:
    if type(data) is not bool:
        raise _mistyped(data, "true or false")
    return data


def _whole(data: object) -> int:
    if type(data) is not int:
        raise _mistyped(data, "a whole number")
    if abs(data) > LARGEST:
        raise _mistyped(_digits(data), f"a whole number of at most {LARGEST:,}")
    return data


def _number(data: object) -> float:
    if type(data) is float:
        return data
    if type(data) is not int:
        raise _mistyped(data, "a number")
    return _whole(data) * 1.0


def _digits(data: int) -> str:
    """Return words for a number that is too long to be shown."""
    return f"a number of {data.bit_length():,} bits"


def _one_of(data: object, options: tuple[str, ...]) -> str:
    name = _text(data)
    if name not in options:
        raise UsageError(
            "form.type", "", f"{name!r} is not one of its values.", nearest(name, options)
        )
    return name


def _list(each: Reader, data: object) -> list[Any]:
    if type(data) is not list:
        raise _mistyped(data, "a list")
    found = []
    for index, value in enumerate(data):
        try:
            found.append(each(value))
        except UsageError as error:
            raise _inside(f"[{index}]", error) from None
    return found


def _mapping(each: Reader, data: object) -> dict[str, Any]:
    if type(data) is not dict:
        raise _mistyped(data, "an object")
    found = {}
    for name, value in data.items():
        try:
            found[_text(name)] = each(value)
        except UsageError as error:
            raise _inside(str(name), error) from None
    return found


def _table(data: object) -> NDArray[np.float64]:
    """Read lists in lists in lists of numbers; null is NaN."""
    rows = reader(tuple[tuple[tuple[float | None, ...], ...], ...])(data)
    lengths = {len(row) for row in rows}, {len(cell) for row in rows for cell in row}
    if any(len(found) > 1 for found in lengths):
        raise UsageError(
            "form.type", "", "Its lists differ in length.", "Give kinds x sites x models numbers."
        )
    return np.array(rows, np.float64).reshape(
        len(rows), *(next(iter(found), 0) for found in lengths)
    )


def optional(field: Any) -> bool:
    """Say whether a field of a dataclass has a default value."""
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def default(field: Any) -> Any:
    """Return the default value of an optional field."""
    made = field.default_factory is not dataclasses.MISSING
    return field.default_factory() if made else field.default


def _is_default(field: Any, held: object) -> bool:
    return optional(field) and bool(held == default(field))
