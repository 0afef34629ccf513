"""Whatever a worker writes into its socket ends its own attempt at most, never its host."""

import json

from engine_story import Town, letters

SKILL = """\
import json, os, time


def sort(inputs, ctx):
    letter = inputs["letter"]
    if letter == "ok":
        return "ok"
    data = bytes.fromhex(letter["raw"])
    while data:
        data = data[os.write(ctx._attempt.channel._fd, data):]
    time.sleep(0.1)
    return "still here"
"""
SPOILED = "min_success_ratio: 0.1, failure_action: skip"
RESULT = {"frame": "result", "status": "failed", "class": "input", "code": "a.b", "message": "m"}


FRAMES = [
    {**RESULT, "retry_after_ms": "soon"},
    {**RESULT, "retry_after_ms": [1]},
    {**RESULT, "retry_after_ms": 10**18},
    {**RESULT, "retry_after_ms": 1e308, "class": "transient"},
    {**RESULT, "class": ["transient"]},
    {**RESULT, "class": {"a": 1}},
    {**RESULT, "code": "no code\n\x1b[31m" + "x" * 4000},
    {**RESULT, "message": "m" * 2_000_000},
    {**RESULT, "cpu_us": 10**19},
    {"frame": "result"},
    {"frame": ["result"]},
    {"frame": "artifact", "data": "%%%", "id": 1},
    {"frame": "artifact", "data": {"a": 1}, "id": 1},
    {"frame": "delegate", "depth": "deep", "id": 1},
    {"frame": "delegate", "depth": {"a": 1}, "id": {"x": []}},
    {"frame": "memory", "op": "append", "chain": ["a"], "payload": None, "id": 2},
    {"frame": "model", "request": "what", "id": 1},
    {"frame": "tool", "name": None, "args": 7},
    {"frame": "run"},
    {},
]
BYTES = [
    bytes.fromhex("ffffffff"),
    b"\0\0\0\1\0",
    b"\0\0\0\4[1]",
    b"\0\0\0\2{]",
    b"\x7f",
]


def framed(frame: object) -> bytes:
    body = json.dumps(frame).encode()
    return len(body).to_bytes(4, "big") + body


def deep() -> object:
    found: object = 1
    for _ in range(200):
        found = [found]
    return found


def test_whatever_a_worker_writes_ends_its_own_attempt_at_most(town: Town):
    frames = [*FRAMES, {"frame": "result", "status": "ok", "output": deep()}]
    written = [*map(framed, frames), *BYTES]
    files = letters(SKILL, SPOILED, {"max_attempts: 2": "max_attempts: 1"})
    [shell] = town.hosts.shells.values()
    result = town.run(files, letters=[*({"raw": one.hex()} for one in written), "ok"])
    assert result.status == "done", result.cause
    assert result.output[-1] == "ok"
    assert len(result.failed + result.skipped) >= 15
    for item in result.failed + result.skipped:
        assert item.code.isprintable()
        assert item.code.isascii()
        assert 3 <= len(item.code) <= 64
    assert not shell.finished.is_set()
    assert town.run(files, letters=["ok"]).status == "done"
