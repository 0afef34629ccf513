"""The state of a run as plain data, and a run from such data: what a snapshot holds.

Decides the form of every field from its annotation, so that a field added to a machine is kept
without a word here. Data of another layout of the machines is refused, never converted: a snapshot
is a cache, and the log is always there. It knows nothing about logs, bytes or storage.
"""

from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from swarm_ray.core.plan import Plan
from swarm_ray.core.purse import Purse
from swarm_ray.core.run import Run
from swarm_ray.errors import IntegrityError, InternalError
from swarm_ray.values.digests import sha256

_SCALARS: Final = (str, int, bool, None)
_SHARED: Final = (Plan, Purse)
"""What several machines refer to: written once, or known besides, and joined to them afterwards."""
_LISTED: Final[dict[Any, Callable[[Any], Any]]] = {list: list, deque: deque, set: set, tuple: tuple}
_REFUSALS: Final = (AttributeError, LookupError, OverflowError, TypeError, ValueError)
"""What plain data that is not a run raises while it is read."""


class Form(NamedTuple):
    """How values of one annotation are written and read; `shape` is a text of its layout."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    shape: str


def freeze(run: Run) -> dict[str, Any]:
    """Return a run as plain data of the event profile; its plan is left out."""
    purses = [run.purse]
    for swarm in run.swarms.values():
        if all(swarm.purse is not known for known in purses):
            purses.append(swarm.purse)
    number = {id(purse): at for at, purse in enumerate(purses)}
    return {
        "layout": layout(),
        "run": _form(Run).write(run),
        "purses": [[_form(Purse).write(one), number.get(id(one.parent), -1)] for one in purses],
        "holders": [number[id(swarm.purse)] for swarm in run.swarms.values()],
    }


def thaw(record: Any, plan: Plan) -> Run:
    """Build the run that `freeze` wrote.

    Args:
        record: decoded plain data, from anywhere.
        plan: the plan that the run's first entry names.

    Raises:
        IntegrityError: `snapshot.other_layout`, `snapshot.malformed`.
    """
    if not isinstance(record, dict) or record.get("layout") != layout():
        raise IntegrityError(
            "snapshot.other_layout",
            "the snapshot was made by another version of the machines",
            hint="drop the snapshot and replay the log",
        )
    try:
        return _joined(record, plan)
    except _REFUSALS as error:
        raise IntegrityError(
            "snapshot.malformed",
            f"the snapshot does not describe a run: {type(error).__name__}: {error}",
            hint="drop the snapshot and replay the log",
        ) from error


def _joined(record: dict[str, Any], plan: Plan) -> Run:
    run: Run = _form(Run).read(record["run"])
    purses: list[Purse] = []
    for plain, parent in record["purses"]:
        purse: Purse = _form(Purse).read(plain)
        purse.parent = purses[parent] if parent >= 0 else None
        purses.append(purse)
    run.plan, run.purse = plan, purses[0]
    for swarm, holder in zip(run.swarms.values(), record["holders"], strict=True):
        swarm.purse = purses[holder]
    return run


@cache
def layout() -> str:
    """Return a digest of the fields of every class that a run consists of."""
    return sha256((_form(Run).shape + _form(Purse).shape).encode())


@cache
def _form(hint: Any) -> Form:
    """Return the form of an annotation."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint in _SCALARS or origin is Literal:
        return Form(_same, _scalar(hint, origin, parts), str(hint))
    if hint is bytearray:
        return Form(bytearray.hex, bytearray.fromhex, "bytes")
    if hint == "array[int]":
        return Form(list, lambda plain: array("H", plain), "shorts")
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Form(lambda one: one.value, hint, f"{hint.__name__}{[one.value for one in hint]}")
    if is_dataclass(hint):
        return _record(hint)
    if origin is dict:
        return _mapping(_form(parts[0]), _form(parts[1]), parts)
    if origin is tuple and parts[-1] is not Ellipsis:
        return _product([_form(part) for part in parts])
    if origin in _LISTED:
        return _sequence(_LISTED[origin], parts[0])
    if origin in (Union, UnionType):
        return _choice([part for part in parts if part is not NoneType])
    raise InternalError("snapshot.unknown_form", f"no form is known for {hint}")


def _same(value: Any) -> Any:
    return value


def _scalar(hint: Any, origin: Any, parts: tuple[Any, ...]) -> Callable[[Any], Any]:
    def read(plain: Any) -> Any:
        if (plain not in parts) if origin is Literal else (type(plain) is not (hint or NoneType)):
            raise TypeError(f"{plain!r} is not {hint}")
        return plain

    return read


def _record(kind: Any) -> Form:
    """A dataclass is the list of its fields; those that are shared are joined later."""
    hints: dict[str, Any] = {one.name: one.type for one in fields(kind)}
    forms = {name: _form(hint) for name, hint in hints.items() if not _shared(hint)}

    def write(value: Any) -> list[Any]:
        return [form.write(getattr(value, name)) for name, form in forms.items()]

    def read(plain: Any) -> Any:
        value = object.__new__(kind)
        for (name, form), part in zip(forms.items(), plain, strict=True):
            object.__setattr__(value, name, form.read(part))  # also of a frozen class
        return value

    shape = ", ".join(f"{name}: {form.shape}" for name, form in forms.items())
    return Form(write, read, f"{kind.__name__}({shape})")


def _shared(hint: Any) -> bool:
    return hint in _SHARED or hint == "Purse | None"


def _sequence(build: Callable[[Any], Any], part: Any) -> Form:
    form = _form(part)
    return Form(
        lambda value: _written(form, sorted(value) if build is set else value),
        lambda plain: build(_read(form, part, plain)),
        f"{build}[{form.shape}]",
    )


def _product(forms: list[Form]) -> Form:
    return Form(
        lambda value: [form.write(part) for form, part in zip(forms, value, strict=True)],
        lambda plain: tuple([form.read(part) for form, part in zip(forms, plain, strict=True)]),
        f"({', '.join(form.shape for form in forms)})",
    )


def _mapping(key: Form, value: Form, parts: tuple[Any, ...]) -> Form:
    """A mapping is the list of its keys beside the list of its values, in its order."""

    def read(plain: Any) -> dict[Any, Any]:
        keys, values = plain
        return dict(zip(_read(key, parts[0], keys), _read(value, parts[1], values), strict=True))

    return Form(
        lambda held: [_written(key, held), _written(value, held.values())],
        read,
        f"{{{key.shape}: {value.shape}}}",
    )


def _choice(kinds: list[Any]) -> Form:
    """An optional value is None, or the name of its class beside it where several may stand."""
    forms = {getattr(kind, "__name__", str(kind)): _form(kind) for kind in kinds}
    [single, *others] = forms.values()
    if not others:
        return Form(
            lambda value: None if value is None else single.write(value),
            lambda plain: None if plain is None else single.read(plain),
            f"{single.shape}?",
        )

    def write(value: Any) -> Any:
        name = type(value).__name__
        return None if value is None else [name, forms[name].write(value)]

    def read(plain: Any) -> Any:
        if plain is None:
            return None
        name, part = plain
        return forms[name].read(part)

    return Form(write, read, " | ".join(form.shape for form in forms.values()))


def _written(form: Form, values: Any) -> list[Any]:
    return list(values) if form.write is _same else [form.write(value) for value in values]


def _read(form: Form, hint: Any, plain: Any) -> list[Any]:
    """Read a list; one of scalars is only checked, for it may have 100,000 members."""
    if type(plain) is not list:
        raise TypeError(f"{type(plain).__name__} stands for a list")
    if hint in _SCALARS and set(map(type, plain)) <= {hint or NoneType}:
        return plain
    return [form.read(part) for part in plain]
