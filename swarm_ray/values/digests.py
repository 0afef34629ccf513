"""SHA-256 digests as lowercase hex text.

Decides how plain and tagged digests are formed and what text is a digest. It never salts: a value
that must stay secret or deletable is named by a commitment instead (see `commitments`).

First bytes keep the uses of SHA-256 apart: 0x00 and 0x01 are tree hashes, 0x02 to 0x40 a
commitment (length of its tag), 0x82 to 0xc0 a tagged digest (0x80 + length of its tag).
"""

import hashlib
import re
from functools import lru_cache
from typing import Final, NewType

from swarm_ray.errors import UsageError

Digest = NewType("Digest", str)
"""64 lowercase hexadecimal digits of a SHA-256."""

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_TAG: Final = re.compile(r"[a-z][a-z0-9./_-]{1,63}")


def sha256(data: bytes) -> Digest:
    """Return the plain SHA-256 of the bytes."""
    return Digest(hashlib.sha256(data).hexdigest())


def tagged(tag: str, data: bytes) -> Digest:
    """Return SHA-256(byte(0x80 + length of tag) || tag || data), a digest bound to one use.

    Raises:
        UsageError: `digest.bad_tag`.
    """
    head = tag_frame(tag)
    return Digest(hashlib.sha256(bytes((0x80 | head[0],)) + head[1:] + data).hexdigest())


@lru_cache(maxsize=256)
def tag_frame(tag: str) -> bytes:
    """Return the tag as bytes behind one length byte.

    Raises:
        UsageError: `digest.bad_tag` unless the tag is 2 to 64 of `[a-z0-9./_-]`, letter first.
    """
    if not _TAG.fullmatch(tag):
        raise UsageError(
            "digest.bad_tag",
            f"{tag!r} is not a tag",
            hint="use 2 to 64 characters of a-z 0-9 . / _ - and start with a letter",
        )
    return bytes((len(tag),)) + tag.encode("ascii")


def is_digest(text: object) -> bool:
    """Tell whether the value is the text of a digest."""
    return type(text) is str and _DIGEST.fullmatch(text) is not None


def parse_digest(text: object) -> Digest:
    """Return the text as a digest.

    Raises:
        UsageError: `digest.malformed` unless it is 64 lowercase hexadecimal digits.
    """
    if type(text) is not str or not _DIGEST.fullmatch(text):
        raise UsageError(
            "digest.malformed",
            f"{text!r} is not a SHA-256 digest",
            hint="write 64 lowercase hexadecimal digits",
        )
    return Digest(text)
