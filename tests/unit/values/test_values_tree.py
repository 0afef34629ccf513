"""Proofs from stored levels against the published tree of eight leaves, and the tiles of a log."""

import pytest

from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values import merkle, tiles
from swarm_ray.values.tree import Tree

# Leaves and roots of the tree that the test data of certificate transparency uses.
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
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
TREE = Tree.over(LEAVES)


@pytest.mark.parametrize("size", range(9))
def test_the_root_of_every_size_is_the_published_one(size):
    assert TREE.root(size).hex() == ROOTS[size]
    assert Tree.over(LEAVES[:size]).root().hex() == ROOTS[size]


def test_a_tree_of_another_shape_agrees_with_the_frontier():
    leaves = [merkle.leaf_hash(bytes([n % 251])) for n in range(1000)]
    tree = Tree(leaves)
    for size in (1, 2, 255, 256, 257, 511, 640, 999, 1000):
        root = merkle.root(leaves[:size])
        assert tree.root(size) == root
        for index in {0, size // 3, size - 1}:
            merkle.verify_inclusion(leaves[index], index, size, tree.inclusion(index, size), root)
        for older in {1, (size + 1) // 2, size}:
            proof = tree.consistency(older, size)
            merkle.verify_consistency(older, size, tree.root(older), root, proof)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TREE.inclusion(3, 9),
        lambda: TREE.inclusion(3, 3),
        lambda: TREE.inclusion(-1),
        lambda: TREE.consistency(0),
        lambda: TREE.consistency(5, 4),
        lambda: TREE.root(9),
        lambda: TREE.root(-1),
    ],
)
def test_what_is_not_in_the_tree_is_not_proven(make):
    with pytest.raises(UsageError) as caught:
        make()
    assert caught.value.code == "merkle.out_of_range"


def test_a_leaf_of_another_length_is_refused():
    with pytest.raises(IntegrityError):
        Tree([b"short"])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (tiles.tile_path(0, 1_234_067), "tile/0/x001/x234/067"),
        (tiles.tile_path(2, 0, 1), "tile/2/000.p/1"),
        (tiles.bundle_path(999), "tile/entries/999"),
        (tiles.bundle_path(1000, 17), "tile/entries/x001/000.p/17"),
    ],
)
def test_a_path_is_the_one_of_the_published_rules(path, expected):
    assert path == expected


def test_the_tiles_of_the_published_example_of_70_000_leaves():
    counts = [70_000 // 256**level for level in range(4)]
    found = [[width for _, width in tiles.widths(count)] for count in counts]
    assert (found[0].count(256), found[0][-1]) == (273, 112)
    assert (found[1].count(256), found[1][-1]) == (1, 17)
    assert found[2:] == [[1], []]


def test_a_tree_of_256_leaves_has_a_full_tile_and_one_hash_above():
    tree = Tree(merkle.leaf_hash(bytes([n])) for n in range(256))
    files = dict(tiles.tiles(tree, 256))
    assert {name: len(data) // 32 for name, data in files.items()} == {
        "tile/0/000": 256,
        "tile/1/000.p/1": 1,
    }
    assert files["tile/1/000.p/1"] == tree.root()


def log(count):
    entries = [b"%d" % n for n in range(count)]
    tree = Tree.over(entries)
    return entries, tree, dict(tiles.tiles(tree, count)), dict(tiles.entry_bundles(entries))


def test_a_log_comes_back_from_its_tiles():
    entries, tree, files, bundles = log(600)
    again = tiles.read_tree(files.__getitem__, 600)
    assert again.root() == tree.root()
    read = []
    for number, width in tiles.widths(600):
        name = tiles.bundle_path(number, width)
        part = tiles.read_bundle(name, bundles[name], width)
        tiles.check_bundle(name, part, files[tiles.tile_path(0, number, width)])
        read += part
    assert read == entries


def test_a_changed_tile_or_bundle_is_refused():
    _, _, files, bundles = log(300)
    upper = {**files, "tile/1/000.p/1": bytes(32)}
    short = {**files, "tile/0/000": files["tile/0/000"][:-1]}
    for spoilt, code in ((upper, "tiles.mismatch"), (short, "tiles.malformed")):
        with pytest.raises(IntegrityError) as caught:
            tiles.read_tree(spoilt.__getitem__, 300)
        assert caught.value.code == code
    name = "tile/entries/001.p/44"
    for data in (bundles[name] + b"\x00", bundles[name][:-1], bundles[name] + b"\x00\x00"):
        with pytest.raises(IntegrityError):
            tiles.read_bundle(name, data, 44)
    with pytest.raises(IntegrityError):
        tiles.check_bundle(name, [b"x"] * 44, files["tile/0/001.p/44"])


def test_an_entry_beyond_two_bytes_of_length_is_refused():
    assert next(tiles.entry_bundles([bytes(65_535)]))[1][:2] == b"\xff\xff"
    with pytest.raises(UsageError):
        list(tiles.entry_bundles([bytes(65_536)]))
