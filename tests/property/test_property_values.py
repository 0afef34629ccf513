"""Values hold for arbitrary inputs: codec, tree, manifest."""

import hashlib
import io
import json

import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_ray.errors import IntegrityError
from swarm_ray.values import codec, merkle
from swarm_ray.values.manifest import Manifest, write_manifest
from swarm_ray.values.tree import Tree

KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
CAMEL_KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-codec.MAX_INTEGER, codec.MAX_INTEGER)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)


def documents(keys):
    return st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
        max_leaves=20,
    )


def naive_root(data):
    if not data:
        return hashlib.sha256(b"").digest()
    if len(data) == 1:
        return hashlib.sha256(b"\x00" + data[0]).digest()
    k = 1
    while k * 2 < len(data):
        k *= 2
    return hashlib.sha256(b"\x01" + naive_root(data[:k]) + naive_root(data[k:])).digest()


@settings(max_examples=300, deadline=None)
@given(documents(KEYS))
def test_an_entry_is_rfc_8785_and_comes_back(value):
    data = codec.encode(value)
    assert data == rfc8785.dumps(value)
    assert codec.decode(data) == value


@settings(max_examples=200, deadline=None)
@given(documents(CAMEL_KEYS))
def test_a_document_with_camel_case_keys_is_rfc_8785_too(value):
    assert codec.encode_standard(value) == rfc8785.dumps(value)


@settings(max_examples=200, deadline=None)
@given(documents(KEYS), st.data())
def test_one_value_has_one_form(value, data):
    """Whatever one changed byte makes of an entry, it is refused or it is another value."""
    encoded = bytearray(codec.encode(value))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        found = codec.decode(bytes(encoded))
    except IntegrityError:
        return
    assert json.dumps(found, sort_keys=True) != json.dumps(value, sort_keys=True)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40), st.data())
def test_proofs_hold_against_the_naive_tree(leaves, data):
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    index = data.draw(st.integers(0, len(leaves) - 1))
    older = data.draw(st.integers(1, len(leaves)))
    root = naive_root(leaves)
    path = Tree(hashes).inclusion(index)
    merkle.verify_inclusion(hashes[index], index, len(leaves), path, root)
    proof = Tree(hashes).consistency(older)
    merkle.verify_consistency(older, len(leaves), naive_root(leaves[:older]), root, proof)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=4), max_size=70))
def test_the_frontier_has_the_root_of_the_naive_tree_after_every_leaf(leaves):
    frontier = merkle.Frontier()
    assert frontier.root() == naive_root([])
    for size, leaf in enumerate(leaves, 1):
        frontier.append(merkle.leaf_hash(leaf))
        frontier = merkle.Frontier.from_bytes(frontier.to_bytes())
        assert frontier.root() == naive_root(leaves[:size])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.binary(max_size=30), max_size=12),
    st.binary(min_size=32, max_size=32),
    st.data(),
)
def test_a_manifest_returns_its_items_and_notices_any_changed_byte(items, salt, data):
    out = io.BytesIO()
    summary = write_manifest(items, salt, out)
    blob = bytearray(out.getvalue())
    manifest = Manifest(bytes(blob), summary.root)
    assert [manifest.item(n) for n in range(manifest.count)] == items
    at = data.draw(st.integers(0, len(blob) - 1))
    blob[at] ^= data.draw(st.integers(1, 255))
    # The salt of an empty input set names nothing.
    if items or not 8 <= at < 40:
        try:
            Manifest(bytes(blob), summary.root).check()
        except IntegrityError:
            return
        raise AssertionError(f"byte {at} changed unseen")
