"""Digests, commitments and ids: how things are named."""

import hashlib
import uuid

import pytest

from swarm_ray.errors import UsageError
from swarm_ray.values import commitments, digests, ids

SALT = bytes(range(32))


def test_a_commitment_is_the_hash_of_tag_salt_and_body():
    expected = hashlib.sha256(b"\x0aswarm.item" + SALT + b"body").hexdigest()
    assert commitments.commit("swarm.item", SALT, b"body") == expected
    assert commitments.opens(expected, "swarm.item", SALT, b"body")


@pytest.mark.parametrize(
    ("tag", "salt", "body"),
    [
        ("swarm.output", SALT, b"body"),
        ("swarm.item", bytes(32), b"body"),
        ("swarm.item", SALT, b"bodY"),
    ],
)
def test_another_tag_salt_or_body_does_not_open_it(tag, salt, body):
    commitment = commitments.commit("swarm.item", SALT, b"body")
    assert not commitments.opens(commitment, tag, salt, body)


def test_a_tagged_digest_never_equals_a_commitment_or_a_tree_hash():
    data = SALT + b"body"
    assert digests.tagged("swarm.item", data) == (
        hashlib.sha256(b"\x8aswarm.item" + data).hexdigest()
    )
    assert digests.tagged("swarm.item", data) != commitments.commit("swarm.item", SALT, b"body")


@pytest.mark.parametrize("tag", ["", "a", "A.b", "1a", "a b", "x" * 65, "ab\n"])
def test_a_tag_has_a_closed_alphabet(tag):
    with pytest.raises(UsageError) as caught:
        digests.tagged(tag, b"")
    assert caught.value.code == "digest.bad_tag"


def test_a_short_salt_is_refused():
    with pytest.raises(UsageError) as caught:
        commitments.commit("swarm.item", b"short", b"")
    assert caught.value.code == "commitment.bad_salt"


def test_a_digest_is_lowercase_hexadecimal():
    digest = digests.sha256(b"")
    assert digest == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digests.parse_digest(digest) == digest
    for wrong in (digest.upper(), digest[:-1], digest + "0", digest + "\n", 5, None):
        assert not digests.is_digest(wrong)
        with pytest.raises(UsageError):
            digests.parse_digest(wrong)


def test_an_id_is_a_uuid_of_version_7_that_carries_its_time():
    made = ids.uuid7(1_700_000_000_123, b"\xff" * 10)
    parsed = uuid.UUID(made)
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert ids.id_time_ms(made) == 1_700_000_000_123
    assert ids.parse_id(made) == made


def test_the_example_of_rfc_9562_comes_out():
    # Appendix A.6: time 0x017F22E279B0, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
    random = bytes.fromhex("0cc318c4dc0c0c07398f")
    assert ids.uuid7(0x017F22E279B0, random) == "017f22e279b07cc398c4dc0c0c07398f"


def test_ids_sort_by_time_and_ids_of_one_millisecond_look_different():
    early, late = ids.uuid7(1, b"\xff" * 10), ids.uuid7(2, b"\x00" * 10)
    assert early < late
    one, two = ids.uuid7(1, bytes(9) + b"\x01"), ids.uuid7(1, bytes(9) + b"\x02")
    assert ids.short("swarm", one) == "swarm-00000001"
    assert ids.short("swarm", one) != ids.short("swarm", two)


@pytest.mark.parametrize(("time_ms", "random"), [(-1, bytes(10)), (1 << 48, bytes(10)), (1, b"")])
def test_an_id_needs_a_time_and_randomness(time_ms, random):
    with pytest.raises(UsageError):
        ids.uuid7(time_ms, random)


@pytest.mark.parametrize(
    "text", ["", "x" * 32, "0" * 32, "a626db7b-d800-44b2-9ccc-f9d50a867f93", 7]
)
def test_other_text_is_no_id(text):
    with pytest.raises(UsageError) as caught:
        ids.parse_id(text)
    assert caught.value.code == "id.malformed"
