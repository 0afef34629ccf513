"""A log as files: tiles of hashes and bundles of entries, each immutable once it is full.

Decides names and bytes of the files. A tile holds up to 256 hashes of one level, eight tree levels
above the one below; an entry bundle holds up to 256 entries, each behind its length in two bytes,
big-endian. It never reads or writes a file.

Source: C2SP tlog-tiles (`<prefix>/tile/<L>/<N>[.p/<W>]`, `<prefix>/tile/entries/<N>[.p/<W>]`).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values.merkle import HASH_BYTES, leaf_hash
from swarm_ray.values.tree import Tree

WIDTH: Final = 256
_TILE_HEIGHT: Final = 8
_LENGTH_BYTES: Final = 2
MAX_LEAF_BYTES: Final = (1 << 8 * _LENGTH_BYTES) - 1


def tile_path(level: int, number: int, width: int = WIDTH) -> str:
    """Return the name of a tile of `width` hashes, `tile/1/x001/234.p/17` for example."""
    return f"tile/{level}/{_numbered(number, width)}"


def bundle_path(number: int, width: int = WIDTH) -> str:
    """Return the name of an entry bundle of `width` entries."""
    return f"tile/entries/{_numbered(number, width)}"


def _numbered(number: int, width: int) -> str:
    text = f"{number % 1000:03d}"
    while number := number // 1000:
        text = f"x{number % 1000:03d}/{text}"
    return text if width == WIDTH else f"{text}.p/{width}"


def widths(count: int) -> Iterator[tuple[int, int]]:
    """Yield number and width of the files that hold `count` hashes or entries, the last one
    narrower unless it is full."""
    for number in range((count + WIDTH - 1) // WIDTH):
        yield number, min(WIDTH, count - number * WIDTH)


def tiles(tree: Tree, size: int) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of every tile of the tree of `size` leaves; hashes of 32 bytes.

    Raises:
        UsageError: `merkle.out_of_range`.
    """
    tree.root(size)
    level, count = 0, size
    while count:
        height = level * _TILE_HEIGHT
        for number, width in widths(count):
            first = number * WIDTH
            nodes = (tree.node(height, at) for at in range(first, first + width))
            yield tile_path(level, number, width), b"".join(nodes)
        level, count = level + 1, count // WIDTH


def entry_bundles(entries: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of every entry bundle.

    Raises:
        UsageError: `tiles.entry_too_large` above 65,535 bytes.
    """
    for number, width in widths(len(entries)):
        part = entries[number * WIDTH : number * WIDTH + width]
        yield bundle_path(number, width), b"".join(_framed(entry) for entry in part)


def read_bundle(name: str, data: bytes, width: int) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        IntegrityError: `tiles.malformed` unless there are `width` of them and nothing else.
    """
    entries: list[bytes] = []
    at = 0
    while at + _LENGTH_BYTES <= len(data) and len(entries) < width:
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(data[at:start], "big")
        entries.append(data[start:at])
    if at != len(data) or len(entries) != width:
        raise IntegrityError("tiles.malformed", f"{name} does not hold {width} entries")
    return entries


def read_tree(read: Callable[[str], bytes], size: int) -> Tree:
    """Return the tree of `size` leaves from its tiles of level 0, checked against those above.

    Args:
        read: returns the bytes of the tile of a name.
        size: from a checkpoint.

    Raises:
        IntegrityError: `tiles.malformed` for a tile of another length, `tiles.mismatch` when a
            tile is not what follows from those below it.
    """
    tree = Tree()
    for number, width in widths(size):
        name = tile_path(0, number, width)
        data = read(name)
        if len(data) != width * HASH_BYTES:
            raise IntegrityError("tiles.malformed", f"{name} does not hold {width} hashes")
        for at in range(0, len(data), HASH_BYTES):
            tree.append(data[at : at + HASH_BYTES])
    for name, data in tiles(tree, size):
        if not name.startswith("tile/0/") and read(name) != data:
            raise IntegrityError("tiles.mismatch", f"{name} does not follow from the tiles below")
    return tree


def check_bundle(name: str, entries: Sequence[bytes], tile: bytes) -> None:
    """Check the entries of a bundle against the tile of level 0 of the same number.

    Raises:
        IntegrityError: `tiles.mismatch`.
    """
    if b"".join(map(leaf_hash, entries)) != tile:
        raise IntegrityError("tiles.mismatch", f"{name} holds other entries than its tile")


def _framed(entry: bytes) -> bytes:
    if len(entry) > MAX_LEAF_BYTES:
        raise UsageError(
            "tiles.entry_too_large",
            f"an entry has {len(entry)} bytes, the limit is {MAX_LEAF_BYTES}",
            hint="write smaller entries",
        )
    return len(entry).to_bytes(_LENGTH_BYTES, "big") + entry
