"""Frozen dataclasses to plain records and back, for everything that enters a log.

Decides how a typed value looks in the event profile: a dict of its fields, tuples as lists,
nested dataclasses as dicts, fields that hold their default left out. Refuses unknown and
missing fields. Never touches bytes; the codec does.
"""

import types
from collections.abc import Callable, Hashable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from swarm_ray.errors import IntegrityError

T = TypeVar("T")

_SCALARS: Final = frozenset({int, str, bool, type(None)})


def to_record(value: Any) -> dict[str, Any]:
    """Return the fields of a frozen dataclass as a plain dict, defaults left out."""
    record: dict[str, Any] = {}
    for field, default in _layout(type(value)):  # type: ignore[arg-type]  # a class is hashable
        item = getattr(value, field)
        if default is not MISSING and item == default:
            continue
        record[field] = _plain(item)
    return record


def from_record(kind: type[T], record: Any) -> T:
    """Build a `kind` from a plain dict.

    Raises:
        IntegrityError: `record.unknown_field`, `record.missing_field` or `record.wrong_type`,
            naming the class and the field.
    """
    if not isinstance(record, dict):
        raise IntegrityError("record.wrong_type", f"{kind.__name__} must be an object")
    scalars, readers, required = _readers(kind)  # type: ignore[arg-type]  # a class is hashable
    read: dict[str, Any] = {}
    for name, item in record.items():
        if scalars.get(name) is type(item):
            continue  # most fields of most entries: nothing to build
        if name not in readers:
            raise IntegrityError("record.unknown_field", f"{kind.__name__} has no field {name!r}")
        read[name] = readers[name](item)
    if not required <= record.keys():
        missing = min(required - record.keys())
        raise IntegrityError("record.missing_field", f"{kind.__name__} lacks {missing!r}")
    return kind(**{**record, **read}) if read else kind(**record)


def framed(record: Any) -> bool:
    """Return whether a decoded entry is the frame around an event and nothing else: `kind` is a text,
    `time_us` and `epoch` are integers; what `event` must be depends on the kind."""
    return (
        isinstance(record, dict)
        and record.keys() == {"kind", "event", "time_us", "epoch"}
        and type(record["kind"]) is str
        and type(record["time_us"]) is type(record["epoch"]) is int
    )


def _plain(item: Any) -> Any:
    kind = type(item)
    if kind in _SCALARS:
        return item
    if kind is tuple:
        return [part if type(part) in _SCALARS else _plain(part) for part in item]
    return to_record(item) if is_dataclass(item) else item


def _default(field: "Field[Any]") -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


@cache
def _layout(kind: Hashable) -> tuple[tuple[str, Any], ...]:
    return tuple((field.name, _default(field)) for field in fields(cast("type[Any]", kind)))


@cache
def _readers(
    kind: Hashable,
) -> tuple[dict[str, Any], dict[str, Callable[[Any], Any]], frozenset[str]]:
    """Return the types of scalar fields, a reader of every field, and the fields without default."""
    owner = cast("type[Any]", kind)
    hints = get_type_hints(owner)
    scalars = {name: hint for name, hint in hints.items() if hint in (int, str, bool)}
    readers = {
        field.name: _reader(hints[field.name], f"{owner.__name__}.{field.name}")
        for field in fields(owner)
    }
    required = frozenset(field.name for field in fields(owner) if _default(field) is MISSING)
    return scalars, readers, required


def _reader(hint: Any, where: str) -> Callable[[Any], Any]:
    origin = get_origin(hint)
    if origin is Literal:
        return _member(get_args(hint), where)
    if origin is tuple:
        return _sequence(get_args(hint), where)
    if origin in (Union, types.UnionType):
        return _optional(hint, where)
    if isinstance(hint, type) and is_dataclass(hint):
        return lambda item: from_record(hint, item)
    return _scalar(getattr(hint, "__supertype__", hint), where)


def _member(allowed: tuple[Any, ...], where: str) -> Callable[[Any], Any]:
    def read(item: Any) -> Any:
        if item not in allowed:
            raise IntegrityError("record.wrong_type", f"{where} must be one of {allowed}")
        return item

    return read


def _sequence(parts: tuple[Any, ...], where: str) -> Callable[[Any], Any]:
    if len(parts) == 2 and parts[1] is Ellipsis:
        each = _reader(parts[0], where)
        return lambda item: tuple([each(part) for part in _listed(item, where)])
    readers = [_reader(part, where) for part in parts]

    def read(item: Any) -> Any:
        if len(_listed(item, where)) != len(readers):
            raise IntegrityError("record.wrong_type", f"{where} must have {len(readers)} parts")
        return tuple([one(part) for one, part in zip(readers, item, strict=True)])

    return read


def _listed(item: Any, where: str) -> list[Any]:
    if not isinstance(item, list):
        raise IntegrityError("record.wrong_type", f"{where} must be a list")
    return item


def _optional(hint: Any, where: str) -> Callable[[Any], Any]:
    inner = [part for part in get_args(hint) if part is not type(None)]
    if len(inner) != 1:
        raise TypeError(f"{where}: only `X | None` can be stored")
    read = _reader(inner[0], where)
    return lambda item: None if item is None else read(item)


def _scalar(kind: type, where: str) -> Callable[[Any], Any]:
    def read(item: Any) -> Any:
        if type(item) is not kind:
            raise IntegrityError("record.wrong_type", f"{where} must be {kind.__name__}")
        return item

    return read
