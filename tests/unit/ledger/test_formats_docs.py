"""Every worked example of docs/formats is recomputed, so that the pages cannot drift."""

import hashlib
import io
import re
from pathlib import Path

import pytest

from swarm_ray.attestation import batch
from swarm_ray.attestation.certificates import KeyEnrolled, certify
from swarm_ray.attestation.checkpoint import Checkpoint, sign_checkpoint
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.attestation.statement import Execution, WorkOrder, execution_statement
from swarm_ray.engine.vigil import HEARTBEAT_KIND
from swarm_ray.ledger.rules import checkpoint_entry
from swarm_ray.ports.log import Head
from swarm_ray.ports.sandbox import Isolation
from swarm_ray.sandbox.description import Image, description_of
from swarm_ray.values import codec, merkle
from swarm_ray.values.commitments import commit
from swarm_ray.values.digests import sha256, tagged
from swarm_ray.values.manifest import Manifest, write_manifest

FORMATS = Path(__file__).parents[3] / "docs" / "formats"
SALT = bytes(range(32))


def example(page: str, name: str) -> str:
    text = (FORMATS / page).read_text(encoding="utf-8")
    found = re.findall(rf"^```example {name}\n(.*?)^```$", text, re.S | re.M)
    assert len(found) == 1, f"{page} has no example {name}"
    return found[0].rstrip("\n")


def fields(page: str, name: str) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in example(page, name).splitlines())
    return {key: value.strip() for key, value in pairs}


def manifest_example() -> dict[str, str]:
    shown = ["a", ""]
    out = io.BytesIO()
    summary = write_manifest([item.encode() for item in shown], SALT, out)
    manifest = Manifest(out.getvalue(), summary.root)
    return {
        "salt": SALT.hex(),
        "items": "|".join(shown),
        "item salt 0": manifest.item_salt(0).hex(),
        "item salt 1": manifest.item_salt(1).hex(),
        "commitment 0": manifest.item_commitment(0),
        "commitment 1": manifest.item_commitment(1),
        "root": summary.root,
        "size": str(summary.size_bytes),
        "sha256": hashlib.sha256(out.getvalue()).hexdigest(),
    }


def body_example() -> dict[str, str]:
    body = b'{"verdict":"ok"}'
    return {
        "tag": "swarm.output",
        "salt": SALT.hex(),
        "body": body.decode(),
        "commitment": commit("swarm.output", SALT, body),
        "tagged": tagged("swarm.output", body),
    }


def log_example() -> dict[str, str]:
    entries = [codec.encode({"kind": "timer", "time_us": n}) for n in (1, 2, 3)]
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    frontier = merkle.Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return {
        **{f"entry {n}": entry.decode() for n, entry in enumerate(entries)},
        **{f"leaf {n}": leaf.hex() for n, leaf in enumerate(leaves)},
        **{f"root {n}": merkle.root(leaves[:n]).hex() for n in (0, 2, 3)},
        "frontier": frontier.to_bytes().hex(),
    }


def checkpoint_example() -> dict[str, str]:
    root = sha256(b"")
    head = Head("018bcfe5680074309e0bb61cb08f4760", "run", 2, 0, root, "closed", 0)
    return {"entry": checkpoint_entry(head, 1_700_000_000_000_000).decode()}


ROOT, SITE, LOG = (SigningKey.from_seed(bytes([n]) * 32) for n in (1, 2, 3))


def heartbeat_example() -> dict[str, str]:
    fields = {"epoch": 2, "every_us": 300_000_000, "kind": HEARTBEAT_KIND, "state": "alive"}
    return {"entry": codec.encode({**fields, "time_us": 1_700_000_000_000_000}).decode()}


def signed_checkpoint_example() -> dict[str, str]:
    entries = [codec.encode({"kind": "timer", "time_us": n}) for n in (1, 2, 3)]
    origin = f"swarm-ray.dev/acme/default/{ROOT.keyid[:16]}"
    head = Checkpoint(origin, 3, merkle.root(map(merkle.leaf_hash, entries)))
    note = sign_checkpoint(head, LOG).to_bytes().decode()
    return {"note": note.rstrip("\n").replace("\n", "|")}


def certificate_example() -> dict[str, str]:
    begin, end = 1_700_000_000_000_000, 1_731_536_000_000_000
    raw = SITE.public.raw.hex()
    draft = KeyEnrolled(
        "site", "eu", raw, "", "eu", "acme", serial=1, not_before_us=begin, not_after_us=end
    )
    made = certify(ROOT, draft)
    signed = made.signed().decode()
    return {
        "seed of the root": (b"\x01" * 32).hex(),
        "signed": signed[signed.index("{") :],
        "signature": made.signature,
    }


KEY = SigningKey.from_seed(b"\x05" * 32)
ORDER = WorkOrder(
    "018bcfe5680074309e0bb61cb08f4760",
    "018bcfe5680074309e0bb61cb08f4761",
    3,
    1,
    "000102030405060708090a0b0c0d0e0f",
    sha256(b"bundle"),
    sha256(b"context"),
    sha256(b"input"),
)
SANDBOX = description_of(
    Isolation("shared-kernel", "landlock", ("user", "mnt", "pid"), 6, True, ("rlimit:as",)),
    Image("Linux 6.12.1", "x86_64", sha256(b"packages"), sha256(b"program"), "CPython 3.12.4"),
)
EXECUTION = Execution(
    "ok",
    sha256(b"output"),
    "eu/node-1/2",
    "eu",
    "acme",
    "shared-kernel",
    "echo@http://127.0.0.1:8000/v1",
    1_700_000_000_000_000,
    1_700_000_000_250_000,
    120,
    35,
    180_000,
    "approve",
    "",
    930_000,
    sandbox=sha256(SANDBOX.encode()),
)
HEADER = batch.BatchHeader(
    "results", ORDER.run, ORDER.swarm, 2, 7, EXECUTION.host, ORDER.bundle, sequence=1
)
STATEMENTS = [execution_statement(ORDER, EXECUTION)]
ENVELOPE = batch.sign_batch(KEY, HEADER, STATEMENTS)


def derivation_example() -> dict[str, str]:
    """What a verifier derives from an order and a row, by the code that hosts use."""
    from swarm_ray.core.events import Row
    from swarm_ray.engine.orders import NO_BODY, _execution, attempt_nonce
    from swarm_ray.ports.hosts import HostInfo

    seed, start_us, took_us = "0f0e0d0c0b0a09080706050403020100", 1_700_000_000_000_000, 250_000
    row = Row(3, 1, "lost", start_us=start_us, duration_us=took_us)
    made = _execution(row, HostInfo("h", "s", "o", 1, b"", "none"), "none", "")
    assert (made.output, made.model) == (NO_BODY, "")
    return {
        "nonce of the order": seed,
        "item and attempt": "3 1",
        "nonce": attempt_nonce(seed, 3, 1),
        "started, duration": f"{start_us} {took_us}",
        "endedUs": str(made.ended_us),
        "neither body": made.output,
    }


def sandbox_example() -> dict[str, str]:
    return {"description": SANDBOX, "digest": EXECUTION.sandbox}


def envelope_example() -> dict[str, str]:
    signature = batch.batch_signature(ENVELOPE)
    return {
        "keyid": signature.keyid,
        "root": merkle.leaf_hash(STATEMENTS[0]).hex(),
        "sig": signature.sig.hex(),
    }


@pytest.mark.parametrize(
    ("page", "name", "recompute"),
    [
        ("manifest.md", "manifest", manifest_example),
        ("bodies.md", "body", body_example),
        ("log.md", "log", log_example),
        ("log.md", "checkpoint", checkpoint_example),
        ("log.md", "heartbeat", heartbeat_example),
        ("log.md", "signed checkpoint", signed_checkpoint_example),
        ("attestation.md", "certificate", certificate_example),
        ("attestation.md", "envelope", envelope_example),
        ("attestation.md", "derivation", derivation_example),
        ("attestation.md", "sandbox", sandbox_example),
    ],
)
def test_the_example_of_a_page_is_what_the_code_writes(page, name, recompute):
    assert fields(page, name) == recompute()


def test_the_statement_and_the_payload_of_the_page_are_what_the_code_writes():
    assert example("attestation.md", "statement").encode() == STATEMENTS[0]
    payload = batch.dsse.parse(ENVELOPE).payload
    assert example("attestation.md", "payload").encode() == payload
    batch.verify_batch(ENVELOPE, {KEY.keyid: KEY.public}, HEADER, STATEMENTS)
