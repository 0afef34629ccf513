"""Frames between a host and a child: a length in four bytes, then JSON.

Decides what the host accepts from a child, of which nothing is trusted: a frame beyond the limit,
no JSON, or not an object ends the conversation. Shared by no process inside the sandbox.
"""

from typing import Any

import orjson

from swarm_ray.errors import WorkerError

_HEAD_BYTES = 4


def encode_frame(frame: dict[str, Any], limit_bytes: int) -> bytes:
    """Return the bytes of one frame to send.

    Raises:
        WorkerError: it is larger than `limit_bytes` (`sandbox.frame_too_large`).
    """
    body = orjson.dumps(frame)
    if len(body) > limit_bytes:
        raise WorkerError(
            "sandbox.frame_too_large",
            f"a frame for the worker has {len(body)} bytes; the limit is {limit_bytes}",
            hint="pass large inputs by declared reads, or raise the frame limit",
        )
    return framed(body)


def framed(body: bytes) -> bytes:
    """Return a frame around JSON bytes that are encoded already."""
    return len(body).to_bytes(_HEAD_BYTES, "big") + body


class FrameReader:
    """Cuts the bytes of one child into frames.

    Args:
        limit_bytes: largest frame accepted.
    """

    __slots__ = ("_buffer", "_limit_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._buffer = bytearray()
        self._limit_bytes = limit_bytes

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take bytes as they arrive and return the frames they complete.

        Raises:
            WorkerError: the frame is too large (`sandbox.frame_too_large`) or is not a JSON object
                with a `frame` name (`sandbox.frame_malformed`); kill the child.
        """
        buffer = self._buffer
        buffer += data
        frames = []
        at = 0
        while len(buffer) - at >= _HEAD_BYTES:
            start = at + _HEAD_BYTES
            size = int.from_bytes(buffer[at:start], "big")
            if size > self._limit_bytes:
                raise WorkerError(
                    "sandbox.frame_too_large",
                    f"the worker announced a frame of {size} bytes; the limit is "
                    f"{self._limit_bytes}",
                )
            if len(buffer) < start + size:
                break
            frames.append(_decode(buffer[start : start + size]))
            at = start + size
        del buffer[:at]
        return frames


def _decode(body: bytearray) -> dict[str, Any]:
    try:
        frame = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise WorkerError("sandbox.frame_malformed", f"the worker sent no JSON: {error}") from error
    if not isinstance(frame, dict) or not isinstance(frame.get("frame"), str):
        raise WorkerError("sandbox.frame_malformed", "the worker sent an object without a name")
    return frame
