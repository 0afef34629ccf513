"""Evidence of a made-up run of any size: signing it, checking it, proving single entries.

Keys, statements and signatures are made by the code that runs make them with; only the work of the
hosts is left out.
"""

import hashlib
import importlib.util
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from swarm_ray.attestation.batch import batch_signature, sign_batch, verify_batch
from swarm_ray.attestation.certificates import KeyEnrolled, certify
from swarm_ray.attestation.checkpoint import Checkpoint, sign_checkpoint
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.core.events import (
    Dispatched,
    Row,
    RunClosed,
    RunOpened,
    SandboxSeen,
    Settled,
    SwarmOpened,
    event_to_record,
)
from swarm_ray.core.host import Order, Outcome
from swarm_ray.engine.key_files import period
from swarm_ray.engine.orders import result_header, result_statements
from swarm_ray.evidence.checking import check
from swarm_ray.evidence.container import Container, write_container
from swarm_ray.evidence.copy import Copy, copy_of, files_of
from swarm_ray.ledger.rules import checkpoint_entry
from swarm_ray.ports.hosts import HostInfo, Parcel
from swarm_ray.ports.log import Head
from swarm_ray.ports.sandbox import Isolation
from swarm_ray.sandbox.description import Image, description_of
from swarm_ray.values.codec import encode
from swarm_ray.values.digests import Digest, sha256
from swarm_ray.values.merkle import leaf_hash, verify_inclusion
from swarm_ray.values.records import to_record
from swarm_ray.values.tree import Tree

RUN, SWARM = "018bcfe5680074309e0bb61cb08f4760", "018bcfe5680074309e0bb61cb08f4761"
ORIGIN = "swarm-ray.dev/bench/default/0000000000000000"
ROWS = 64
HOST = SigningKey.from_seed(b"\x04" * 32)
INFO = HostInfo("eu-1", "eu", "bench", 16, HOST.public.raw, "shared-kernel")
MODEL = "gpt-4o-mini@https://api.example.org/v1"
DESCRIPTION = description_of(
    Isolation(INFO.isolation, "landlock", ("mnt", "pid", "net"), 6, True),
    Image("Linux 6.12.1", "x86_64", sha256(b"packages"), sha256(b"program"), "CPython 3.12.4"),
)
SANDBOX = sha256(DESCRIPTION.encode())
VERIFIER = Path(__file__).parents[2] / "tools" / "verify_bundle.py"


def entry(event: object, time_us: int) -> bytes:
    """Return an entry of the run log."""
    return encode({**event_to_record(event), "epoch": 1, "time_us": time_us})  # type: ignore[arg-type]


def rows_of(batch: int, count: int) -> tuple[Row, ...]:
    """Return the rows of one batch, each with an output of its own."""
    return tuple(
        Row(
            item,
            1,
            "ok",
            hashlib.sha256(b"output/%d" % item).hexdigest(),
            "approve",
            930_000,
            tokens=120,
            microusd=35,
            cpu_us=180_000 + item,
            start_us=1_700_000_000_000_000 + item,
            duration_us=250_000,
            model=MODEL,
        )
        for item in range(batch * ROWS, batch * ROWS + count)
    )


def statements_of(parcel: Parcel, rows: tuple[Row, ...]) -> list[bytes]:
    """Return what the host signs for rows."""
    return result_statements(parcel, rows, INFO, INFO.isolation, SANDBOX)


def copy_with(rows: int) -> Copy:
    """Return the copy of a run of so many results, signed in batches of 64."""
    now_us = time.time_ns() // 1000
    root, site, log = (SigningKey.from_seed(bytes([n]) * 32) for n in (1, 2, 3))
    enrolled = [
        certify(by, period(KeyEnrolled(role, name, key.public.raw.hex(), "", *place), days, now_us))
        for by, role, name, key, place, days in (
            (root, "root", "bench", root, ("", "bench"), 3_650),
            (root, "site", "eu", site, ("eu", "bench"), 365),
            (site, "log", ORIGIN, log, (), 1),
            (site, "host", INFO.name, HOST, (INFO.site, INFO.organisation, INFO.isolation, 16), 1),
        )
    ]
    admin = [
        encode({"epoch": 1, "event": to_record(one), "kind": "key.enrolled", "time_us": now_us})
        for one in enrolled
    ]
    items = b"".join(hashlib.sha256(b"item/%d" % n).digest() for n in range(rows))
    leaves = [leaf_hash(items[at : at + 32]) for at in range(0, len(items), 32)]
    digest = sha256(b"something")
    run = [
        entry(RunOpened(RUN, "default", "bench", digest, digest, digest), now_us),
        entry(
            SwarmOpened(
                SWARM,
                "fan_out",
                0,
                1,
                rows,
                digest,
                Tree(leaves).root().hex(),
                context=digest,
            ),
            now_us,
        ),
        entry(SandboxSeen(SANDBOX, DESCRIPTION), now_us),
    ]
    for batch in range((rows + ROWS - 1) // ROWS):
        some = rows_of(batch, min(ROWS, rows - batch * ROWS))
        numbers = tuple(row.item for row in some)
        ones = (1,) * len(some)
        sent = Dispatched(
            SWARM, batch + 1, INFO.name, 16, numbers, ones, sha256(b"%d" % batch)[:32]
        )
        parcel = Parcel(
            order=Order(RUN, SWARM, batch + 1, 1, 16, numbers, ones),
            host=INFO.name,
            envelope=b"",
            bundle=digest,
            task="",
            context=digest,
            correlation="",
            nonce=sent.nonce,
            inputs=tuple(items[n * 32 : n * 32 + 32].hex() for n in numbers),
            payloads=(),
            memory=b"",
            reads={},
        )
        header = result_header(parcel, Outcome(batch + 1, RUN, SWARM, batch + 1, some), 1)
        statements = statements_of(parcel, some)
        signature = batch_signature(sign_batch(HOST, header, statements))
        settled = Settled(
            SWARM,
            batch + 1,
            INFO.name,
            some,
            batch + 1,
            signature.sig.hex(),
            signature.keyid,
            INFO.isolation,
            SANDBOX,
        )
        run += [entry(sent, now_us), entry(settled, now_us)]
    run.append(entry(RunClosed("done", digest), now_us))
    index = [
        checkpoint_entry(
            Head(name, kind, 1, len(log), Digest(Tree.over(log).root().hex()), "open", 0), now_us
        )
        for name, kind, log in (("admin", "admin", admin), (RUN, "run", run))
    ]
    note = sign_checkpoint(Checkpoint(ORIGIN, len(index), Tree.over(index).root()), log)
    logs = {"admin": admin, "index": index, "run": run}
    hashes = {name: [leaf_hash(one) for one in found] for name, found in logs.items()}
    return Copy(RUN, note.to_bytes(), logs, hashes, items={SWARM: items})


def stand_alone() -> ModuleType:
    """Return the verifier for strangers as a module."""
    spec = importlib.util.spec_from_file_location("verify_bundle", VERIFIER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Return wall and processor seconds of some work, its own processes included."""
    import resource

    def spent() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used)

    wall, cpu = time.perf_counter(), spent()
    work()
    return {"wall_s": time.perf_counter() - wall, "cpu_s": spent() - cpu}


def offline(rows: int) -> dict[str, object]:
    """Check the file of a run with the stand-alone verifier and with the library."""
    out = io.BytesIO()
    size = write_container(files_of(copy_with(rows)), out)
    data, module = out.getvalue(), stand_alone()
    return {
        "rows": rows,
        "bytes": size,
        "two": timed(lambda: module.check(data, None, 2)),
        "one": timed(lambda: module.check(data, None, 1)),
        "library": timed(lambda: check(copy_of(Container(data)))),
    }


def signing(batches: int) -> dict[str, object]:
    """Sign and verify batches of 64 results, statements included; microseconds per item."""
    order = Order(RUN, SWARM, 1, 1, 16, tuple(range(ROWS)), (1,) * ROWS)
    digest = sha256(b"something")
    parcel = Parcel(
        order=order,
        host=INFO.name,
        envelope=b"",
        bundle=digest,
        task="",
        context=digest,
        correlation="",
        nonce=digest[:32],
        inputs=(digest,) * ROWS,
        payloads=(),
        memory=b"",
        reads={},
    )
    some = rows_of(0, ROWS)
    header = result_header(parcel, Outcome(1, RUN, SWARM, 1, some), 1)
    keys = {HOST.keyid: HOST.public}
    envelope = sign_batch(HOST, header, statements_of(parcel, some))

    def sign() -> None:
        sign_batch(HOST, header, statements_of(parcel, some))

    def verify() -> None:
        verify_batch(envelope, keys, header, statements_of(parcel, some))

    found = {}
    for name, work in (("sign", sign), ("verify", verify)):
        spent = timed(lambda work=work: [work() for _ in range(batches)])  # type: ignore[misc]
        found[name] = spent["cpu_s"] / batches / ROWS * 1e6
    return found


def proofs(leaves: int, count: int) -> dict[str, object]:
    """Make and verify inclusion proofs in a tree; microseconds each, the best of seven rounds."""
    tree = Tree(hashlib.sha256(b"%d" % n).digest() for n in range(leaves))
    root, places = tree.root(), [n * 7_919 % leaves for n in range(count)]
    make, verify = [], []
    for _ in range(7):
        begun = time.process_time()
        paths = [tree.inclusion(place) for place in places]
        middle = time.process_time()
        for place, path in zip(places, paths, strict=True):
            verify_inclusion(tree.node(0, place), place, leaves, path, root)
        make.append((middle - begun) / count * 1e6)
        verify.append((time.process_time() - middle) / count * 1e6)
    return {"make": min(make), "verify": min(verify), "nodes": len(paths[0])}


WORK: dict[str, Callable[[int], dict[str, object]]] = {
    "offline": offline,
    "signing": signing,
    "proofs": lambda leaves: proofs(leaves, 2_000),
}


def measure(what: str, count: int) -> dict[str, object]:
    """Return what was measured: `offline` of so many rows, `signing` of so many batches, `proofs` in
    a tree of so many leaves."""
    return WORK[what](count)
