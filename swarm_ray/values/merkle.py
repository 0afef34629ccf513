"""The RFC 6962 hash tree: roots, incremental growth, and proofs.

Decides how entries become one root and how proofs of inclusion and growth are checked. Hashes are
32 raw bytes here. It never stores a tree: `tree.Tree` does, and makes the proofs.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from swarm_ray.errors import IntegrityError

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
_MAX_SIZE: Final = 1 << 62


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: enough to append leaves and to tell the root.

    Holds one hash for each one-bit of the size, largest subtree first.
    Source: RFC 6962 section 2.1; the merge rule follows the trailing one-bits of the size.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self._peaks = list(peaks)
        if not 0 <= size < _MAX_SIZE or len(self._peaks) != size.bit_count():
            raise IntegrityError(
                "merkle.bad_frontier", f"{len(self._peaks)} peaks do not fit {size} leaves"
            )
        _need_hashes(*self._peaks)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash. O(1) amortised.

        Raises:
            IntegrityError: `merkle.bad_hash` unless it has 32 bytes.
        """
        _need_hashes(leaf)
        peaks, count = self._peaks, self.size
        while count & 1:
            leaf = hashlib.sha256(b"\x01" + peaks.pop() + leaf).digest()
            count >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Return the root over all leaves so far; SHA-256 of nothing for the empty tree."""
        if not self._peaks:
            return EMPTY_ROOT
        *rest, result = self._peaks
        for peak in reversed(rest):
            result = node_hash(peak, result)
        return result

    def copy(self) -> "Frontier":
        """Return an independent frontier of the same tree."""
        return Frontier(self.size, self._peaks)

    def to_bytes(self) -> bytes:
        """Return the size as 8 bytes, big-endian, then the peaks, largest subtree first."""
        return self.size.to_bytes(8, "big") + b"".join(self._peaks)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Frontier":
        """Read what `to_bytes` wrote.

        Raises:
            IntegrityError: `merkle.bad_frontier` when the length does not fit the size.
        """
        if len(data) < 8 or (len(data) - 8) % HASH_BYTES:
            raise IntegrityError("merkle.bad_frontier", f"{len(data)} bytes are no frontier")
        peaks = (data[at : at + HASH_BYTES] for at in range(8, len(data), HASH_BYTES))
        return cls(int.from_bytes(data[:8], "big"), peaks)


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes. O(n) time, O(log n) memory.

    Raises:
        IntegrityError: `merkle.bad_hash`.
    """
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], expected_root: bytes
) -> None:
    """Check that the leaf hash stands at `index` in the tree of `size` leaves with this root.

    Raises:
        IntegrityError: `merkle.out_of_range`, `merkle.bad_hash`, `merkle.bad_proof`.

    Source: RFC 9162 section 2.1.3.2, with the refusals the text leaves to the reader.
    """
    if not 0 <= index < size < _MAX_SIZE:
        raise IntegrityError("merkle.out_of_range", f"leaf {index} is not in a tree of {size}")
    _need_hashes(leaf, expected_root, *path)
    node, last, result = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise IntegrityError("merkle.bad_proof", "the inclusion proof has surplus nodes")
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise IntegrityError("merkle.bad_proof", "the inclusion proof lacks nodes")
    if result != expected_root:
        raise IntegrityError("merkle.bad_proof", "the inclusion proof leads to another root")


def verify_consistency(
    size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree (size1, root1) is a prefix of the tree (size2, root2).

    Raises:
        IntegrityError: `merkle.out_of_range` (size1 of 0 included: nothing would be proven),
            `merkle.bad_hash`, `merkle.bad_proof`.

    Source: RFC 9162 section 2.1.4.2, with the refusals the text leaves to the reader.
    """
    if not 0 < size1 <= size2 < _MAX_SIZE:
        raise IntegrityError("merkle.out_of_range", f"sizes {size1} and {size2} prove nothing")
    _need_hashes(root1, root2, *proof)
    if size1 == size2:
        if proof or root1 != root2:
            raise IntegrityError("merkle.bad_proof", "equal sizes need equal roots and no proof")
        return
    if not proof:
        raise IntegrityError("merkle.bad_proof", "the consistency proof is empty")
    # A full older tree is itself the first node of the walk and therefore not transmitted.
    nodes = [root1, *proof] if size1 & (size1 - 1) == 0 else list(proof)
    older, newer = _walk_consistency(size1 - 1, size2 - 1, nodes)
    if older != root1 or newer != root2:
        raise IntegrityError("merkle.bad_proof", "the consistency proof leads to other roots")


def _walk_consistency(node: int, last: int, nodes: Sequence[bytes]) -> tuple[bytes, bytes]:
    while node & 1:
        node, last = node >> 1, last >> 1
    older = newer = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            raise IntegrityError("merkle.bad_proof", "the consistency proof has surplus nodes")
        if node & 1 or node == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            newer = node_hash(newer, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise IntegrityError("merkle.bad_proof", "the consistency proof lacks nodes")
    return older, newer


def _need_hashes(*hashes: bytes) -> None:
    for item in hashes:
        if type(item) is not bytes or len(item) != HASH_BYTES:
            raise IntegrityError("merkle.bad_hash", "a tree hash does not have 32 bytes")
