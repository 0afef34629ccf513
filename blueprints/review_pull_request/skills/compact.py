"""Compact surfaces: decides what of a module's surface travels from file to file.

A compact surface is plain JSON: what each name is and where it stands, which names are public,
the members and bases of classes, star imports, served and promised names. It never holds
signatures.
"""

from typing import Any

from callables import Function
from paths import absolute_module
from surface import PROTOCOL_METHODS, Class, Entry, Import, Surface, Value


def is_public(name: str) -> bool:
    """Say whether a name is part of an interface: no leading underscore, or a protocol method."""
    return not name.startswith("_") or name in PROTOCOL_METHODS


def public_names(surface: Surface, module: str, *, package: bool) -> list[str]:
    """Return the names that a module offers to importers.

    `__all__` decides when it is known; names served by a module `__getattr__` are always offered.
    """
    served = {name for name in surface.served if _dunder(name) or not name.startswith("_")}
    if surface.exported is not None:
        return sorted(served.union(surface.exported))
    return sorted(
        served
        | {
            name
            for name, entry in surface.names.items()
            if not name.startswith("_") and _offered(entry, module, package=package)
        }
    )


def _dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _offered(entry: Entry, module: str, *, package: bool) -> bool:
    if not isinstance(entry, Import):
        return True
    if entry.explicit:
        return True
    own = entry.level > 0 or entry.module.partition(".")[0] == module.partition(".")[0]
    return package and own and bool(entry.attribute)


def pack(surface: Surface, module: str, *, package: bool) -> dict[str, Any]:
    """Return the compact surface of one module version."""
    classes: dict[str, Any] = {}
    for name, entry in surface.names.items():
        if isinstance(entry, Class):
            _pack_class(name, entry, classes)
    return {
        "names": {
            name: [_kind(entry, module, package=package), entry.line]
            for name, entry in surface.names.items()
        },
        "public": public_names(surface, module, package=package),
        "classes": classes,
        "stars": [
            absolute_module(module, level, name, package=package) for name, level in surface.stars
        ],
        "served": sorted(surface.served),
        "promised": sorted(surface.exported or ()) if surface.lazy else [],
    }


def _pack_class(name: str, entry: Class, into: dict[str, Any]) -> None:
    into[name] = {
        "bases": list(entry.bases),
        "metaclasses": list(entry.metaclasses),
        "members": {key: member.line for key, member in entry.members.items() if is_public(key)},
    }
    for key, member in entry.members.items():
        if isinstance(member, Class):
            _pack_class(f"{name}.{key}", member, into)


def _kind(entry: Entry, module: str, *, package: bool) -> str:
    match entry:
        case Import(module=target, attribute=attribute, level=level):
            return f"{absolute_module(module, level, target, package=package)}:{attribute}"
        case Function():
            return "function"
        case Class():
            return "class"
        case Value():
            return "value"
