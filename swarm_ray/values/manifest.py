"""The manifest of an input set: all items of a swarm in one blob under one root.

Decides the layout of the blob, the commitment of each item and the limits of an input set. It
never parses an item and never draws the salt.

Layout: 8 bytes magic; the 32-byte manifest salt; the item bodies one after the other; per item its
commitment (32 bytes); per item the end of its body as an offset from the start of the bodies
(8 bytes, big-endian); the footer: number of items and length of the bodies (8 bytes each), root
(32 bytes), 8 bytes magic.
"""

import hashlib
import mmap
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values.commitments import SALT_BYTES, check_salt, commit
from swarm_ray.values.digests import Digest
from swarm_ray.values.merkle import HASH_BYTES, Frontier, leaf_hash
from swarm_ray.values.tree import Tree

ITEM_TAG: Final = "swarm.item"
MAX_ITEMS: Final = 1_000_000
MAX_ITEM_BYTES: Final = 16 * 1024 * 1024

_MAGIC: Final = b"SWRMMF01"
_HEAD_BYTES: Final = len(_MAGIC) + SALT_BYTES
_FOOTER_BYTES: Final = 8 + 8 + HASH_BYTES + len(_MAGIC)
_CHUNK_ITEMS: Final = 4096


@dataclass(frozen=True, slots=True)
class ManifestSummary:
    """What an entry says about a manifest: number of items, root, size of the blob."""

    count: int
    root: Digest
    size_bytes: int


def item_salt(manifest_salt: bytes, ordinal: int) -> bytes:
    """Return SHA-256(manifest salt || ordinal as 8 bytes, big-endian), the salt of one item."""
    return hashlib.sha256(manifest_salt + ordinal.to_bytes(8, "big")).digest()


def write_manifest(
    items: Iterable[bytes],
    salt: bytes,
    out: BinaryIO,
    *,
    max_items: int = MAX_ITEMS,
    max_item_bytes: int = MAX_ITEM_BYTES,
) -> ManifestSummary:
    """Write the manifest of the items, in order, keeping 40 bytes per item in memory.

    Args:
        items: the exact bytes of each item; consumed once.
        salt: 32 random bytes of this manifest.
        out: a binary stream positioned at its start; the caller makes it durable.
        max_items: most items of an input set.
        max_item_bytes: largest item.

    Raises:
        UsageError: `manifest.too_many_items`, `manifest.item_too_large` (with `ordinal`),
            `commitment.bad_salt`.
    """
    check_salt(salt)
    out.write(_MAGIC + salt)
    frontier, commitments, ends, end = Frontier(), bytearray(), array("Q"), 0
    for ordinal, item in enumerate(items):
        if ordinal >= max_items:
            raise UsageError(
                "manifest.too_many_items",
                f"the input set has more than {max_items} items",
                hint="split the input set over several swarms",
                ordinal=ordinal,
            )
        if len(item) > max_item_bytes:
            raise UsageError(
                "manifest.item_too_large",
                f"item {ordinal} has {len(item)} bytes, the limit is {max_item_bytes}",
                hint="pass a reference to the data, or split the item",
                ordinal=ordinal,
                size_bytes=len(item),
            )
        raw = bytes.fromhex(commit(ITEM_TAG, item_salt(salt, ordinal), item))
        frontier.append(leaf_hash(raw))
        commitments += raw
        end += len(item)
        ends.append(end)
        out.write(item)
    root = frontier.root()
    out.write(commitments)
    for at in range(0, len(ends), _CHUNK_ITEMS):
        out.write(b"".join(n.to_bytes(8, "big") for n in ends[at : at + _CHUNK_ITEMS]))
    count = len(ends)
    out.write(count.to_bytes(8, "big") + end.to_bytes(8, "big") + root + _MAGIC)
    size = _HEAD_BYTES + end + count * (HASH_BYTES + 8) + _FOOTER_BYTES
    return ManifestSummary(count, Digest(root.hex()), size)


class Manifest:
    """Random access to the items of a manifest in bytes or in a mapped file.

    Opening checks the index against the root; reading an item checks it against its commitment.
    """

    def __init__(self, data: "bytes | mmap.mmap", root: str) -> None:
        """Open a manifest.

        Args:
            data: the whole blob.
            root: the root that an entry names; the blob must have it.

        Raises:
            IntegrityError: `manifest.malformed`, `manifest.root_mismatch`.
        """
        self._data = data
        size = len(data)
        framed = size >= _HEAD_BYTES + _FOOTER_BYTES
        if not framed or data[:8] != _MAGIC or data[size - 8 : size] != _MAGIC:
            raise IntegrityError("manifest.malformed", "the blob is not a manifest")
        footer = size - _FOOTER_BYTES
        self.count = int.from_bytes(data[footer : footer + 8], "big")
        bodies_bytes = int.from_bytes(data[footer + 8 : footer + 16], "big")
        self.root = Digest(bytes(data[footer + 16 : footer + 16 + HASH_BYTES]).hex())
        self._commitments = _HEAD_BYTES + bodies_bytes
        self._ends = self._commitments + self.count * HASH_BYTES
        if self._ends + self.count * 8 != footer:
            raise IntegrityError("manifest.malformed", "the index does not fill the manifest")
        self._salt = bytes(data[8:_HEAD_BYTES])
        if self.root != root or self._root_of_index() != root:
            raise IntegrityError(
                "manifest.root_mismatch", f"the manifest does not have the root {root}"
            )

    @classmethod
    def open(cls, path: Path, root: str) -> Self:
        """Map a manifest file. Errors as for the constructor, and `OSError` from the system."""
        with path.open("rb") as file:
            if path.stat().st_size < _HEAD_BYTES + _FOOTER_BYTES:
                raise IntegrityError("manifest.malformed", f"{path.name} is not a manifest")
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            return cls(data, root)
        except IntegrityError:
            data.close()
            raise

    def close(self) -> None:
        """Release the mapped file; items cannot be read afterwards."""
        if isinstance(self._data, mmap.mmap):
            self._data.close()

    def item(self, ordinal: int) -> bytes:
        """Return the exact bytes of an item.

        Raises:
            UsageError: `manifest.out_of_range`.
            IntegrityError: `manifest.item_mismatch` with the `ordinal`.
        """
        expected = self.item_commitment(ordinal)
        start = self._end(ordinal - 1) if ordinal else 0
        stop = self._end(ordinal)
        if not start <= stop <= self._commitments - _HEAD_BYTES:
            raise _item_mismatch(ordinal)
        body = bytes(self._data[_HEAD_BYTES + start : _HEAD_BYTES + stop])
        if commit(ITEM_TAG, self.item_salt(ordinal), body) != expected:
            raise _item_mismatch(ordinal)
        return body

    def item_commitment(self, ordinal: int) -> Digest:
        """Return the commitment that names an item. Raises `manifest.out_of_range`."""
        return Digest(self._raw_commitment(ordinal).hex())

    def item_salt(self, ordinal: int) -> bytes:
        """Return the salt that, with the body, opens the commitment of this item alone."""
        return item_salt(self._salt, ordinal)

    def item_proof(self, ordinal: int) -> list[bytes]:
        """Return the audit path of an item to the root. O(number of items)."""
        self._raw_commitment(ordinal)
        return Tree(self._leaves()).inclusion(ordinal)

    def check(self) -> None:
        """Read every item. Raises `manifest.item_mismatch` for the first bad one."""
        for ordinal in range(self.count):
            self.item(ordinal)

    def _raw_commitment(self, ordinal: int) -> bytes:
        if not 0 <= ordinal < self.count:
            raise UsageError(
                "manifest.out_of_range",
                f"item {ordinal} is not in an input set of {self.count}",
                hint="ordinals start at 0",
                ordinal=ordinal,
            )
        at = self._commitments + ordinal * HASH_BYTES
        return bytes(self._data[at : at + HASH_BYTES])

    def _end(self, ordinal: int) -> int:
        at = self._ends + ordinal * 8
        return int.from_bytes(self._data[at : at + 8], "big")

    def _leaves(self) -> list[bytes]:
        return [leaf_hash(self._raw_commitment(ordinal)) for ordinal in range(self.count)]

    def _root_of_index(self) -> str:
        frontier = Frontier()
        for ordinal in range(self.count):
            frontier.append(leaf_hash(self._raw_commitment(ordinal)))
        return frontier.root().hex()


def _item_mismatch(ordinal: int) -> IntegrityError:
    return IntegrityError(
        "manifest.item_mismatch", f"item {ordinal} is not what the manifest names", ordinal=ordinal
    )
