"""Where the files of a definition come from: a folder, or memory for definitions made in Python.

Decides which files a definition may have and that links never lead outside its folder. Never
parses a file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from swarm_ray.errors import UsageError

MAX_FILE_BYTES: Final = 8_000_000
MAX_FILES: Final = 2_000
_WANTED: Final = re.compile(r"[^/]+\.ya?ml|skills/.*|bundled/.*|knowledge/.*\.md")
_FOLDERS: Final = ("skills", "bundled", "knowledge")
_SKIPPED: Final = re.compile(r"(^|/)(__pycache__|\..*)(/|$)|\.pyc$")


class Files(Protocol):
    """The files of one definition by relative path."""

    def names(self) -> frozenset[str]:
        """Return the relative paths, with forward slashes."""
        ...

    def read(self, name: str) -> bytes:
        """Return the bytes of one file."""
        ...

    def shown(self, name: str) -> str:
        """Return the name as people know it, for messages."""
        ...


@dataclass(frozen=True, slots=True)
class MemoryFiles:
    """Files that a program made."""

    content: Mapping[str, bytes]
    label: str = "python"

    def names(self) -> frozenset[str]:
        """Return the relative paths."""
        return frozenset(self.content)

    def read(self, name: str) -> bytes:
        """Return the bytes of one file."""
        return self.content[name]

    def shown(self, name: str) -> str:
        """Return the name after the label."""
        return f"<{self.label}>/{name}"


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """Files below a folder: its YAML, `skills/`, `knowledge/` and the data in `bundled/`."""

    folder: Path

    def names(self) -> frozenset[str]:
        """Return the relative paths of the files that belong to a definition.

        Raises:
            UsageError: `definition.too_many_files`.
        """
        found: set[str] = set()
        for part in (self.folder.glob("*"), *map(self._below, _FOLDERS)):
            for path in part:
                name = path.relative_to(self.folder).as_posix()
                if _WANTED.fullmatch(name) and not _SKIPPED.search(name) and path.is_file():
                    found.add(name)
                if len(found) > MAX_FILES:
                    raise UsageError(
                        "definition.too_many_files",
                        f"{self.folder} holds more than {MAX_FILES} definition files",
                        hint="keep skills and knowledge small; pass data as an input",
                        file=str(self.folder),
                    )
        return frozenset(found)

    def read(self, name: str) -> bytes:
        """Return the bytes of one file.

        Raises:
            UsageError: `definition.file_outside` when a link leads out of the folder,
                `definition.file_too_large`, `definition.unreadable_file`.
        """
        path = self.folder / name
        try:
            if not path.resolve().is_relative_to(self.folder.resolve()):
                raise UsageError(
                    "definition.file_outside",
                    f"{name} is a link that leads out of the folder of the definition",
                    hint="copy the file into the folder",
                    file=str(path),
                )
            if (size_bytes := path.stat().st_size) > MAX_FILE_BYTES:
                raise UsageError(
                    "definition.file_too_large",
                    f"{name} has {size_bytes} bytes, the limit is {MAX_FILE_BYTES}",
                    hint="a definition holds words and code, not data; pass data as an input",
                    file=str(path),
                )
            return path.read_bytes()
        except OSError as error:
            raise UsageError(
                "definition.unreadable_file",
                f"{name} cannot be read: {error.strerror}",
                hint="check that the file exists and may be read",
                file=str(path),
            ) from error

    def shown(self, name: str) -> str:
        """Return the path of the file."""
        return str(self.folder / name)

    def _below(self, part: str) -> list[Path]:
        return sorted((self.folder / part).rglob("*"))
