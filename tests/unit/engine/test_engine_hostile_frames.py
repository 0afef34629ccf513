"""Whatever a worker writes into its socket ends its own attempt at most, never its host."""

import json

import pytest
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


@pytest.mark.parametrize(
    "frame",
    [
        {**RESULT, "retry_after_ms": "soon"},
        {**RESULT, "retry_after_ms": [1]},
        {**RESULT, "retry_after_ms": 10**18},
        {**RESULT, "retry_after_ms": 1e308, "class": "transient"},
        {**RESULT, "class": ["transient"]},
        {**RESULT, "class": {"a": 1}},
        {**RESULT, "code": "no code\n\x1b[31m" + "x" * 4000},
        {**RESULT, "message": "m" * 2_000_000},
        {**RESULT, "cpu_us": 10**19},
        {"frame": "result", "status": "ok", "output": "deep"},
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
    ],
    ids=lambda frame: str(sorted(frame.items(), key=str))[:60],
)
def test_no_frame_of_a_worker_ends_its_host(town: Town, frame: dict):
    files = letters(SKILL, SPOILED, {"max_attempts: 2": "max_attempts: 1"})
    if frame.get("output") == "deep":
        deep: object = 1
        for _ in range(200):
            deep = [deep]
        frame = {**frame, "output": deep}
    body = json.dumps(frame).encode()
    raw = (len(body).to_bytes(4, "big") + body).hex()
    result = town.run(files, letters=[{"raw": raw}, "ok"])
    assert result.status == "done"
    assert result.output[-1] == "ok"
    for item in result.failed + result.skipped:
        assert item.code.isprintable()
        assert len(item.code) <= 64
    [shell] = town.hosts.shells.values()
    assert not shell.finished.is_set()


@pytest.mark.parametrize(
    "raw",
    ["ffffffff", "00000001" + "00", "00000004" + b"[1]".hex(), "00000002" + b"{]".hex(), "7f"],
)
def test_no_bytes_of_a_worker_end_its_host(town: Town, raw: str):
    files = letters(SKILL, SPOILED, {"max_attempts: 2": "max_attempts: 1"})
    result = town.run(files, letters=[{"raw": raw}, "ok"])
    assert (result.status, result.output[-1]) == ("done", "ok")
