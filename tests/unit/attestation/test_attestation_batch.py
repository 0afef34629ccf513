"""A batch is signed once; every single item in it can be proven to anybody."""

import json
from dataclasses import replace

import pytest

from swarm_ray.attestation import batch
from swarm_ray.attestation.batch import BatchHeader
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.attestation.statement import (
    Execution,
    Terms,
    WorkOrder,
    execution_statement,
    order_statement,
)
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values.digests import sha256

HOST = SigningKey.from_seed(b"\x05" * 32)
KEYS = {HOST.keyid: HOST.public}
HEADER = BatchHeader(
    "results", "0" * 32, "1" * 32, 3, 7, "eu/node-1/2", sha256(b"bundle"), 1, 1_000_000_000
)
ORDER = WorkOrder(
    "0" * 32, "1" * 32, 0, 1, "ab" * 16, sha256(b"bundle"), sha256(b"context"), sha256(b"input")
)
DONE = Execution(
    "ok", sha256(b"output"), "eu/node-1/2", "eu", "acme", "shared-kernel", "echo", 10, 25, 12, 30
)
STATEMENTS = [execution_statement(replace(ORDER, item=n), DONE) for n in range(5)]
ENVELOPE = batch.sign_batch(HOST, HEADER, STATEMENTS)


def refusal(envelope=ENVELOPE, keys=KEYS, header=HEADER, statements=STATEMENTS, **options):
    with pytest.raises(IntegrityError) as caught:
        batch.verify_batch(envelope, keys, header, statements, **options)
    return caught.value


def test_the_rows_of_the_batch_verify():
    batch.verify_batch(ENVELOPE, KEYS, HEADER, STATEMENTS, now_us=1_000_000_000)


def test_a_batch_of_one_has_the_same_form():
    envelope = batch.sign_batch(HOST, HEADER, STATEMENTS[:1])
    batch.verify_batch(envelope, KEYS, HEADER, STATEMENTS[:1])
    evidence = batch.item_evidence(envelope, STATEMENTS[:1], 0)
    assert batch.verify_item_evidence(evidence, KEYS).count == 1


def test_an_unregistered_host_is_unknown():
    stranger = SigningKey.from_seed(b"\x06" * 32)
    assert refusal(keys={stranger.keyid: stranger.public}).code == "attestation.unknown_key"


def test_a_signature_by_another_hand_is_bad():
    stranger = SigningKey.from_seed(b"\x06" * 32)
    forged = json.loads(batch.sign_batch(stranger, HEADER, STATEMENTS))
    forged["signatures"][0]["keyid"] = HOST.keyid
    data = json.dumps(forged, separators=(",", ":"), sort_keys=True).encode()
    assert refusal(data).code == "attestation.bad_signature"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("kind", "dispatch", "wrong_kind"),
        ("run", "2" * 32, "replayed"),
        ("swarm", "2" * 32, "replayed"),
        ("epoch", 4, "replayed"),
        ("batch", 8, "replayed"),
        ("host", "us/node-2/1", "wrong_site"),
        ("bundle", sha256(b"other"), "wrong_bundle"),
        ("sequence", 2, "replayed"),
        ("expires_us", 0, "replayed"),
    ],
)
def test_the_envelope_of_another_batch_is_refused(field, value, code):
    error = refusal(header=replace(HEADER, **{field: value}))
    assert (error.code, error.fields["field"]) == (f"attestation.{code}", field)


def test_an_envelope_of_another_site_is_that_whatever_else_differs():
    error = refusal(header=replace(HEADER, host="us/node-2/1", batch=8))
    assert error.code == "attestation.wrong_site"


def test_changed_missing_added_or_reordered_rows_are_noticed():
    changed = execution_statement(ORDER, replace(DONE, tokens=13))
    for rows in (
        [changed, *STATEMENTS[1:]],
        STATEMENTS[:-1],
        [*STATEMENTS, STATEMENTS[-1]],
        STATEMENTS[::-1],
    ):
        assert refusal(statements=rows).code == "attestation.root_mismatch"


def test_an_expired_batch_is_refused_beyond_the_skew_of_clocks():
    assert refusal(now_us=1_060_000_001).code == "attestation.expired"
    batch.verify_batch(ENVELOPE, KEYS, HEADER, STATEMENTS, now_us=1_060_000_000)
    endless = replace(HEADER, expires_us=0)
    envelope = batch.sign_batch(HOST, endless, STATEMENTS)
    batch.verify_batch(envelope, KEYS, endless, STATEMENTS, now_us=10**15)


@pytest.mark.parametrize("data", [b"", b"{}", b"x" + ENVELOPE, ENVELOPE + b"}"])
def test_what_is_no_envelope_is_malformed(data):
    assert refusal(data).code == "attestation.malformed"


@pytest.mark.parametrize("kept", [1, 2, 50, len(ENVELOPE) // 2, len(ENVELOPE) - 1])
def test_an_envelope_that_was_cut_is_truncated(kept):
    assert refusal(ENVELOPE[:kept]).code == "attestation.truncated"


@pytest.mark.parametrize(
    "data",
    [
        ENVELOPE + b" ",
        b" " + ENVELOPE,
        json.dumps(json.loads(ENVELOPE)).encode(),
        json.dumps(json.loads(ENVELOPE), separators=(",", ":"))[:-1].encode() + b',"x":1}',
    ],
)
def test_an_envelope_that_was_written_anew_is_not_canonical(data):
    assert refusal(data).code == "attestation.not_canonical"


def test_an_envelope_of_another_type_is_malformed():
    other = batch.dsse.sign([HOST], "text/plain", b"{}").to_bytes()
    assert refusal(other).code == "attestation.malformed"


@pytest.mark.parametrize(
    "payload", [b"{}", b"[]", b'{"count":1,"root":"zz"}', b'{"count":1,"root":"00","x":1}']
)
def test_a_signed_header_with_other_fields_is_malformed(payload):
    other = batch.dsse.sign([HOST], batch.BATCH_TYPE, payload).to_bytes()
    assert refusal(other).code == "attestation.malformed"


def test_a_signed_header_with_a_field_of_the_wrong_type_is_malformed():
    statements = STATEMENTS[:1]
    envelope = batch.sign_batch(HOST, replace(HEADER, epoch=True), statements)
    assert refusal(envelope, header=replace(HEADER, epoch=1)).code == "attestation.malformed"


def test_no_rows_are_no_batch():
    with pytest.raises(UsageError) as caught:
        batch.sign_batch(HOST, HEADER, [])
    assert caught.value.code == "attestation.empty_batch"


def test_a_log_keeps_only_the_signature_and_rebuilds_the_envelope():
    kept = batch.batch_signature(ENVELOPE)
    assert batch.assemble_batch(HEADER, STATEMENTS, kept.keyid, kept.sig) == ENVELOPE


def test_the_evidence_of_one_item_stands_alone():
    for index, statement in enumerate(STATEMENTS):
        evidence = batch.item_evidence(ENVELOPE, STATEMENTS, index)
        proven = batch.verify_item_evidence(evidence, KEYS)
        assert (proven.statement, proven.index, proven.header) == (statement, index, HEADER)
        assert json.loads(proven.statement)["predicate"]["item"] == index


def test_evidence_for_another_row_or_from_a_stranger_is_refused():
    evidence = batch.item_evidence(ENVELOPE, STATEMENTS, 2)
    fields = json.loads(evidence)
    fields["index"] = 3
    moved = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
    with pytest.raises(IntegrityError) as caught:
        batch.verify_item_evidence(moved, KEYS)
    assert caught.value.code == "attestation.root_mismatch"
    with pytest.raises(IntegrityError) as caught:
        batch.verify_item_evidence(evidence, {})
    assert caught.value.code == "attestation.unknown_key"


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"envelope":1}'])
def test_malformed_evidence_is_refused(data):
    with pytest.raises(IntegrityError) as caught:
        batch.verify_item_evidence(data, KEYS)
    assert caught.value.code == "attestation.malformed"


def test_the_statement_is_an_in_toto_statement_about_the_output():
    statement = json.loads(STATEMENTS[0])
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://swarm-ray.dev/attestation/execution/v1"
    assert statement["subject"] == [
        {"name": "output", "digest": {"swarmRayCommitment": DONE.output}}
    ]


def test_a_failed_attempt_is_stated_over_its_error_text_and_artifacts_are_subjects():
    failed = replace(DONE, status="transient", artifacts=(sha256(b"trace"),))
    names = [one["name"] for one in json.loads(execution_statement(ORDER, failed))["subject"]]
    assert names == ["error", "artifact-0"]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "input"},
        {"output": sha256(b"x")},
        {"host": "h"},
        {"site": "us"},
        {"organisation": "other"},
        {"isolation": "none"},
        {"model": "m"},
        {"started_us": 11},
        {"ended_us": 26},
        {"tokens": 1},
        {"cost_microusd": 1},
        {"cpu_us": 1},
        {"label": "good"},
        {"code": "model.timeout"},
        {"confidence_ppm": 1},
        {"artifacts": (sha256(b"x"),)},
    ],
)
def test_every_field_of_an_execution_changes_the_statement(change):
    assert execution_statement(ORDER, replace(DONE, **change)) != STATEMENTS[0]


@pytest.mark.parametrize(
    "change",
    [
        {"run": "2" * 32},
        {"swarm": "2" * 32},
        {"item": 9},
        {"attempt": 2},
        {"nonce": "cd" * 16},
        {"bundle": sha256(b"x")},
        {"context": sha256(b"x")},
        {"input": sha256(b"x")},
    ],
)
def test_every_field_of_an_order_changes_both_statements(change):
    terms = Terms("eu", "echo", 1000, 500, 20, sha256(b"scope"))
    other = replace(ORDER, **change)
    assert execution_statement(other, DONE) != STATEMENTS[0]
    assert order_statement(other, terms) != order_statement(ORDER, terms)


@pytest.mark.parametrize("field", ["bundle", "context", "input"])
def test_a_statement_names_only_digests(field):
    with pytest.raises(UsageError) as caught:
        execution_statement(replace(ORDER, **{field: "text"}), DONE)
    assert caught.value.code == "statement.bad_digest"
