"""The control messages between a host and its zygote.

Decides their bytes: one datagram each, a letter and then fixed-width fields or JSON; descriptors
travel beside it. Shared by both
sides, so it imports the standard library only. It never opens a socket.
"""

from __future__ import annotations

import json
import struct

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from typing import Any

CONFIG, FORK, FORK_SPECIAL, KILL = b"C", b"F", b"S", b"K"  # host to zygote
BRANCH = b"B"  # host to template
READY, EXITS, FATAL = b"R", b"X", b"E"  # zygote to host

MOST_FDS = 32  # descriptors in one FORK; the kernel's own limit is 253
LARGEST_BYTES = 1 << 16

_TOKEN = struct.Struct("=Q")
_EXIT = struct.Struct("=QiQQ")

ExitRow = tuple[int, int, int, int]  # token, wait status, cpu_us, max_rss_bytes


def pack_json(kind: bytes, value: dict[str, Any]) -> bytes:
    """Make a CONFIG, READY or FATAL message."""
    return kind + json.dumps(value).encode()


def unpack_json(message: bytes) -> dict[str, Any]:
    """Read the value of a message made by `pack_json`."""
    value = json.loads(message[1:])
    if not isinstance(value, dict):
        raise TypeError("a control message holds an object")
    return value


def pack_tokens(kind: bytes, tokens: list[int]) -> bytes:
    """Make a FORK, FORK_SPECIAL or KILL message; descriptors travel beside it in the same order."""
    return kind + struct.pack(f"={len(tokens)}Q", *tokens)


def unpack_tokens(message: bytes) -> tuple[int, ...]:
    """Read the tokens of a message made by `pack_tokens`."""
    return struct.unpack_from(f"={(len(message) - 1) // _TOKEN.size}Q", message, 1)


def pack_exits(rows: list[ExitRow]) -> bytes:
    """Make an EXITS message."""
    return EXITS + b"".join(_EXIT.pack(*row) for row in rows)


def unpack_exits(message: bytes) -> list[ExitRow]:
    """Read the rows of a message made by `pack_exits`."""
    return list(_EXIT.iter_unpack(message[1:]))
