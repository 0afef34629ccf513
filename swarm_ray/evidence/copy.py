"""A copy of one run: everything that a stranger needs to check it, and its form as files.

Decides which files a bundle file holds (`docs/formats/bundle_file.md`) and reads them back. Nothing
is believed here; `evidence.checking` judges.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from swarm_ray.errors import IntegrityError
from swarm_ray.values import tiles
from swarm_ray.values.codec import decode, encode
from swarm_ray.values.tree import Tree

FORMAT: Final = "swarm-ray-bundle/1"
LOGS: Final = ("admin", "index", "run")
MANIFEST: Final = "manifest.json"
CHECKPOINT: Final = "index/checkpoint"
EFFECTS: Final = "effects.json"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EffectEntry:
    """An entry of the effects log that concerns the run: its place, its bytes and its path to the
    root that the index names, hashes of 32 bytes."""

    seq: int
    entry: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Copy:
    """One run with what vouches for it.

    Attributes:
        run: id.
        checkpoint: the signed head of the index log.
        logs: entries of `admin`, `index` and `run`, each from its first.
        leaves: their leaf hashes as they were stored, to name an entry that differs.
        effects: entries of the effects log that concern the run.
        items: by swarm the commitments of its items, 32 bytes each; missing where they are gone.
        bodies: names of the bodies that are here.
        read: returns the bytes under a commitment: length of the tag, tag, salt, body.
    """

    run: str
    checkpoint: bytes
    logs: Mapping[str, Sequence[bytes]]
    leaves: Mapping[str, Sequence[bytes]]
    effects: Sequence[EffectEntry] = ()
    items: Mapping[str, bytes] = field(default_factory=dict)
    bodies: Sequence[str] = ()
    read: Callable[[str], bytes] = lambda _: b""

    def manifest(self) -> bytes:
        """Return the table of contents; every value in it follows from the rest."""
        sizes = {name: len(self.logs[name]) for name in LOGS} | {"effects": len(self.effects)}
        return encode({"format": FORMAT, "run": self.run, "sizes": sizes})


def files_of(copy: Copy) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a copy in order of their names; bodies are read one at a time."""
    small: dict[str, Callable[[], bytes]] = {
        MANIFEST: copy.manifest,
        CHECKPOINT: lambda: copy.checkpoint,
        EFFECTS: lambda: _effects_file(copy.effects),
    }
    for name in LOGS:
        files = dict(tiles.entry_bundles(copy.logs[name]))
        files |= tiles.tiles(Tree(copy.leaves[name]), len(copy.leaves[name]))
        small |= {f"{name}/{path}": _constant(data) for path, data in files.items()}
    small |= {f"items/{swarm}": _constant(data) for swarm, data in copy.items.items()}
    small |= {f"bodies/{name}": _reader(copy, name) for name in copy.bodies}
    for name in sorted(small):
        yield name, small[name]()


def copy_of(files: Mapping[str, bytes]) -> Copy:
    """Return the copy that files hold.

    Raises:
        IntegrityError: `bundle_file.malformed`, `tiles.malformed`, `tiles.mismatch`, `codec.*`:
            a file is missing, surplus or cannot be read.
    """
    about: Any = decode(_file(files, MANIFEST))
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise malformed(f"it is not of the form {FORMAT}")
    sizes, run = about.get("sizes"), about.get("run")
    known = {"admin", "effects", "index", "run"}
    if not isinstance(sizes, dict) or sizes.keys() != known or not isinstance(run, str):
        raise malformed("its table of contents is not complete")
    if any(type(size) is not int or not 0 <= size < 2**40 for size in sizes.values()):
        raise malformed("its table of contents holds no sizes")
    seen = {MANIFEST, CHECKPOINT, EFFECTS}
    logs, leaves = {}, {}
    for name in LOGS:
        logs[name], leaves[name] = _read_log(files, name, sizes[name], seen)
    items = _below(files, "items/", seen)
    bodies = _below(files, "bodies/", seen)
    surplus = files.keys() - seen
    if surplus:
        raise malformed(f"it holds the file {min(surplus)!r}, which nothing asks for")
    found = Copy(
        run,
        _file(files, CHECKPOINT),
        logs,
        leaves,
        _read_effects(_file(files, EFFECTS)),
        {swarm: files[f"items/{swarm}"] for swarm in items},
        tuple(bodies),
        lambda commitment: files[f"bodies/{commitment}"],
    )
    if found.manifest() != files[MANIFEST]:
        raise malformed("its table of contents says something else than it holds")
    return found


def malformed(why: str) -> IntegrityError:
    """Return the error for a bundle file that cannot be one."""
    return IntegrityError(
        "bundle_file.malformed",
        f"this is not a whole copy of a run: {why}",
        hint="ask for another copy of it",
    )


def _file(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise malformed(f"the file {name!r} is missing")
    return files[name]


def _below(files: Mapping[str, bytes], folder: str, seen: set[str]) -> list[str]:
    found = [name for name in files if name.startswith(folder)]
    seen.update(found)
    return [name.removeprefix(folder) for name in found]


def _read_log(
    files: Mapping[str, bytes], log: str, size: int, seen: set[str]
) -> tuple[list[bytes], list[bytes]]:
    def read(path: str) -> bytes:
        seen.add(f"{log}/{path}")
        return _file(files, f"{log}/{path}")

    tree = tiles.read_tree(read, size)
    entries: list[bytes] = []
    for number, width in tiles.widths(size):
        path = tiles.bundle_path(number, width)
        entries += tiles.read_bundle(f"{log}/{path}", read(path), width)
    return entries, [tree.node(0, at) for at in range(size)]


def _effects_file(effects: Sequence[EffectEntry]) -> bytes:
    rows = [
        {"entry": one.entry.decode(), "path": [node.hex() for node in one.path], "seq": one.seq}
        for one in effects
    ]
    return encode(rows, max_bytes=None)


def _read_effects(data: bytes) -> tuple[EffectEntry, ...]:
    rows: Any = decode(data)
    try:
        found = tuple(
            EffectEntry(
                row["seq"], row["entry"].encode(), tuple(bytes.fromhex(one) for one in row["path"])
            )
            for row in rows
        )
        typed = all(type(one.seq) is int for one in found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise malformed("its effects cannot be read") from error
    if not typed or _effects_file(found) != data:
        raise malformed("its effects are not written as they should be")
    return found


def _constant(value: T) -> Callable[[], T]:
    return lambda: value


def _reader(copy: Copy, name: str) -> Callable[[], bytes]:
    return lambda: copy.read(name)
