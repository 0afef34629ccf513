"""Frames between host and worker: four bytes of length, then JSON.

Decides size limits. A frame of a worker that is too long, or no JSON object, ends its attempt.
"""

import struct
from collections.abc import Iterator
from typing import Any

import orjson

from swarm_ray.errors import WorkerError

MAX_FRAME_BYTES = 64 * 2**20
_LENGTH = struct.Struct(">I")


def frame_bytes(body: bytes) -> bytes:
    """Return a frame around JSON bytes."""
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Cuts a byte stream into frames; holds at most one unfinished frame."""

    def __init__(self, limit_bytes: int = MAX_FRAME_BYTES) -> None:
        self._limit = limit_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Take bytes and yield the frames that they complete.

        Raises:
            WorkerError: `worker.frame_too_large`, `worker.bad_frame`.
        """
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > self._limit:
                raise WorkerError(
                    "worker.frame_too_large",
                    f"a worker sent a frame of {length} bytes, the limit is {self._limit}",
                    hint="write large results as artifacts in parts, or return less",
                )
            if len(self._buffer) < _LENGTH.size + length:
                return
            body = bytes(self._buffer[_LENGTH.size : _LENGTH.size + length])
            del self._buffer[: _LENGTH.size + length]
            yield _object(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise WorkerError("worker.bad_frame", f"a worker sent no JSON: {error}") from error
    if not isinstance(found, dict):
        raise WorkerError("worker.bad_frame", "a worker sent JSON that is no object")
    return found
