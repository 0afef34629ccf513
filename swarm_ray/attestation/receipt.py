"""Receipts: one text that proves to anybody, offline, that an entry is in a log.

Decides the form: the entry's place, its path, and the checkpoint with all of its signatures.

Source: C2SP tlog-proof v1.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from swarm_ray.attestation.checkpoint import Checkpoint, open_checkpoint
from swarm_ray.attestation.note import NoteKey
from swarm_ray.errors import IntegrityError
from swarm_ray.values.merkle import HASH_BYTES, leaf_hash, verify_inclusion

HEAD: Final = "c2sp.org/tlog-proof@v1"
_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,18})")
_MAX_PATH: Final = 63


@dataclass(frozen=True, slots=True)
class Receipt:
    """Entry number `index` is in the log: `path` are hashes of 32 bytes, `checkpoint` the signed
    note as it is, `extra` unsigned bytes for whoever made the receipt, None for none."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def to_bytes(self) -> bytes:
        """Return the text of the receipt."""
        lines = [HEAD]
        if self.extra is not None:
            lines.append(f"extra {_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines += map(_base64, self.path)
        return "\n".join([*lines, "", ""]).encode() + self.checkpoint

    def verify(self, entry: bytes, keys: Iterable[NoteKey]) -> Checkpoint:
        """Check that these very bytes are in the log that one of the keys speaks for.

        Raises:
            IntegrityError: `note.*`, `checkpoint.malformed`, `merkle.*`.
        """
        found = open_checkpoint(self.checkpoint, keys)
        verify_inclusion(leaf_hash(entry), self.index, found.size, self.path, found.root)
        return found


def parse_receipt(data: bytes) -> Receipt:
    """Read a receipt; nothing in it is trusted yet.

    Raises:
        IntegrityError: `receipt.malformed`.
    """
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise _malformed("its lines are not ASCII") from error
    if not blank or lines[0] != HEAD:
        raise _malformed("it does not begin as one of version 1")
    rest = lines[1:]
    extra = None
    if rest and rest[0].startswith("extra "):
        extra = _bytes(rest.pop(0).removeprefix("extra "))
    place = _INDEX.fullmatch(rest[0]) if rest else None
    if place is None:
        raise _malformed("it does not say which entry it is about")
    path = tuple(_bytes(line) for line in rest[1:])
    if len(path) > _MAX_PATH or any(len(node) != HASH_BYTES for node in path):
        raise _malformed("its path is not made of hashes")
    return Receipt(int(place[1]), path, checkpoint, extra)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("a line is not base64") from error
    if _base64(data) != text:
        raise _malformed("a line is not written as base64 should be")
    return data


def _malformed(why: str) -> IntegrityError:
    return IntegrityError("receipt.malformed", f"this is not a receipt: {why}")
