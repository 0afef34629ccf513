"""Checkpoints under Object Lock on a real S3 server: what is kept cannot be taken back."""

import itertools
import time
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ClientError

from swarm_ray.anchors.object_lock import ObjectLockAnchor
from swarm_ray.attestation.checkpoint import Checkpoint, sign_checkpoint
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.errors import IntegrityError, StorageError, UsageError
from swarm_ray.testing.servers import make_bucket
from swarm_ray.values.merkle import leaf_hash

pytestmark = pytest.mark.servers
ORIGIN = "example.org/log"
KEY = SigningKey.from_seed(b"\1" * 32)
_BUCKETS = itertools.count(1)


def note(size: int, word: bytes = b"") -> bytes:
    root = leaf_hash(b"%d" % size + word)
    return sign_checkpoint(Checkpoint(ORIGIN, size, root), KEY).to_bytes()


def no_proof(old: int) -> list[bytes]:
    raise AssertionError("an object needs no proof")


@pytest.fixture
def bucket(objects: str) -> str:
    name = f"anchor-{next(_BUCKETS)}"
    make_bucket(name, lock=True)
    return name


@pytest.fixture
def anchor(bucket: str) -> ObjectLockAnchor:
    return ObjectLockAnchor(f"s3://{bucket}/heads", days=1)


def version_of(reference: str) -> dict[str, str]:
    place, _, version = reference.removeprefix("s3://").partition("?versionId=")
    bucket, _, key = place.partition("/")
    return {"Bucket": bucket, "Key": key, "VersionId": version}


def test_a_checkpoint_is_kept_and_nobody_can_delete_or_shorten_it(anchor: ObjectLockAnchor):
    kept = anchor.keep(note(7), no_proof)
    assert (kept.size, kept.anchor) == (7, anchor.name)
    assert abs(kept.time_us / 1e6 - time.time()) < 60
    client, version = boto3.client("s3"), version_of(kept.reference)
    for attack in (
        lambda: client.delete_object(**version),
        lambda: client.delete_object(**version, BypassGovernanceRetention=True),
        lambda: client.put_object_retention(
            **version,
            Retention={
                "Mode": "COMPLIANCE",
                "RetainUntilDate": datetime.now(UTC) + timedelta(0, 9),
            },
        ),
        lambda: client.put_object_retention(
            **version,
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(2)},
        ),
    ):
        with pytest.raises(ClientError):
            attack()
    assert client.get_object(**version)["Body"].read() == note(7)


def test_a_later_version_or_a_delete_marker_does_not_hide_the_first(anchor: ObjectLockAnchor):
    kept = anchor.keep(note(7), no_proof)
    client, version = boto3.client("s3"), version_of(kept.reference)
    place = {name: version[name] for name in ("Bucket", "Key")}
    time.sleep(1.1)  # versions are ordered by whole seconds
    client.put_object(**place, Body=note(7, b"forged"))
    client.delete_object(**place)
    assert anchor.oldest(ORIGIN, 7) == note(7)
    with pytest.raises(IntegrityError, match="no checkpoint of size 8"):
        anchor.oldest(ORIGIN, 8)


def test_a_bucket_without_lock_is_refused(objects: str):
    name = f"anchor-{next(_BUCKETS)}"
    make_bucket(name)
    with pytest.raises(UsageError) as refused:
        ObjectLockAnchor(f"s3://{name}/heads").keep(note(1), no_proof)
    assert refused.value.code == "anchor.not_locked"


@pytest.mark.parametrize("off_s", [-90, 90])
def test_a_clock_that_is_off_is_refused(bucket: str, off_s: int):
    wrong = ObjectLockAnchor(f"s3://{bucket}", now_s=lambda: time.time() + off_s)
    with pytest.raises(UsageError) as refused:
        wrong.keep(note(1), no_proof)
    assert refused.value.code == "anchor.wrong_clock"
    assert not boto3.client("s3").list_object_versions(Bucket=bucket).get("Versions")


def test_a_bucket_that_is_not_there_is_out_of_reach(objects: str):
    with pytest.raises(StorageError) as refused:
        ObjectLockAnchor("s3://nowhere-at-all").keep(note(1), no_proof)
    assert refused.value.code == "anchor.out_of_reach"


@pytest.mark.parametrize("url", ["", "bucket/prefix", "https://bucket", "s3://"])
def test_what_names_no_bucket_is_refused(url: str):
    with pytest.raises(UsageError) as refused:
        ObjectLockAnchor(url)
    assert refused.value.code == "anchor.bad_url"
