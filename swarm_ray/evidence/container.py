"""The file around a copy: an uncompressed tar of which every byte follows from names and contents.

Decides the one form that is written and accepted: plain files in order of their names, fixed
headers, zero padding, two empty blocks at the end and nothing behind them. It knows nothing about
what the files mean.
"""

import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO, Final

from typing_extensions import override

from swarm_ray.errors import IntegrityError, UsageError

_BLOCK: Final = 512
_SIZE: Final = re.compile(b"[0-7]{11}")
_END: Final = bytes(2 * _BLOCK)
MAX_NAME: Final = 100
MAX_FILE_BYTES: Final = 8**11 - 1


def write_container(files: Iterable[tuple[str, bytes]], out: BinaryIO) -> int:
    """Write files in ascending order of their names; return the number of bytes.

    Raises:
        UsageError: `container.bad_file` for a name out of order, too long or not plain ASCII.
    """
    size, before = 0, ""
    for name, data in files:
        if not before < name or not _nameable(name) or len(data) > MAX_FILE_BYTES:
            raise UsageError(
                "container.bad_file",
                f"the file {name!r} cannot follow {before!r}",
                hint="sort the files by name; names are ASCII of at most 100 characters",
            )
        for part in (_header(name, len(data)), data, _padding(len(data))):
            size += out.write(part)
        before = name
    return size + out.write(_END)


class Container(Mapping[str, bytes]):
    """The files of a container in bytes or in a mapped file; contents are read when asked for.

    Raises:
        IntegrityError: `container.malformed` when any byte outside the contents is not the one
            that `write_container` writes.
    """

    def __init__(self, data: bytes) -> None:
        """Index the files. `data` is anything that can be sliced to bytes, an `mmap` for one."""
        self._data = data
        self._files: dict[str, tuple[int, int]] = {}
        at, before = 0, ""
        while (name := self._name(at)) != "":
            size = self._size(at)
            start, at = at + _BLOCK, at + _BLOCK + size + len(_padding(size))
            if not before < name or at > len(data):
                raise _malformed(f"the file {name!r} is cut off or out of order")
            if bytes(data[start + size : at]) != _padding(size):
                raise _malformed(f"something stands between {name!r} and the next file")
            self._files[name] = (start, size)
            before = name
        if bytes(data[at:]) != _END:
            raise _malformed("it does not end where it should")

    @override
    def __getitem__(self, name: str) -> bytes:
        start, size = self._files[name]
        return bytes(self._data[start : start + size])

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    @override
    def __len__(self) -> int:
        return len(self._files)

    def _name(self, at: int) -> str:
        """Return the name of the file that begins here, empty where the end begins."""
        head = bytes(self._data[at : at + MAX_NAME])
        try:
            return head.rstrip(b"\x00").decode("ascii")
        except UnicodeDecodeError as error:
            raise _malformed("a name is not ASCII") from error

    def _size(self, at: int) -> int:
        block = bytes(self._data[at : at + _BLOCK])
        name = self._name(at)
        digits = block[124:135]
        size = int(digits, 8) if _SIZE.fullmatch(digits) else -1
        if size < 0 or not _nameable(name) or block != _header(name, size):
            raise _malformed(f"the header of {name!r} is not the usual one")
        return size


def _nameable(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME and name.isascii() and name.isprintable()


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _malformed(why: str) -> IntegrityError:
    return IntegrityError(
        "container.malformed",
        f"this file is damaged or was changed: {why}",
        hint="ask for another copy of it",
    )
