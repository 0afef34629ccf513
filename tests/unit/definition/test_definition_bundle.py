"""A bundle is the same bytes everywhere and another bundle after any change."""

import io
import tarfile
from pathlib import Path

import pytest
from definition_samples import TASK, definition, linked

from swarm_ray.definition.bundle import (
    MAX_BUNDLE_FILES,
    Bundle,
    content_of,
    digest_of,
    pack,
    pack_files,
    read_bundle,
    unpack,
)
from swarm_ray.errors import IntegrityError, UsageError


def changed(name: str) -> Bundle:
    """Pack the sample with one comment more in one file."""
    text = definition().content[name].decode()
    return pack(linked({name: text + "# one more\n"}))


def test_the_same_definition_packs_to_the_same_bytes() -> None:
    assert pack(linked()) == pack(linked())


@pytest.mark.parametrize(
    "name",
    [
        "process.yaml",
        "sort_letter.yaml",
        "bindings.yaml",
        "skills/sorting.py",
        "knowledge/house/rules.md",
    ],
)
def test_one_changed_byte_gives_another_digest(name: str) -> None:
    assert changed(name).digest != pack(linked()).digest


def test_a_file_that_the_definition_does_not_use_stays_outside() -> None:
    extra = {"knowledge/other.md": "unused", "unused_task.yaml": TASK}
    assert pack(linked(extra)).digest == pack(linked()).digest


def test_a_bundle_holds_the_closure(tmp_path: Path) -> None:
    bundle = pack(linked())
    assert bundle.names == (
        "bindings.yaml",
        "knowledge/house/rules.md",
        "linked.json",
        "plan.json",
        "process.yaml",
        "skills/sorting.py",
        "sort_letter.yaml",
    )
    folder = unpack(bundle.data, tmp_path / "bundle", bundle.digest)
    content = content_of(linked())
    assert {name: (folder / name).read_bytes() for name in bundle.names} == content
    assert digest_of(content) == bundle.digest
    assert not (folder / "linked.json").stat().st_mode & 0o222, "read-only"


def test_a_changed_archive_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    bundle = pack(linked())
    at = bundle.data.index(b"two days")
    data = bundle.data[:at] + b"ten" + bundle.data[at + 3 :]
    with pytest.raises(IntegrityError) as caught:
        unpack(data, tmp_path / "bundle", bundle.digest)
    assert caught.value.code == "definition.bundle_digest"
    assert not (tmp_path / "bundle").exists()


def archive(*entries: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for entry in entries:
            out.addfile(entry, io.BytesIO(b"x" * entry.size))
    return buffer.getvalue()


def entry(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0
) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, size
    return made


@pytest.mark.parametrize(
    "members",
    [
        (entry("../outside"),),
        (entry("/etc/x"),),
        (entry("a/../../b"),),
        (entry("a", tarfile.SYMTYPE, "/etc/passwd"),),
        (entry("a", tarfile.LNKTYPE, "b"),),
        (entry("a", tarfile.CHRTYPE),),
        (entry("a", tarfile.DIRTYPE),),
        (entry("a", size=3), entry("a", size=3)),
        (entry("a\nb"),),
    ],
)
def test_an_archive_that_leads_outside_is_refused(members: tuple, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError) as caught:
        unpack(archive(*members), tmp_path / "bundle", "0" * 64)
    assert caught.value.code == "definition.bundle_malformed"
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_has_limits() -> None:
    with pytest.raises(UsageError) as caught:
        pack_files({f"skills/s{n}.py": b"" for n in range(MAX_BUNDLE_FILES + 1)})
    assert caught.value.code == "definition.bundle_too_large"


def test_bundled_data_travels_and_counts(tmp_path: Path) -> None:
    bundle = pack(linked({"bundled/letters.csv": "a,b\n"}))
    assert "bundled/letters.csv" in bundle.names
    assert bundle.digest != pack(linked({"bundled/letters.csv": "a,c\n"})).digest


def test_noise_is_no_bundle() -> None:
    for data in (b"not a tar", pack(linked()).data[:700]):
        with pytest.raises(IntegrityError):
            read_bundle(data, "0" * 64)


def test_a_bundle_is_unpacked_only_into_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    bundle = pack(linked())
    with pytest.raises(UsageError) as caught:
        unpack(bundle.data, tmp_path, bundle.digest)
    assert caught.value.code == "definition.folder_not_empty"
