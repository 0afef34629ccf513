"""DSSE v1 envelopes: the signed bytes, their JSON form, and reading both strictly.

Decides what is signed (the pre-authentication encoding) and which envelopes are well formed. It
never interprets a payload and takes no key from a message.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from swarm_ray.attestation.keys import SIGNATURE_BYTES, PublicKey, SigningKey
from swarm_ray.errors import IntegrityError
from swarm_ray.values.codec import encode_standard, refuse_duplicate_keys
from swarm_ray.values.digests import Digest, is_digest

IN_TOTO_TYPE: Final = "application/vnd.in-toto+json"
MAX_SIGNATURES: Final = 100

_STANDARD_TEXT: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_URLSAFE_TEXT: Final = re.compile(r"[A-Za-z0-9_-]*={0,2}")


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature and the name of the key that it claims."""

    keyid: Digest
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload, its type and its signatures, exactly as they were transported."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    def to_bytes(self) -> bytes:
        """Return the one canonical JSON form: sorted keys, standard base64."""
        return encode_standard(
            {
                "payload": base64.b64encode(self.payload).decode("ascii"),
                "payloadType": self.payload_type,
                "signatures": [
                    {"keyid": one.keyid, "sig": base64.b64encode(one.sig).decode("ascii")}
                    for one in self.signatures
                ],
            }
        )


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the pre-authentication encoding, the bytes that are signed.

    Source: DSSE v1 protocol, `DSSEv1 SP LEN(type) SP type SP LEN(body) SP body`.
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(keys: Sequence[SigningKey], payload_type: str, payload: bytes) -> Envelope:
    """Return an envelope over the payload with one signature per key."""
    data = pae(payload_type, payload)
    return Envelope(
        payload_type, payload, tuple(Signature(key.keyid, key.sign(data)) for key in keys)
    )


def parse(data: bytes, *, canonical: bool = False) -> Envelope:
    """Read an envelope; nothing in it is trusted yet.

    Args:
        data: JSON bytes; standard and URL-safe base64 are accepted, unknown fields are ignored.
        canonical: accept only the bytes that `Envelope.to_bytes` writes, so that no byte of a
            stored envelope can change unseen.

    Raises:
        IntegrityError: `attestation.malformed`, `attestation.truncated`,
            `attestation.not_canonical`.
    """
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if data and error.pos >= len(data):
            raise IntegrityError(
                "attestation.truncated",
                f"the envelope ends after {len(data)} bytes, within its JSON",
            ) from error
        raise _malformed(f"it is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise _malformed("it is not a JSON object")
    payload_type, signatures = document.get("payloadType"), document.get("signatures")
    if not isinstance(payload_type, str):
        raise _malformed("`payloadType` is not text")
    if not isinstance(signatures, list) or not 0 < len(signatures) <= MAX_SIGNATURES:
        raise _malformed(f"`signatures` is not a list of 1 to {MAX_SIGNATURES}")
    envelope = Envelope(
        payload_type,
        _from_base64(document.get("payload"), "payload"),
        tuple(_signature(one) for one in signatures),
    )
    if len({one.keyid for one in envelope.signatures}) != len(signatures):
        raise _malformed("a key signs twice")
    if envelope.to_bytes() != data:
        if canonical:
            raise IntegrityError(
                "attestation.not_canonical",
                "the envelope says what was signed, but was written anew: its bytes are not canonical",
                hint="pass envelopes on as they came",
            )
        _unique_keys(data)
    return envelope


def verify(
    envelope: Envelope, keys: Mapping[str, PublicKey], *, threshold: int = 1
) -> tuple[Digest, ...]:
    """Check the signatures by accepted keys; return the keyids that signed.

    Signatures by other keys are passed over: they neither help nor harm.

    Args:
        envelope: the parsed envelope; use its payload afterwards, never a second parse.
        keys: the accepted keys by keyid.
        threshold: how many accepted keys must have signed, at least 1.

    Raises:
        IntegrityError: `attestation.bad_signature`, `attestation.unknown_key` when fewer than
            `threshold` accepted keys signed.
    """
    data = pae(envelope.payload_type, envelope.payload)
    signers: list[Digest] = []
    for one in envelope.signatures:
        key = keys.get(one.keyid)
        if key is None:
            continue
        if key.keyid != one.keyid or not key.verifies(one.sig, data):
            raise IntegrityError(
                "attestation.bad_signature",
                f"the signature under key {one.keyid[:16]} does not fit the payload",
                keyid=one.keyid,
            )
        signers.append(one.keyid)
    if len(set(signers)) < max(1, threshold):
        raise IntegrityError(
            "attestation.unknown_key",
            f"{len(signers)} of {max(1, threshold)} required accepted keys signed",
            hint="register the signer's key if you trust it",
            keyids=[one.keyid for one in envelope.signatures],
        )
    return tuple(signers)


def _signature(value: Any) -> Signature:
    if not isinstance(value, dict) or not is_digest(value.get("keyid")):
        raise _malformed("a signature lacks the keyid")
    sig = _from_base64(value.get("sig"), "sig")
    if len(sig) != SIGNATURE_BYTES:
        raise _malformed(f"a signature has {len(sig)} bytes")
    return Signature(Digest(value["keyid"]), sig)


def _from_base64(text: Any, name: str) -> bytes:
    if not isinstance(text, str):
        raise _malformed(f"`{name}` is not text")
    if not _STANDARD_TEXT.fullmatch(text):
        if not _URLSAFE_TEXT.fullmatch(text):
            raise _malformed(f"`{name}` is not base64")
        text = text.replace("-", "+").replace("_", "/")
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise _malformed(f"`{name}` is not base64") from error
    # Spare bits of the last digit would give one payload several spellings.
    if base64.b64encode(data).decode("ascii") != text:
        raise _malformed(f"`{name}` is not canonical base64")
    return data


def _unique_keys(data: bytes) -> None:
    try:
        refuse_duplicate_keys(data)
    except IntegrityError as error:
        raise _malformed(error.message) from error


def _malformed(why: str) -> IntegrityError:
    return IntegrityError("attestation.malformed", f"the envelope cannot be read: {why}")
