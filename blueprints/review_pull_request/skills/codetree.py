"""The code as it lies in the declared folder: decides which files a search may read.

Serves a work tree, the `new/` side of two folders, or the unchanged files of a bundled change set.
Bounded in files and bytes; it says when a bound was hit. It never follows links and never leaves
its root.
"""

import ast
import json
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from changeset import CHANGESET_FILE, FILE_LIMIT_BYTES
from compact import pack
from paths import is_package_file, module_name
from resolve import Compact
from surface import surface_of

FILES_LIMIT = 20_000
BYTES_LIMIT = 200_000_000
_SKIPPED_FOLDERS = frozenset(
    {
        ".git", ".hg", ".svn", ".venv", "venv", "env", "node_modules", "__pycache__", ".tox",
        ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache", "dist", "build", "site-packages",
        ".eggs",
    }
)  # fmt: skip


@dataclass(slots=True)
class CodeTree:
    """Text files below one root, or held in memory."""

    root: Path | None
    held: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield (path, text) of every text file of reviewable size, in a fixed order."""
        yield from sorted(self.held.items())
        if self.root is None:
            return
        seen = total = 0
        for path in self._walk(self.root):
            text = self._read(path)
            if text is None:
                continue
            seen, total = seen + 1, total + len(text)
            if seen > FILES_LIMIT or total > BYTES_LIMIT:
                self.notes.append(f"the usage search stopped after {seen - 1} files")
                return
            yield path.relative_to(self.root).as_posix(), text

    def _walk(self, root: Path) -> Iterator[Path]:
        for folder, names, files in os.walk(root, followlinks=False):
            names[:] = sorted(n for n in names if n not in _SKIPPED_FOLDERS)
            for name in sorted(files):
                yield Path(folder) / name

    def _read(self, path: Path) -> str | None:
        try:
            if path.is_symlink() or not path.is_file() or path.stat().st_size > FILE_LIMIT_BYTES:
                return None
            data = path.read_bytes()
        except PermissionError:
            self.notes.append(f"{path.name} may not be read and was not searched")
            return None
        try:
            return None if b"\0" in data else data.decode("utf-8")
        except UnicodeDecodeError:
            return None

    def text(self, path: str) -> str | None:
        """Return one file's text, None when it does not exist or is not text."""
        if path in self.held:
            return self.held[path]
        return None if self.root is None else self._read(self.root / path)


def open_tree(root: Path | None, bundled: Path) -> CodeTree:
    """Return the tree to search for a `repository` input; empty, with a note, without one."""
    if root is None:
        return CodeTree(None, notes=["no repository was given: usages were not searched"])
    if root.is_dir() and (root / "old").is_dir() and (root / "new").is_dir():
        return CodeTree(root / "new")
    if root.is_dir() and (root / ".git").exists():
        return CodeTree(root)
    for candidate in (root, root / CHANGESET_FILE, bundled):
        if candidate.is_file():
            held = json.loads(candidate.read_text("utf-8")).get("unchanged", {})
            return CodeTree(None, {str(k): str(v) for k, v in held.items()})
    return CodeTree(None, notes=["the repository has no work tree: usages were not searched"])


def parse_quietly(text: str) -> ast.Module | None:
    """Return the syntax tree, None for a text that does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return ast.parse(text.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@dataclass(slots=True)
class ModuleLoader:
    """Loads compact surfaces of unchanged modules; `prefixes` are the source roots in use."""

    tree: CodeTree
    prefixes: tuple[str, ...]

    def __call__(self, module: str) -> Compact | None:
        """Return the surface of a module of the tree, None when it is not there."""
        stem = module.replace(".", "/")
        for prefix in self.prefixes:
            for path in (f"{prefix}{stem}.py", f"{prefix}{stem}/__init__.py"):
                text = self.tree.text(path)
                tree = None if text is None else parse_quietly(text)
                if tree is not None:
                    return self._packed(tree, path)
        return None

    def _packed(self, tree: ast.Module, path: str) -> Compact | None:
        try:
            return pack(surface_of(tree), module_name(path), package=is_package_file(path))
        except RecursionError:
            self.tree.notes.append(f"{path} is nested too deeply to be followed")
            return None


def source_prefixes(paths: list[str]) -> tuple[str, ...]:
    """Return what stands before the module part in the given paths."""
    found = {""}
    for path in paths:
        stem = module_name(path).replace(".", "/")
        at = path.rfind(stem)
        if at >= 0:
            found.add(path[:at])
    return tuple(sorted(found))
