"""Ed25519 keys: making, loading and naming them, and refusing the weak ones.

Decides which public keys are acceptable and how a key is named (SHA-256 of its 32 raw bytes). A
private key never shows in text, never pickles and leaves this module only as PEM on request. It
never decides whom to trust: callers pass the keys they accept.
"""

from pathlib import Path
from typing import Final, Never

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from typing_extensions import override

from swarm_ray.errors import UsageError
from swarm_ray.values.digests import Digest, sha256

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_PRIME: Final = 2**255 - 19
_CURVE_D: Final = -121665 * pow(121666, -1, _PRIME) % _PRIME
_SIGN_BIT: Final = 1 << 255

# The y coordinates of the points of order 1, 2, 4 and 8, with the two that also fit unreduced.
# Each stands for two encodings (sign bit clear and set): 14 in all.
_LOW_ORDER_Y: Final = frozenset(
    {
        0,
        1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        55188659117513257062467267217118295137698188065244968500265048394206261417927,
        _PRIME - 1,
        _PRIME,
        _PRIME + 1,
    }
)


class PublicKey:
    """A checked Ed25519 public key. Equal when the raw bytes are equal."""

    __slots__ = ("_key", "keyid", "raw")

    def __init__(self, raw: bytes) -> None:
        """Check and load 32 raw bytes.

        Raises:
            UsageError: `key.malformed` (length, not reduced, not on the curve), `key.low_order`.
        """
        _check_point(raw)
        self.raw: Final = raw
        self.keyid: Final = sha256(raw)
        self._key = Ed25519PublicKey.from_public_bytes(raw)

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Tell whether the signature over the data was made with the matching private key."""
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            return False
        return True

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and other.raw == self.raw

    @override
    def __hash__(self) -> int:
        return hash(self.raw)

    @override
    def __repr__(self) -> str:
        return f"PublicKey({self.keyid[:16]})"

    @override
    def __reduce__(self) -> tuple[type["PublicKey"], tuple[bytes]]:
        return (PublicKey, (self.raw,))


class SigningKey:
    """An Ed25519 private key that shows only its keyid."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public: Final = PublicKey(raw)

    @classmethod
    def generate(cls) -> "SigningKey":
        """Make a new key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> "SigningKey":
        """Make the key of a 32-byte secret seed.

        Raises:
            UsageError: `key.malformed`.
        """
        if len(seed) != KEY_BYTES:
            raise UsageError(
                "key.malformed", f"the seed has {len(seed)} bytes", hint="pass 32 secret bytes"
            )
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, pem: bytes, passphrase: bytes | None = None) -> "SigningKey":
        """Load what `to_pem` wrote.

        Raises:
            UsageError: `key.malformed` (not PEM, wrong passphrase), `key.wrong_kind`.
        """
        try:
            key = load_pem_private_key(pem, passphrase)
        except (ValueError, TypeError) as error:
            raise UsageError(
                "key.malformed",
                "the private key cannot be read",
                hint="check the file and its passphrase",
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise UsageError(
                "key.wrong_kind", "the private key is not Ed25519", hint="make a new key"
            )
        return cls(key)

    def to_pem(self, passphrase: bytes | None = None) -> bytes:
        """Return the key as PKCS#8 PEM, encrypted when a passphrase is given."""
        lock = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)

    @property
    def keyid(self) -> Digest:
        """The name of the key: SHA-256 of the raw public key."""
        return self.public.keyid

    def sign(self, data: bytes) -> bytes:
        """Return the 64-byte signature over the data."""
        return self._key.sign(data)

    @override
    def __repr__(self) -> str:
        return f"SigningKey({self.keyid[:16]})"

    @override
    def __reduce__(self) -> Never:
        raise UsageError(
            "key.not_portable",
            "a private key does not pickle",
            hint="each process loads its own key from a file",
        )


def load_signing_key(path: Path, passphrase: bytes | None = None) -> SigningKey:
    """Load a private key file that only its owner can read.

    Raises:
        UsageError: `key.exposed` when others may read the file, `key.not_found`, and the errors
            of `SigningKey.from_pem`.
    """
    try:
        mode = path.stat().st_mode
        pem = path.read_bytes()
    except OSError as error:
        raise UsageError(
            "key.not_found",
            f"the key file {path} cannot be read: {error.strerror}",
            hint="make one with `swarm-ray keys`",
            file=str(path),
        ) from error
    if mode & 0o077:
        raise UsageError(
            "key.exposed",
            f"the key file {path} is open to other accounts",
            hint=f"run chmod 600 {path}",
            file=str(path),
        )
    return SigningKey.from_pem(pem, passphrase)


def _check_point(raw: bytes) -> None:
    """Refuse what is not the reduced encoding of a point of large order.

    Source: RFC 8032 section 5.1.3 (decoding); the low-order list is derived in the tests.
    """
    if len(raw) != KEY_BYTES:
        raise UsageError(
            "key.malformed", f"the public key has {len(raw)} bytes", hint="pass 32 raw bytes"
        )
    y = int.from_bytes(raw, "little") & (_SIGN_BIT - 1)
    if y in _LOW_ORDER_Y:
        raise UsageError(
            "key.low_order",
            "the public key is a low-order point, under which anybody can sign",
            hint="ask its owner for a properly generated key",
        )
    if y >= _PRIME or not _on_curve(y):
        raise UsageError(
            "key.malformed",
            "the public key is not the encoding of a curve point",
            hint="ask its owner for the raw Ed25519 public key",
        )


def _on_curve(y: int) -> bool:
    """Tell whether some x fits: (y^2 - 1) / (d y^2 + 1) must be a square modulo the prime."""
    square = y * y % _PRIME
    product = (square - 1) * (_CURVE_D * square + 1) % _PRIME
    return pow(product, (_PRIME - 1) // 2, _PRIME) == 1
