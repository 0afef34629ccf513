"""A real coordinator, a real witness and a real bucket: runs end, checkpoints get away."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

import swarm_ray as swarm
from swarm_ray.anchors.object_lock import ObjectLockAnchor
from swarm_ray.attestation.checkpoint import open_checkpoint, read_checkpoint, witnesses
from swarm_ray.attestation.cosigning import cosigned
from swarm_ray.attestation.keys import load_signing_key
from swarm_ray.attestation.note import NoteKey, parse_note
from swarm_ray.client.session import Session, using
from swarm_ray.config import Settings
from swarm_ray.engine.admin import admin_events
from swarm_ray.engine.anchoring import AnchorFailed
from swarm_ray.engine.vigil import CHECKPOINT_FILE
from swarm_ray.errors import IntegrityError
from swarm_ray.evidence.anchored import check_anchors
from swarm_ray.evidence.gathering import gather
from swarm_ray.ledger.reader import Reader
from swarm_ray.ports.anchors import Anchored
from swarm_ray.testing.servers import make_bucket, witness_server
from swarm_ray.testing.service import Call, scripted_service
from swarm_ray.values.merkle import leaf_hash
from swarm_ray.witness.folder import WitnessFolder


def shout(item):
    return item.upper()


def answer(call: Call) -> object:
    return call.inputs["item"]


def run_once(settings: Settings) -> list[object]:
    """One run of one coordinator; returns what its admin log says of anchors."""
    service = scripted_service(settings, answer)
    with using(Session(settings, service)):
        assert swarm.map(shout, ["a", "b"]).result(20).output == ["a", "b"]
    service.shut_down()
    with Reader.open_readonly(settings.folder) as reader:
        events = [event for event, _ in admin_events(reader)]
    return [event for event in events if isinstance(event, Anchored | AnchorFailed)]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Settings, NoteKey, NoteKey]]:
    """Settings with a witness that follows their index log; keys of the witness and of the log."""
    plain = Settings(home=tmp_path / "home")
    run_once(plain)
    origin = read_checkpoint(parse_note((plain.folder / CHECKPOINT_FILE).read_bytes())).origin
    log = NoteKey(origin, load_signing_key(plain.folder / "keys" / "log.pem").public)
    place = WitnessFolder(tmp_path / "witness")
    key = place.make("example.org/witness")
    place.follow(log.to_text())
    with witness_server(place.open()) as url:
        yield replace(plain, witness=url, witness_key=key.to_text()), key, log


def test_a_witness_cosigns_the_last_word_of_each_coordinator(watched):
    settings, key, log = watched
    for _ in range(2):
        kept = run_once(settings)[-1]
        note = parse_note((settings.folder / CHECKPOINT_FILE).read_bytes())
        whole = cosigned(note, kept.reference + "\n")
        assert kept.anchor == "witness example.org/witness"
        assert witnesses(whole, [key]).keys() == {"example.org/witness"}
        assert open_checkpoint(whole.to_bytes(), [log]).size == kept.size


def test_an_index_that_was_rewritten_is_a_split_view_for_the_witness(watched, caplog):
    settings, _, _ = watched
    run_once(settings)
    for path in settings.folder.glob("ledger*"):
        path.unlink()
    (settings.folder / CHECKPOINT_FILE).unlink()  # with it the coordinator itself would refuse
    told = run_once(settings)
    assert [one.code for one in told if isinstance(one, AnchorFailed)] == ["anchor.split_view"]
    assert "does not find its history" in caplog.text


def gathered(settings: Settings):
    """The copy of the last run of a tenant."""
    with Reader.open_readonly(settings.folder) as reader:
        return gather(reader, settings.folder, reader.logs("run")[-1].log_id)


def rewritten(copy):
    """A copy whose index says something else, as whoever holds all keys could sign it."""
    index = [
        data.replace(b'"every_us":300000000', b'"every_us":600000000')
        for data in copy.logs["index"]
    ]
    leaves = {**copy.leaves, "index": [leaf_hash(data) for data in index]}
    return replace(copy, logs={**copy.logs, "index": index}, leaves=leaves)


def test_a_copy_is_compared_with_what_the_witness_saw(watched):
    settings, key, _ = watched
    for _ in range(2):
        run_once(settings)
    copy = gathered(settings)
    found = check_anchors(copy, [key])
    assert 0 < found.cosigned <= len(copy.logs["index"])
    with pytest.raises(IntegrityError) as caught:
        check_anchors(rewritten(copy), [key])
    assert caught.value.code == "evidence.anchor_mismatch"


def test_an_outage_delays_nothing_and_stands_in_the_log_once(watched):
    settings, _, _ = watched
    away = replace(settings, witness="http://127.0.0.1:9")
    began_s = time.monotonic()
    told = run_once(away)
    assert time.monotonic() - began_s < 10
    assert [one.code for one in told] == ["anchor.out_of_reach"]


@pytest.mark.servers
def test_the_last_word_of_a_coordinator_is_in_the_bucket(tmp_path: Path, objects: str):
    make_bucket("heads", lock=True)
    settings = Settings(home=tmp_path, anchor="s3://heads/a", anchor_days=1)
    began_s = time.monotonic()
    told = run_once(settings)
    assert time.monotonic() - began_s < 20
    assert told
    note = (settings.folder / CHECKPOINT_FILE).read_bytes()
    size = read_checkpoint(parse_note(note)).size
    found = boto3.client("s3").list_object_versions(Bucket="heads", Prefix="a/")["Versions"]
    assert any(one["Key"].endswith(f"{size:020}") for one in found)
    copy, bucket = gathered(settings), ObjectLockAnchor(settings.anchor)
    assert check_anchors(copy, (), bucket.kept, whole=True).in_bucket > 0
    for one in found:  # a later version under the same key counts for nothing
        boto3.client("s3").put_object(Bucket="heads", Key=one["Key"], Body=b"forged")
    assert check_anchors(copy, (), bucket.kept, whole=True).in_bucket > 0
    with pytest.raises(IntegrityError) as caught:
        check_anchors(rewritten(copy), (), bucket.kept, whole=True)
    assert caught.value.code == "evidence.anchor_mismatch"
