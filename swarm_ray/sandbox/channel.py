"""The child's end of its socket: frames out, frames in, one question at a time.

Decides how a child writes and reads frames. Runs inside the sandbox (standard library only); it
never interprets what a frame asks for.
"""

from __future__ import annotations

import json
import os
from _thread import RLock

from swarm_ray.sandbox.failures import InputError, refused

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from typing import Any

_HEAD_BYTES = 4
_FIRST_READ_BYTES, _READ_BYTES = 1 << 12, 1 << 16

# Made ahead of the fork: whatever a child builds or touches costs it a copied memory page. The C
# parts of the json module are used directly for the same reason; without them its classes serve.
_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_decoder = json.JSONDecoder()
_scan: Any = getattr(_decoder, "scan_once", _decoder.raw_decode)
_make_encoder: Any = getattr(json.encoder, "c_make_encoder", None)
_chunks: Any = _make_encoder and _make_encoder(
    None,
    _encoder.default,
    json.encoder.encode_basestring_ascii,
    None,
    ":",
    ",",
    False,
    False,
    False,
)


def encode(value: Any) -> bytes:
    """Return `value` as JSON bytes.

    Raises:
        TypeError, ValueError, RecursionError: it is not JSON (a set, an object, a NaN, a cycle).
    """
    if _chunks is None:
        return _encoder.encode(value).encode()
    return "".join(_chunks(value, 0)).encode()


class Channel:
    """Frames over one blocking stream socket.

    Args:
        fd: descriptor of the socket.
        limit_bytes: largest frame in either direction.
    """

    __slots__ = ("_buffer", "_fd", "_limit_bytes", "_lock", "_next_id")

    def __init__(self, fd: int, limit_bytes: int) -> None:
        self._fd = fd
        self._limit_bytes = limit_bytes
        self._buffer = b""
        self._next_id = 1
        self._lock = RLock()

    def read(self) -> dict[str, Any] | None:
        """Return the next frame; None when the host has closed the socket."""
        buffer = self._buffer
        while True:
            if len(buffer) >= _HEAD_BYTES:
                end = _HEAD_BYTES + int.from_bytes(buffer[:_HEAD_BYTES], "big")
                if len(buffer) >= end:
                    self._buffer = buffer[end:]
                    frame: dict[str, Any] = _scan(buffer[_HEAD_BYTES:end].decode(), 0)[0]
                    return frame
            got = os.read(self._fd, _READ_BYTES if buffer else _FIRST_READ_BYTES)
            if not got:
                return None
            buffer += got

    def write(self, frame: dict[str, Any]) -> None:
        """Send one frame.

        Raises:
            InputError: it is larger than the frame limit (`worker.frame_too_large`).
            TypeError, ValueError, RecursionError: it is not JSON.
        """
        body = encode(frame)
        if len(body) > self._limit_bytes:
            raise InputError(
                f"a {frame['frame']} frame of {len(body)} bytes; the limit is {self._limit_bytes}",
                code="worker.frame_too_large",
            )
        data = len(body).to_bytes(_HEAD_BYTES, "big") + body
        with self._lock:
            while data:
                data = data[os.write(self._fd, data) :]

    def ask(self, frame: dict[str, Any]) -> Any:
        """Send a question and return the value of the host's reply.

        Raises:
            Failure: the host refused, with the class and code it gave.
        """
        with self._lock:
            frame["id"] = number = self._next_id
            self._next_id += 1
            self.write(frame)
            reply = self.read()
            while reply is not None and reply.get("id") != number:
                reply = self.read()
        if reply is None:
            raise EOFError("the host closed the socket")
        if reply.get("ok") is not True:
            raise refused(reply)
        return reply.get("value")
