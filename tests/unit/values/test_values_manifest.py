"""An input set becomes one blob with one root, and every item stays checkable alone."""

import io

import pytest

from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values import merkle
from swarm_ray.values.commitments import opens
from swarm_ray.values.manifest import ITEM_TAG, Manifest, write_manifest

SALT = bytes(range(32))
FILES = [b'{"path":"a.py"}', b"", "zwölf".encode(), b"x" * 5000]


def written(items, **limits):
    out = io.BytesIO()
    summary = write_manifest(iter(items), SALT, out, **limits)
    return out.getvalue(), summary


def test_items_come_back_by_ordinal():
    blob, summary = written(FILES)
    manifest = Manifest(blob, summary.root)
    assert [manifest.item(n) for n in range(manifest.count)] == FILES
    assert (summary.count, summary.size_bytes) == (4, len(blob))


def test_a_mapped_file_gives_the_same_items(tmp_path):
    blob, summary = written(FILES)
    path = tmp_path / "manifest"
    path.write_bytes(blob)
    manifest = Manifest.open(path, summary.root)
    assert [manifest.item(n) for n in range(4)] == FILES
    manifest.close()


def test_a_third_party_opens_one_item_and_learns_no_other():
    blob, summary = written(FILES)
    manifest = Manifest(blob, summary.root)
    commitment, salt = manifest.item_commitment(2), manifest.item_salt(2)
    assert opens(commitment, ITEM_TAG, salt, FILES[2])
    leaf = merkle.leaf_hash(bytes.fromhex(commitment))
    merkle.verify_inclusion(leaf, 2, 4, manifest.item_proof(2), bytes.fromhex(summary.root))
    assert not opens(manifest.item_commitment(1), ITEM_TAG, salt, FILES[1])


def test_an_empty_input_set_has_the_empty_root():
    blob, summary = written([])
    assert bytes.fromhex(summary.root) == merkle.EMPTY_ROOT
    assert Manifest(blob, summary.root).count == 0


def test_equal_items_have_different_commitments():
    blob, summary = written([b"same", b"same"])
    manifest = Manifest(blob, summary.root)
    assert manifest.item_commitment(0) != manifest.item_commitment(1)


@pytest.mark.parametrize(
    ("limits", "code", "ordinal"),
    [
        ({"max_items": 3}, "manifest.too_many_items", 3),
        ({"max_item_bytes": 4999}, "manifest.item_too_large", 3),
    ],
)
def test_a_limit_names_the_item_that_breaks_it(limits, code, ordinal):
    with pytest.raises(UsageError) as caught:
        written(FILES, **limits)
    assert (caught.value.code, caught.value.fields["ordinal"]) == (code, ordinal)


def test_any_changed_byte_is_noticed():
    blob, summary = written([b"one", b"two", b"three"])
    for at in range(len(blob)):
        changed = bytearray(blob)
        changed[at] ^= 0x20
        with pytest.raises(IntegrityError):
            Manifest(bytes(changed), summary.root).check()


def test_a_truncated_or_foreign_blob_is_refused(tmp_path):
    blob, summary = written(FILES)
    for wrong in (b"", blob[:-1], blob[1:], b"not a manifest" * 20):
        with pytest.raises(IntegrityError) as caught:
            Manifest(wrong, summary.root)
        assert caught.value.code == "manifest.malformed"
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(IntegrityError):
        Manifest.open(tmp_path / "empty", summary.root)


def test_another_root_is_refused():
    blob, _ = written(FILES)
    with pytest.raises(IntegrityError) as caught:
        Manifest(blob, "0" * 64)
    assert caught.value.code == "manifest.root_mismatch"


def test_an_item_outside_the_set_is_refused():
    blob, summary = written(FILES)
    manifest = Manifest(blob, summary.root)
    for ordinal in (-1, 4):
        with pytest.raises(UsageError) as caught:
            manifest.item(ordinal)
        assert caught.value.code == "manifest.out_of_range"


def test_a_hundred_thousand_items_are_written_from_a_generator():
    out = io.BytesIO()
    summary = write_manifest((b"%d" % n for n in range(100_000)), SALT, out)
    manifest = Manifest(out.getvalue(), summary.root)
    assert manifest.item(99_999) == b"99999"
