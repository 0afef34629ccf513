"""Frames: cut from bytes as they arrive, refused beyond the limit or when malformed."""

import pytest

from swarm_ray.errors import WorkerError
from swarm_ray.sandbox.frames import FrameReader, encode_frame

FRAMES = [{"frame": "progress", "text": "ä" * n} for n in (0, 1, 300)]


@pytest.mark.parametrize("piece_bytes", [1, 3, 7, 1000])
def test_frames_come_out_however_the_bytes_are_cut(piece_bytes: int) -> None:
    data = b"".join(encode_frame(frame, 1000) for frame in FRAMES)
    reader = FrameReader(1000)
    found = []
    for at in range(0, len(data), piece_bytes):
        found += reader.feed(data[at : at + piece_bytes])
    assert found == FRAMES


def test_a_frame_is_refused_as_soon_as_its_length_is_known() -> None:
    reader = FrameReader(10)
    assert reader.feed(b"\x00\x00\x00") == []
    with pytest.raises(WorkerError) as caught:
        reader.feed(b"\x0b")
    assert caught.value.code == "sandbox.frame_too_large"


@pytest.mark.parametrize(
    "body",
    [b"", b"nope", b"[]", b'"frame"', b"{}", b'{"frame":1}', b'{"frame":"x","n":NaN}', b"\xff\xfe",
     b"[" * 900],
)  # fmt: skip
def test_anything_but_a_named_object_is_malformed(body: bytes) -> None:
    with pytest.raises(WorkerError) as caught:
        FrameReader(1000).feed(len(body).to_bytes(4, "big") + body)
    assert caught.value.code == "sandbox.frame_malformed"


def test_the_host_keeps_to_the_limit_as_well() -> None:
    with pytest.raises(WorkerError) as caught:
        encode_frame({"frame": "run", "inputs": "x" * 100}, 50)
    assert caught.value.code == "sandbox.frame_too_large"
