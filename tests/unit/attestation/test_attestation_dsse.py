"""DSSE envelopes: the signed bytes, strict reading, and agreement with securesystemslib."""

import base64
import json

import pytest
from securesystemslib.dsse import Envelope as ForeignEnvelope
from securesystemslib.signer import CryptoSigner, SSlibKey

from swarm_ray.attestation import dsse
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.errors import IntegrityError

KEY = SigningKey.from_seed(b"\x01" * 32)
OTHER = SigningKey.from_seed(b"\x02" * 32)
KEYS = {KEY.keyid: KEY.public, OTHER.keyid: OTHER.public}
PAYLOAD = b'{"text":"\xc3\xbc?>~"}'


def envelope(**changes):
    document = json.loads(dsse.sign([KEY], dsse.IN_TOTO_TYPE, PAYLOAD).to_bytes())
    return json.dumps({**document, **changes}).encode()


def code_of(data, **options):
    with pytest.raises(IntegrityError) as caught:
        dsse.verify(dsse.parse(data, **options), KEYS)
    return caught.value.code


def test_the_protocol_example_of_the_pre_authentication_encoding():
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_are_counted_in_bytes():
    assert dsse.pae("ü", "ü".encode()) == b"DSSEv1 2 \xc3\xbc 2 \xc3\xbc"


def test_what_was_signed_verifies_and_gives_the_same_payload():
    parsed = dsse.parse(envelope())
    assert dsse.verify(parsed, KEYS) == (KEY.keyid,)
    assert parsed.payload == PAYLOAD


def test_url_safe_base64_is_accepted():
    url_safe = base64.urlsafe_b64encode(PAYLOAD).decode()
    assert set(url_safe) & set("-_")
    assert dsse.parse(envelope(payload=url_safe)).payload == PAYLOAD


def test_unknown_fields_are_ignored_but_never_in_canonical_reading():
    data = envelope(note="added later")
    assert dsse.verify(dsse.parse(data), KEYS) == (KEY.keyid,)
    assert code_of(data, canonical=True) == "attestation.not_canonical"


def test_two_of_two_must_sign_when_two_are_required():
    both = dsse.sign([KEY, OTHER], dsse.IN_TOTO_TYPE, PAYLOAD)
    assert set(dsse.verify(both, KEYS, threshold=2)) == set(KEYS)
    with pytest.raises(IntegrityError) as caught:
        dsse.verify(dsse.sign([KEY], dsse.IN_TOTO_TYPE, PAYLOAD), KEYS, threshold=2)
    assert caught.value.code == "attestation.unknown_key"


def test_a_stranger_beside_an_accepted_key_neither_helps_nor_harms():
    stranger = SigningKey.from_seed(b"\x03" * 32)
    signed = dsse.sign([stranger, KEY], dsse.IN_TOTO_TYPE, PAYLOAD)
    assert dsse.verify(signed, KEYS) == (KEY.keyid,)


def test_a_signature_under_another_keys_name_is_refused():
    document = json.loads(envelope())
    document["signatures"][0]["keyid"] = OTHER.keyid
    assert code_of(json.dumps(document).encode()) == "attestation.bad_signature"


def test_a_changed_payload_or_type_is_refused():
    other = base64.b64encode(b"{}").decode()
    assert code_of(envelope(payload=other)) == "attestation.bad_signature"
    assert code_of(envelope(payloadType="text/plain")) == "attestation.bad_signature"


def test_a_key_registered_under_a_wrong_name_verifies_nothing():
    parsed = dsse.parse(envelope())
    with pytest.raises(IntegrityError) as caught:
        dsse.verify(parsed, {KEY.keyid: OTHER.public})
    assert caught.value.code == "attestation.bad_signature"


SIGNATURE = json.loads(envelope())["signatures"][0]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"x",
        envelope(payload=5),
        envelope(payload="e30"),
        envelope(payload="e3 0="),
        envelope(payload="e31="),
        envelope(payload="+_=="),
        envelope(payloadType=None),
        envelope(signatures=[]),
        envelope(signatures={}),
        envelope(signatures=[SIGNATURE, SIGNATURE]),
        envelope(signatures=[{"sig": SIGNATURE["sig"]}]),
        envelope(signatures=[{**SIGNATURE, "keyid": SIGNATURE["keyid"].upper()}]),
        envelope(signatures=[{**SIGNATURE, "sig": "AAAA"}]),
        envelope(signatures=[SIGNATURE] * 101),
        envelope()[:-1] + b',"payload":"e30="}',
    ],
)
def test_a_malformed_envelope_is_refused(data):
    assert code_of(data) == "attestation.malformed"


def test_securesystemslib_reads_what_we_sign():
    foreign = ForeignEnvelope.from_dict(json.loads(envelope()))
    key = SSlibKey(KEY.keyid, "ed25519", "ed25519", {"public": KEY.public.raw.hex()})
    assert KEY.keyid in foreign.verify([key], 1)
    assert foreign.pae() == dsse.pae(dsse.IN_TOTO_TYPE, PAYLOAD)


def test_we_read_what_securesystemslib_signs():
    signer = CryptoSigner.generate_ed25519()
    foreign = ForeignEnvelope(PAYLOAD, dsse.IN_TOTO_TYPE, {})
    foreign.sign(signer)
    raw = bytes.fromhex(signer.public_key.keyval["public"])
    public = dsse.PublicKey(raw)
    document = foreign.to_dict()
    # Their keyid is of their own making; ours names the raw key.
    document["signatures"][0]["keyid"] = public.keyid
    parsed = dsse.parse(json.dumps(document).encode())
    assert dsse.verify(parsed, {public.keyid: public}) == (public.keyid,)
