"""Encoding, signing and checking per item, in batches of 64 and of one.

In this process, one thread. Statements are those of real results; checking includes parsing the
envelope, the signature and the Merkle root.
"""

import time
from collections.abc import Callable

from benchmarks.figures import Figure, median
from swarm_ray.attestation.batch import BatchHeader, sign_batch, verify_batch
from swarm_ray.attestation.keys import PublicKey, SigningKey
from swarm_ray.attestation.statement import Execution, WorkOrder, execution_statement
from swarm_ray.core.events import Row, Settled, event_from_record, event_to_record
from swarm_ray.values.codec import decode, encode

ZERO = "0" * 64
BATCH = 64


def run(*, quick: bool) -> list[Figure]:
    """Time each part over the same made-up batch."""
    seconds, times = (0.1, 3) if quick else (1.0, 5)
    key = SigningKey.generate()
    keys: dict[str, PublicKey] = {key.public.keyid: key.public}
    header = BatchHeader("results", "run", "swarm", 1, 1, "host", ZERO, 1)
    statements = [_statement(item) for item in range(BATCH)]
    envelope = sign_batch(key, header, statements)
    single = sign_batch(key, header, statements[:1])
    settled = Settled("swarm", 1, "host", tuple(_row(item) for item in range(BATCH)), 1)
    data = encode(event_to_record(settled))
    parts: dict[str, tuple[int, Callable[[], object]]] = {
        "build the statement": (BATCH, lambda: [_statement(item) for item in range(BATCH)]),
        "sign a batch of 64": (BATCH, lambda: sign_batch(key, header, statements)),
        "verify a batch of 64": (BATCH, lambda: verify_batch(envelope, keys, header, statements)),
        "sign a batch of one": (1, lambda: sign_batch(key, header, statements[:1])),
        "verify a batch of one": (1, lambda: verify_batch(single, keys, header, statements[:1])),
        "encode the settled row": (BATCH, lambda: encode(event_to_record(settled))),
        "decode the settled row": (BATCH, lambda: event_from_record(decode(data))),
    }
    return [
        _figure(f"per item: {what}", act, count, seconds, times)
        for what, (count, act) in parts.items()
    ]


def _figure(what: str, act: Callable[[], object], count: int, seconds: float, times: int) -> Figure:
    samples = [_cost_us(act, seconds) / count for _ in range(times)]
    return Figure(what, median(samples), "us", samples=samples)


def _cost_us(act: Callable[[], object], seconds: float) -> float:
    began_s = time.process_time()
    count = 0
    while time.process_time() - began_s < seconds:
        act()
        count += 1
    return (time.process_time() - began_s) / count * 1e6


def _row(item: int) -> Row:
    return Row(item, 1, "ok", ZERO, cpu_us=2_000, start_us=1_700_000_000_000_000, duration_us=3_000)


def _statement(item: int) -> bytes:
    order = WorkOrder("run", "swarm", item, 1, "0" * 32, ZERO, ZERO, ZERO)
    start_us = 1_700_000_000_000_000
    done = Execution(
        "ok", ZERO, "host", "site", "organisation", "shared-kernel", "", start_us, start_us + 3_000
    )
    return execution_statement(order, done)
