"""Canonical JSON for log entries and plain JSON for bodies.

Decides which values an entry may hold and what its bytes are: on the admitted profile the sorted
output of orjson equals RFC 8785. A value outside the profile is refused with the path of the
field, never converted. It never digests, stores or interprets a value.
"""

import json
import math
from typing import Any, Final

import orjson

from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values.profile import (
    EVENT,
    MAX_DEPTH,
    MAX_INTEGER,
    SCALARS,
    STANDARD,
    Profile,
    first_flaw,
)

__all__ = [
    "MAX_DEPTH",
    "MAX_ENTRY_BYTES",
    "MAX_INTEGER",
    "decode",
    "decode_json",
    "encode",
    "encode_json",
    "encode_standard",
    "refuse_duplicate_keys",
]

MAX_ENTRY_BYTES: Final = 32_768

_CANONICAL: Final = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


def encode(value: Any, *, max_bytes: int | None = MAX_ENTRY_BYTES) -> bytes:
    """Return the canonical bytes of a value of the event profile.

    Args:
        value: dict with keys `[a-z][a-z0-9_]*`, list, tuple, str, int with abs < 2^53, bool, None.
        max_bytes: largest accepted result; None for state that is not an entry.

    Raises:
        UsageError: `codec.float`, `codec.key`, `codec.integer`, `codec.string`, `codec.type`,
            `codec.depth` with the field `path`, or `codec.too_large`.

    Source: RFC 8785, restricted so that key order and number form cannot differ.
    """
    data = _dump(value, EVENT)
    if max_bytes is not None and len(data) > max_bytes:
        raise UsageError(
            "codec.too_large",
            f"the encoded value has {len(data)} bytes, the limit is {max_bytes}",
            hint="split the rows over several entries or name a body by its commitment",
            size_bytes=len(data),
        )
    return data


def encode_standard(value: Any) -> bytes:
    """Return canonical bytes under a published format's key names (lowerCamelCase, `_type`).

    Same rules as `encode` except for the keys, `[A-Za-z_][A-Za-z0-9_]*`, and no size limit.
    Used for in-toto statements and DSSE envelopes.

    Raises:
        UsageError: as `encode`.
    """
    return _dump(value, STANDARD)


def decode(data: bytes) -> Any:
    """Return the value of canonical bytes; lists come back as lists, never tuples.

    Raises:
        IntegrityError: `codec.malformed` (not JSON, not UTF-8), `codec.duplicate_key`,
            `codec.not_canonical` (any other bytes than `encode` would write).
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise IntegrityError("codec.malformed", f"the bytes are not JSON: {error}") from error
    try:
        again = _dump(value, EVENT)
    except UsageError as error:
        raise IntegrityError(
            "codec.not_canonical",
            f"the bytes hold a refused value: {error.message}",
            **error.fields,
        ) from error
    if again != data:
        refuse_duplicate_keys(data)
        raise IntegrityError("codec.not_canonical", "the bytes are JSON but not in canonical form")
    return value


def encode_json(value: Any) -> bytes:
    """Return JSON bytes of a body: any string keys, finite floats, 64-bit integers; keys sorted.

    Digest the returned bytes as they are; the float form is not part of any canonical profile.

    Raises:
        UsageError: `codec.float` for NaN and infinities, and the other codes of `encode`.
    """
    try:
        if _plain_body(value, MAX_DEPTH):
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise first_flaw(value, None, error) from error
    raise first_flaw(value, None, None)


def decode_json(data: bytes) -> Any:
    """Return the value of a body. Of repeated keys the last one counts, as in Python's `json`.

    Raises:
        UsageError: `codec.malformed` when the bytes are not JSON in UTF-8.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UsageError(
            "codec.malformed", f"the body is not JSON: {error}", hint="write UTF-8 JSON"
        ) from error


def _dump(value: Any, profile: Profile) -> bytes:
    try:
        if _plain(value, profile, MAX_DEPTH):
            return orjson.dumps(value, option=_CANONICAL)
    except orjson.JSONEncodeError as error:
        raise first_flaw(value, profile, error) from error
    raise first_flaw(value, profile, None)


def _plain(value: Any, profile: Profile, levels: int) -> bool:
    """Tell whether keys and types are admitted; orjson itself checks integers and surrogates."""
    kind = type(value)
    if kind is dict:
        known = profile.known
        for key in value:
            if key not in known and not profile.admits(key):
                return False
        items: Any = value.values()
    elif kind is list or kind is tuple:
        items = value
    else:
        return kind in SCALARS
    if levels == 0:
        return False
    for item in items:
        if type(item) not in SCALARS and not _plain(item, profile, levels - 1):
            return False
    return True


def _plain_body(value: Any, levels: int) -> bool:
    kind = type(value)
    if kind is dict:
        if any(type(key) is not str for key in value):
            return False
        items: Any = value.values()
    elif kind is list or kind is tuple:
        items = value
    else:
        return kind in SCALARS or (kind is float and math.isfinite(value))
    if levels == 0:
        return False
    for item in items:
        if type(item) not in SCALARS and not _plain_body(item, levels - 1):
            return False
    return True


def refuse_duplicate_keys(data: bytes) -> None:
    """Check a JSON document for repeated keys in one object.

    Raises:
        IntegrityError: `codec.duplicate_key` naming the key, or `codec.malformed`.
    """
    try:
        json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise IntegrityError("codec.malformed", f"the bytes are not JSON: {error}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise IntegrityError(
                    "codec.duplicate_key", f"the key {key!r} appears twice in one object", key=key
                )
            seen.add(key)
    return found
