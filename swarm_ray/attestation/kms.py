"""A root key that never leaves a key service: AWS KMS through boto3.

Decides which call makes an Ed25519 signature there (key spec `ECC_NIST_EDWARDS25519`, algorithm
`ED25519_SHA_512`, the message itself and not a digest). Written from the published interface and
tested against stand-in answers; it was not run against AWS.
"""

from typing import Any, Final

from swarm_ray.attestation.keys import SIGNATURE_BYTES, PublicKey
from swarm_ray.errors import SwarmError, UsageError

SPEC: Final = "ECC_NIST_EDWARDS25519"
ALGORITHM: Final = "ED25519_SHA_512"
MAX_MESSAGE_BYTES: Final = 4_096
"""Most that the service signs as it is; a certificate has about 700 bytes."""
_SPKI_HEAD: Final = bytes.fromhex("302a300506032b6570032100")
"""What precedes the 32 bytes of an Ed25519 key in its DER form (RFC 8410 section 4)."""


class KmsRoot:
    """Signs with a key of the service; a `note.Signer`.

    Args:
        key: id, ARN or alias of the key.
        client: a boto3 KMS client; None makes one from the surroundings (region, credentials).

    Raises:
        UsageError: `key.no_boto3`, `key.wrong_kind`, `key.malformed`, `key.low_order`.
        SwarmError: `key.service` when the service does not answer.
    """

    def __init__(self, key: str, client: Any = None) -> None:
        self.key = key
        self._client = client if client is not None else _client()
        answer = self._call("get_public_key", KeyId=key)
        der = answer["PublicKey"]
        if answer.get("KeySpec") != SPEC or not der.startswith(_SPKI_HEAD):
            raise UsageError(
                "key.wrong_kind", f"the key {key} is no {SPEC} key", hint="make one of that spec"
            )
        self._public = PublicKey(der[len(_SPKI_HEAD) :])

    @property
    def public(self) -> PublicKey:
        """The root's public key."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """Return the 64-byte signature over the data, checked.

        Raises:
            SwarmError: `key.service`.
        """
        answer = self._call(
            "sign",
            KeyId=self.key,
            Message=data,
            MessageType="RAW",
            SigningAlgorithm=ALGORITHM,
        )
        signature = bytes(answer["Signature"])
        if len(signature) != SIGNATURE_BYTES or not self._public.verifies(signature, data):
            raise SwarmError("key.service", "the key service answered with a false signature")
        return signature

    def _call(self, name: str, **arguments: Any) -> Any:
        try:
            return getattr(self._client, name)(**arguments)
        except Exception as error:
            # boto3 makes its error classes at run time; all of them mean that it did not sign.
            raise SwarmError(
                "key.service",
                f"the key service did not answer `{name}`: {type(error).__name__}: {error}",
                hint="check the key id, the credentials and kms:Sign, kms:GetPublicKey",
            ) from error


def _client() -> Any:
    try:
        import boto3
    except ImportError as error:
        raise UsageError(
            "key.no_boto3", "the package boto3 is missing", hint="pip install 'swarm-ray[cloud]'"
        ) from error
    return boto3.client("kms")
