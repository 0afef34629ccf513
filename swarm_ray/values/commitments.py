"""Salted commitments that name bodies without revealing them.

Decides the bytes under a commitment: SHA-256(length byte || tag || 32-byte salt || body). Once
salt and body are deleted, the commitment says nothing about either. It never draws a salt:
randomness comes from outside.
"""

import hashlib
import hmac
from typing import Final

from swarm_ray.errors import UsageError
from swarm_ray.values.digests import Digest, tag_frame

SALT_BYTES: Final = 32


def commit(tag: str, salt: bytes, body: bytes) -> Digest:
    """Return the commitment to a body under a tag.

    Args:
        tag: the use of the body, for example `swarm.item`.
        salt: 32 random bytes, kept and deleted with the body.
        body: the exact stored bytes.

    Raises:
        UsageError: `commitment.bad_salt` or `digest.bad_tag`.
    """
    check_salt(salt)
    digest = hashlib.sha256(tag_frame(tag) + salt)
    digest.update(body)
    return Digest(digest.hexdigest())


def check_salt(salt: bytes) -> None:
    """Refuse a salt of the wrong length.

    Raises:
        UsageError: `commitment.bad_salt`.
    """
    if len(salt) != SALT_BYTES:
        raise UsageError(
            "commitment.bad_salt",
            f"the salt has {len(salt)} bytes",
            hint=f"draw {SALT_BYTES} random bytes",
        )


def opens(commitment: str, tag: str, salt: bytes, body: bytes) -> bool:
    """Tell whether salt and body are what the commitment names."""
    return hmac.compare_digest(commit(tag, salt, body), commitment)
