"""The whole RFC 6962 tree in memory: roots and proofs for every size without hashing it again.

Decides how proofs are read off stored levels. A level holds the hashes of all complete subtrees of
one height, one after the other; what is not complete, the right edge, is folded when it is needed.
Costs 64 bytes per leaf. Reading and checking of proofs is in `merkle`.
"""

from collections.abc import Iterable
from typing import Final

from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values.merkle import EMPTY_ROOT, HASH_BYTES, leaf_hash, node_hash

_HASH: Final = HASH_BYTES


class Tree:
    """All complete subtrees over a growing sequence of leaf hashes."""

    __slots__ = ("_levels",)

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        """Build the tree. Raises `merkle.bad_hash` as `append`."""
        self._levels: list[bytearray] = [bytearray()]
        for leaf in leaves:
            self.append(leaf)

    @classmethod
    def over(cls, entries: Iterable[bytes]) -> "Tree":
        """Return the tree over the leaf hashes of these entries."""
        return cls(map(leaf_hash, entries))

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self._levels[0]) // _HASH

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash. O(1) amortised.

        Raises:
            IntegrityError: `merkle.bad_hash` unless it has 32 bytes.
        """
        if type(leaf) is not bytes or len(leaf) != _HASH:
            raise IntegrityError("merkle.bad_hash", "a tree hash does not have 32 bytes")
        levels, height = self._levels, 0
        levels[0] += leaf
        while not len(levels[height]) % (2 * _HASH):
            node = node_hash(bytes(levels[height][-2 * _HASH : -_HASH]), leaf)
            height += 1
            if height == len(levels):
                levels.append(bytearray())
            levels[height] += node
            leaf = node

    def node(self, height: int, index: int) -> bytes:
        """Return the hash of the complete subtree number `index` of 2^height leaves; it exists."""
        return bytes(self._levels[height][index * _HASH : (index + 1) * _HASH])

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the first `size` leaves (None: of all).

        Raises:
            UsageError: `merkle.out_of_range`.
        """
        size = self._within(size)
        return self._folded(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the audit path of a leaf in the tree of `size` leaves (None: of all). O(log n).

        Within the complete subtree that holds the leaf the siblings are stored; above it come the
        edge to its right, folded into one, and the complete subtrees to its left.

        Raises:
            UsageError: `merkle.out_of_range`.

        Source: RFC 6962 section 2.1.1.
        """
        size = self._within(size)
        if not 0 <= index < size:
            raise UsageError(
                "merkle.out_of_range",
                f"leaf {index} is not in a tree of {size}",
                hint="ask for an index below the size",
            )
        levels = self._levels
        # The highest bit in which they differ is the height of the subtree that holds the leaf.
        height = (index ^ size).bit_length() - 1
        path, at = [], index
        for level in range(height):
            start = (at ^ 1) * _HASH
            path.append(bytes(levels[level][start : start + _HASH]))
            at >>= 1
        end = (at + 1) << height
        if end < size:
            path.append(self._folded(end, size))
        left = at << height
        while left:
            low = (left & -left).bit_length() - 1
            left -= 1 << low
            path.append(self.node(low, left >> low))
        return path

    def consistency(self, size1: int, size2: int | None = None) -> list[bytes]:
        """Return the proof that the tree of `size1` leaves grew into that of `size2` (None: all).

        O(log n); empty for equal sizes.

        Raises:
            UsageError: `merkle.out_of_range` unless 0 < size1 <= size2 <= number of leaves.

        Source: RFC 6962 section 2.1.2.
        """
        size2 = self._within(size2)
        if not 0 < size1 <= size2:
            raise UsageError(
                "merkle.out_of_range",
                f"no consistency proof from {size1} to {size2} leaves",
                hint="the older size must be at least 1 and not above the newer one",
            )
        proof: list[bytes] = []
        start, stop, whole = 0, size2, True
        while size1 != stop:
            middle = start + (1 << ((stop - start - 1).bit_length() - 1))
            if size1 <= middle:
                proof.append(self._folded(middle, stop))
                stop = middle
            else:
                proof.append(self._folded(start, middle))
                start, whole = middle, False
        if not whole:
            proof.append(self._folded(start, stop))
        proof.reverse()
        return proof

    def _within(self, size: int | None) -> int:
        if size is None:
            return self.size
        if not 0 <= size <= self.size:
            raise UsageError(
                "merkle.out_of_range",
                f"the tree has {self.size} leaves, not {size}",
                hint="ask for a size up to the number of leaves",
            )
        return size

    def _folded(self, start: int, stop: int) -> bytes:
        """Return the root over the leaves from `start` to `stop`, where `start` is a multiple of
        the first power of two that is not below their number."""
        result, rest = b"", stop - start
        while rest:
            height = (rest & -rest).bit_length() - 1
            rest -= 1 << height
            node = self.node(height, start + rest >> height)
            result = node_hash(node, result) if result else node
        return result
