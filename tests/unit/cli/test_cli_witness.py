"""`swarm-ray witness`: made once, told what to follow, served as a program of its own."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from swarm_ray.attestation.checkpoint import Checkpoint, sign_checkpoint
from swarm_ray.attestation.cosigning import CosignRequest
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.attestation.note import NoteKey, parse_note
from swarm_ray.cli.main import app
from swarm_ray.testing.servers import free_port
from swarm_ray.values.merkle import leaf_hash

LOG = SigningKey.from_seed(b"\1" * 32)
KEY = NoteKey("example.org/log", LOG.public)


def told(*words: str, code: int = 0) -> dict[str, object]:
    found = CliRunner().invoke(app, ["witness", *words, "--json"])
    assert found.exit_code == code, found.output
    return json.loads(found.stdout.splitlines()[-1])


def test_a_witness_serves_what_it_follows(tmp_path: Path):
    made = told(str(tmp_path / "w"), "--new", "example.org/witness")
    port = free_port()
    words = ["witness", str(tmp_path / "w"), "--follow", KEY.to_text(), "--port", str(port)]
    process = subprocess.Popen([sys.executable, "-m", "swarm_ray.cli.main", *words])
    try:
        note = sign_checkpoint(Checkpoint("example.org/log", 1, leaf_hash(b"1")), LOG)
        answer = ask(port, CosignRequest(0, (), note).to_bytes())
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert answer.status_code == 200
    assert answer.text.startswith("— example.org/witness ")
    assert NoteKey.from_text(str(made["key"])).name == "example.org/witness"
    assert parse_note(note.to_bytes() + answer.text.encode()).signatures[1:]


def ask(port: int, body: bytes) -> httpx.Response:
    until_s = time.monotonic() + 20
    while True:
        try:
            return httpx.post(f"http://127.0.0.1:{port}/add-checkpoint", content=body)
        except httpx.ConnectError:
            assert time.monotonic() < until_s
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["{new}"], "witness.no_file"),
        (["{old}"], "witness.follows_nothing"),
        (["{old}", "--new", "again"], "witness.exists"),
        (["{new}", "--new", "two words"], "note.bad_name"),
        (["{old}", "--follow", "nonsense"], "note.bad_key"),
        (["{new}", "--follow", KEY.to_text()], "witness.no_file"),
    ],
)
def test_what_is_no_witness_is_refused(tmp_path: Path, words: list[str], code: str):
    told(str(tmp_path / "old"), "--new", "example.org/witness")
    filled = [word.format(new=tmp_path / "new", old=tmp_path / "old") for word in words]
    assert told(*filled, code=2)["code"] == code
