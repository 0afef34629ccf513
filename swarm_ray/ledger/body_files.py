"""Bodies above the row limit, one file each, durable before anything names them.

Decides path and write order (temporary file, fsync, rename, fsync of the folders). It knows only
commitments and bytes; salts and retention stay in the table.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from swarm_ray.errors import IntegrityError, StorageError
from swarm_ray.ledger.database import sync_folder

FOLDER: Final = "bodies"
_PARTIAL: Final = ".partial"


class BodyPlace(Protocol):
    """Where the bytes of large bodies are, by commitment."""

    def write(self, commitment: str, data: bytes) -> None:
        """Store the bytes durably under the commitment.

        Raises:
            StorageError: `ledger.write_failed`; nothing is left.
        """

    def read(self, commitment: str) -> bytes:
        """Return the bytes.

        Raises:
            IntegrityError: `ledger.body_missing`.
            StorageError: `ledger.read_failed` when the place does not answer.
        """

    def remove(self, commitment: str) -> None:
        """Delete the bytes durably, if there are any."""

    def names(self, before_us: int) -> Iterator[str]:
        """Yield the commitment of every body that is older than a Unix time, and the names of what
        a crash before it left unfinished."""


class BodyFiles:
    """The folder of large bodies: `bodies/ab/cdef...`, named by commitment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER

    def write(self, commitment: str, data: bytes) -> None:
        """See `BodyPlace`."""
        path = self._path(commitment)
        partial = path.with_name(path.name + _PARTIAL)
        try:
            self._make_folders(path.parent)
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)
            sync_folder(path.parent)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise StorageError(
                "ledger.write_failed",
                f"a body of {len(data)} bytes could not be written: {error}",
                hint="free disk space or repair the disk, then resume",
            ) from error

    def read(self, commitment: str) -> bytes:
        """See `BodyPlace`."""
        try:
            return self._path(commitment).read_bytes()
        except FileNotFoundError as error:
            raise IntegrityError(
                "ledger.body_missing",
                f"the file of body {commitment[:16]} is gone",
                hint="restore the bodies folder from a copy",
                commitment=commitment,
            ) from error

    def remove(self, commitment: str) -> None:
        """See `BodyPlace`."""
        path = self._path(commitment)
        if path.exists():
            path.unlink()
            sync_folder(path.parent)

    def names(self, before_us: int) -> Iterator[str]:
        """See `BodyPlace`."""
        for path in self._folder.glob("??/*"):
            if path.stat().st_mtime_ns // 1000 < before_us:
                yield path.parent.name + path.name

    def _path(self, commitment: str) -> Path:
        return self._folder / commitment[:2] / commitment[2:]

    def _make_folders(self, folder: Path) -> None:
        for path in (self._folder, folder):
            if not path.is_dir():
                path.mkdir(exist_ok=True)
                sync_folder(path.parent)
