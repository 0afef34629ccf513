"""No byte of evidence or of a log changes unseen."""

import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarm_ray.attestation import batch
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.errors import IntegrityError
from swarm_ray.ledger.store import Store
from swarm_ray.ports.log import Append
from swarm_ray.testing.memory_log import MemoryLog

HOST = SigningKey.from_seed(b"\x09" * 32)
KEYS = {HOST.keyid: HOST.public}
HEADER = batch.BatchHeader("results", "r", "s", 1, 2, "host", "0" * 64)
STATEMENTS = [b'{"item":%d}' % n for n in range(5)]
ENVELOPE = batch.sign_batch(HOST, HEADER, STATEMENTS)
EVIDENCE = batch.item_evidence(ENVELOPE, STATEMENTS, 3)


def changed(data, drawn):
    flipped = bytearray(data)
    flipped[drawn.draw(st.integers(0, len(data) - 1))] ^= drawn.draw(st.integers(1, 255))
    return bytes(flipped)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_changed_byte_of_an_envelope_is_refused(data):
    with pytest.raises(IntegrityError):
        batch.verify_batch(changed(ENVELOPE, data), KEYS, HEADER, STATEMENTS)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_changed_byte_of_evidence_is_refused(data):
    with pytest.raises(IntegrityError):
        batch.verify_item_evidence(changed(EVIDENCE, data), KEYS)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_changed_byte_of_a_statement_is_refused(data):
    at = data.draw(st.integers(0, 4))
    forged = [*STATEMENTS]
    forged[at] = changed(forged[at], data)
    with pytest.raises(IntegrityError) as caught:
        batch.verify_batch(ENVELOPE, KEYS, HEADER, forged)
    assert caught.value.code == "attestation.root_mismatch"


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    entries=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=12), data=st.data()
)
def test_any_changed_byte_of_a_stored_entry_is_named(tmp_path_factory, entries, data):
    folder = tmp_path_factory.mktemp("ledger")
    with Store.open(folder) as store:
        epoch = store.acquire_epoch("writer")
        store.commit([Append("run", epoch, 0, entries)])
    seq = data.draw(st.integers(0, len(entries) - 1))
    connection = sqlite3.connect(folder / "ledger.sqlite3")
    forged = changed(entries[seq], data)
    connection.execute("UPDATE entries SET data = ? WHERE seq = ?", (forged, seq))
    connection.commit()
    connection.close()
    with Store.open(folder) as store, pytest.raises(IntegrityError) as caught:
        store.check("run")
    assert (caught.value.code, caught.value.fields["seq"]) == ("ledger.corrupt_entry", seq)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.binary(min_size=1, max_size=9), max_size=4), max_size=6))
def test_memory_and_disk_agree_on_every_root(tmp_path_factory, appends):
    memory = MemoryLog(bytes)
    with Store.open(tmp_path_factory.mktemp("ledger")) as store:
        store.acquire_epoch("writer")
        memory.acquire_epoch("writer")
        size = 0
        for entries in appends:
            append = Append("run", 1, size, entries)
            assert store.commit([append]) == memory.commit([append])
            size += len(entries)
        assert store.logs() == memory.logs()
