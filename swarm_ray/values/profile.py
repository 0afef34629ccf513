"""What a value may hold to be written as canonical JSON.

Decides the admitted keys and types and names the first flaw of a value by its path. It never
writes bytes (see `codec`).
"""

import math
import re
from collections.abc import Iterator
from typing import Any, Final

from swarm_ray.errors import UsageError

MAX_DEPTH: Final = 64
MAX_INTEGER: Final = 2**53 - 1
SCALARS: Final = frozenset({str, int, bool, type(None)})

_KNOWN_KEYS_LIMIT: Final = 4096
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Profile:
    """A rule for object keys, with the keys that already passed it."""

    __slots__ = ("known", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = re.compile(pattern, re.ASCII)
        self.known: set[object] = set()

    def admits(self, key: object) -> bool:
        """Tell whether the key may be written."""
        if key in self.known:
            return True
        if type(key) is not str or not self.pattern.fullmatch(key):
            return False
        # Keys are a closed vocabulary; the limit keeps a hostile document from filling memory.
        if len(self.known) < _KNOWN_KEYS_LIMIT:
            self.known.add(key)
        return True


EVENT: Final = Profile(r"[a-z][a-z0-9_]*")
STANDARD: Final = Profile(r"[A-Za-z_][A-Za-z0-9_]*")


def first_flaw(value: Any, profile: Profile | None, cause: Exception | None) -> UsageError:
    """Return the error that names the first flaw; a profile of None admits what bodies may hold."""
    for flaw in _flaws(value, profile, "$", MAX_DEPTH):
        return flaw
    return UsageError(
        "codec.type",
        f"the value cannot be encoded: {cause}",
        hint="use plain JSON values",
        path="$",
    )


def _flaws(value: Any, profile: Profile | None, path: str, levels: int) -> Iterator[UsageError]:
    kind = type(value)
    if kind is dict or kind is list or kind is tuple:
        if levels == 0:
            yield UsageError(
                "codec.depth",
                f"{path} is nested deeper than {MAX_DEPTH} levels",
                hint="flatten the value or name a body",
                path=path,
            )
            return
        for key, item in value.items() if kind is dict else enumerate(value):
            if kind is dict:
                yield from _key_flaws(key, profile, path)
            where = f"{path}.{key}" if kind is dict else f"{path}[{key}]"
            yield from _flaws(item, profile, where, levels - 1)
    else:
        yield from _scalar_flaws(value, profile, path)


def _key_flaws(key: Any, profile: Profile | None, path: str) -> Iterator[UsageError]:
    if profile is not None:
        admitted = profile.admits(key)
    else:
        admitted = type(key) is str and not _SURROGATE.search(key)
    if not admitted:
        rule = f"do not match {profile.pattern.pattern}" if profile else "are not valid text"
        yield UsageError(
            "codec.key",
            f"{path} has the key {key!r}; such keys {rule}",
            hint="rename the key, or carry free names as values",
            path=path,
        )


def _scalar_flaws(value: Any, profile: Profile | None, path: str) -> Iterator[UsageError]:
    kind = type(value)
    if kind is str:
        if _SURROGATE.search(value):
            yield UsageError(
                "codec.string",
                f"{path} holds a lone surrogate, which is not Unicode text",
                hint="decode the source with errors='replace' before it enters",
                path=path,
            )
    elif kind is int:
        low, high = (-MAX_INTEGER, MAX_INTEGER) if profile else (-(2**63), 2**64 - 1)
        if not low <= value <= high:
            yield UsageError(
                "codec.integer",
                f"{path} is {value}, outside {low}..{high}",
                hint="carry large numbers as text",
                path=path,
            )
    elif kind is float:
        if profile is not None or not math.isfinite(value):
            yield UsageError(
                "codec.float",
                f"{path} is the float {value!r}",
                hint="use an integer in a smaller unit (micro-USD, microseconds, ppm)",
                path=path,
            )
    elif kind not in SCALARS:
        yield UsageError(
            "codec.type",
            f"{path} is a {kind.__name__}, which has no JSON form",
            hint="pass plain dict, list, str, int, bool or None",
            path=path,
        )
