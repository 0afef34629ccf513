"""The hash tree against the words of RFC 6962, and everything a verifier must refuse."""

import hashlib

import pytest

from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values import merkle
from swarm_ray.values.tree import Tree

# The eight leaves that the certificate transparency test data uses.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]


def naive_root(data: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word by word."""
    if not data:
        return hashlib.sha256(b"").digest()
    if len(data) == 1:
        return hashlib.sha256(b"\x00" + data[0]).digest()
    k = 1
    while k * 2 < len(data):
        k *= 2
    return hashlib.sha256(b"\x01" + naive_root(data[:k]) + naive_root(data[k:])).digest()


def test_the_root_of_eight_leaves_is_the_published_one():
    assert merkle.root(HASHES).hex() == (
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )


@pytest.mark.parametrize("size", range(9))
def test_every_way_to_a_root_agrees(size):
    frontier = merkle.Frontier()
    for leaf in HASHES[:size]:
        frontier.append(leaf)
    again = merkle.Frontier.from_bytes(frontier.to_bytes())
    assert (
        frontier.root() == again.root() == merkle.root(HASHES[:size]) == naive_root(LEAVES[:size])
    )


def test_the_empty_tree_has_the_hash_of_nothing():
    assert naive_root([]) == merkle.EMPTY_ROOT


def test_a_copy_of_a_frontier_grows_alone():
    frontier = merkle.Frontier()
    frontier.append(HASHES[0])
    copy = frontier.copy()
    copy.append(HASHES[1])
    assert (frontier.size, frontier.root()) == (1, HASHES[0])
    assert copy.root() == merkle.root(HASHES[:2])


def test_every_leaf_is_proven_in_every_tree():
    for size in range(1, 9):
        for index in range(size):
            path = Tree(HASHES).inclusion(index, size)
            merkle.verify_inclusion(HASHES[index], index, size, path, naive_root(LEAVES[:size]))


def test_every_growth_is_proven():
    for size2 in range(1, 9):
        for size1 in range(1, size2 + 1):
            proof = Tree(HASHES).consistency(size1, size2)
            merkle.verify_consistency(
                size1, size2, naive_root(LEAVES[:size1]), naive_root(LEAVES[:size2]), proof
            )


def refused(check, *arguments):
    with pytest.raises(IntegrityError):
        check(*arguments)


def above(root):
    """A root that a surplus proof node leads to."""
    return merkle.node_hash(HASHES[0], root)


ROOT3, ROOT5, ROOT8 = (naive_root(LEAVES[:n]) for n in (3, 5, 8))
PATH = Tree(HASHES).inclusion(5)
GROWTH = Tree(HASHES).consistency(5)


@pytest.mark.parametrize(
    ("leaf", "index", "size", "path", "root"),
    [
        (HASHES[5], 5, 8, [], ROOT8),
        (HASHES[5], 5, 8, PATH[:-1], ROOT8),
        (HASHES[5], 5, 8, [*PATH, HASHES[0]], ROOT8),
        (HASHES[5], 5, 8, PATH[::-1], ROOT8),
        (HASHES[5], 4, 8, PATH, ROOT8),
        (HASHES[5], 5, 6, PATH, ROOT8),
        (HASHES[5], 5, 9, PATH, ROOT8),
        (HASHES[4], 5, 8, PATH, ROOT8),
        (HASHES[5], 5, 8, PATH, ROOT5),
        (HASHES[5], 8, 8, PATH, ROOT8),
        (HASHES[5], -1, 8, PATH, ROOT8),
        (HASHES[5], 0, 0, [], merkle.EMPTY_ROOT),
        (HASHES[5][:-1], 5, 8, PATH, ROOT8),
        (HASHES[5], 5, 8, [PATH[0][:-1], *PATH[1:]], ROOT8),
        (HASHES[5], 5, 8, [PATH[0] + b"\x00", *PATH[1:]], ROOT8),
        (HASHES[5], 5, 8, PATH, ROOT8 + b"\x00"),
        (HASHES[0], 0, 1, [HASHES[1]], merkle.node_hash(HASHES[1], HASHES[0])),
        (HASHES[5], 5, 8, [*PATH, HASHES[0]], merkle.node_hash(HASHES[0], ROOT8)),
    ],
)
def test_a_false_inclusion_proof_is_refused(leaf, index, size, path, root):
    refused(merkle.verify_inclusion, leaf, index, size, path, root)


@pytest.mark.parametrize(
    ("size1", "size2", "root1", "root2", "proof"),
    [
        (0, 8, merkle.EMPTY_ROOT, ROOT8, []),
        (0, 8, merkle.EMPTY_ROOT, ROOT8, GROWTH),
        (0, 0, merkle.EMPTY_ROOT, merkle.EMPTY_ROOT, []),
        (-1, 8, ROOT5, ROOT8, GROWTH),
        (8, 5, ROOT8, ROOT5, GROWTH),
        (5, 8, ROOT5, ROOT8, []),
        (5, 8, ROOT5, ROOT8, GROWTH[:-1]),
        (5, 8, ROOT5, ROOT8, [*GROWTH, HASHES[0]]),
        (5, 8, ROOT5, ROOT8, GROWTH[::-1]),
        (5, 8, ROOT8, ROOT5, GROWTH),
        (5, 8, ROOT3, ROOT8, GROWTH),
        (4, 8, ROOT5, ROOT8, GROWTH),
        (5, 6, ROOT5, ROOT8, GROWTH),
        (5, 9, ROOT5, ROOT8, GROWTH),
        (5, 8, ROOT5, ROOT8, [GROWTH[0][:31], *GROWTH[1:]]),
        (5, 8, ROOT5[:-1], ROOT8, GROWTH),
        (5, 5, ROOT5, ROOT5, [ROOT5]),
        (5, 8, above(ROOT5), above(ROOT8), [*GROWTH, HASHES[0]]),
        (5, 5, ROOT5, ROOT3, []),
    ],
)
def test_a_false_consistency_proof_is_refused(size1, size2, root1, root2, proof):
    refused(merkle.verify_consistency, size1, size2, root1, root2, proof)


def test_every_flipped_bit_of_a_proof_is_noticed():
    for at in range(len(GROWTH)):
        for bit in (0, 100, 255):
            node = bytearray(GROWTH[at])
            node[bit // 8] ^= 1 << bit % 8
            forged = [*GROWTH[:at], bytes(node), *GROWTH[at + 1 :]]
            refused(merkle.verify_consistency, 5, 8, ROOT5, ROOT8, forged)


@pytest.mark.parametrize("data", [b"", bytes(7), bytes(8) + bytes(32), (3).to_bytes(8, "big")])
def test_a_frontier_whose_length_does_not_fit_is_refused(data):
    refused(merkle.Frontier.from_bytes, data)


def test_a_proof_outside_the_tree_cannot_be_made():
    for make in (
        lambda: Tree(HASHES).inclusion(8),
        lambda: Tree(HASHES).consistency(0),
        lambda: Tree(HASHES).consistency(9),
    ):
        with pytest.raises(UsageError):
            make()
