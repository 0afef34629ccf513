"""128-bit identifiers that sort by time.

Decides the form of ids (32 lowercase hexadecimal digits of a UUIDv7) and their short display.
It never reads a clock or a random source: both come from outside.
"""

import re
from typing import Final, NewType

from swarm_ray.errors import UsageError

TenantId = NewType("TenantId", str)
RunId = NewType("RunId", str)
SwarmId = NewType("SwarmId", str)
AttemptId = NewType("AttemptId", str)
BatchId = NewType("BatchId", str)
HostId = NewType("HostId", str)
EffectId = NewType("EffectId", str)
DecisionId = NewType("DecisionId", str)
LogId = NewType("LogId", str)

RANDOM_BYTES: Final = 10
_ID: Final = re.compile(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}")


def uuid7(time_ms: int, random: bytes) -> str:
    """Return a UUIDv7 as 32 lowercase hexadecimal digits without hyphens.

    Args:
        time_ms: Unix time in milliseconds, 0 <= time_ms < 2^48.
        random: at least 10 random bytes; 74 bits of the first ten are used.

    Raises:
        UsageError: `id.bad_time` or `id.bad_random`.

    Source: RFC 9562 section 5.7.
    """
    if not 0 <= time_ms < 1 << 48:
        raise UsageError(
            "id.bad_time", f"time_ms is {time_ms}", hint="pass Unix time in milliseconds"
        )
    if len(random) < RANDOM_BYTES:
        raise UsageError(
            "id.bad_random",
            f"{len(random)} random bytes are too few",
            hint=f"pass {RANDOM_BYTES} random bytes",
        )
    rand_a = int.from_bytes(random[:2], "big") & 0x0FFF
    rand_b = int.from_bytes(random[2:10], "big") & ((1 << 62) - 1)
    return f"{time_ms << 80 | 7 << 76 | rand_a << 64 | 2 << 62 | rand_b:032x}"


def parse_id(text: object) -> str:
    """Return the text as an id.

    Raises:
        UsageError: `id.malformed` unless it is a UUIDv7 in 32 lowercase hexadecimal digits.
    """
    if type(text) is not str or not _ID.fullmatch(text):
        raise UsageError(
            "id.malformed",
            f"{text!r} is not an id",
            hint="write the 32 lowercase hexadecimal digits of a UUIDv7",
        )
    return text


def id_time_ms(text: str) -> int:
    """Return the Unix time in milliseconds that the id carries."""
    return int(parse_id(text)[:12], 16)


def short(kind: str, text: str) -> str:
    """Return the display form, for example `swarm-1a2b3c4d`.

    The last eight digits are taken: they are random, so ids of one millisecond differ.
    """
    return f"{kind}-{text[-8:]}"
