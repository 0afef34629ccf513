"""Temporary folders of children, made ahead and used again when they were left empty.

Decides which folder a child gets. A folder in which anything was left is never handed out again; a
separate process removes it, so that a deep tree cannot hold the zygote up.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from collections.abc import Callable


class Slot:
    """One child's folder and the ruleset that opens it to that child alone."""

    __slots__ = ("folder", "path", "ruleset")

    def __init__(self, path: str, ruleset: int) -> None:
        self.path = path
        self.folder = os.open(path, getattr(os, "O_PATH", 0) | os.O_DIRECTORY | os.O_CLOEXEC)
        self.ruleset = ruleset

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self.folder)
        if self.ruleset >= 0:
            os.close(self.ruleset)


class Slots:
    """The folders of one zygote.

    Args:
        root: existing folder below which they are made.
        build: makes the Landlock ruleset for a folder.
    """

    def __init__(self, root: str, build: Callable[[str], int]) -> None:
        self._root = root
        self._build = build
        self._free: list[Slot] = []

    def take(self) -> Slot:
        """Return an empty folder, a used one if there is one."""
        if self._free:
            return self._free.pop()
        path = os.path.join(self._root, os.urandom(8).hex())
        os.mkdir(path, 0o700)
        return Slot(path, self._build(path))

    def give_back(self, slot: Slot) -> bool:
        """Take a folder back after its child's end; False when it must be removed."""
        with os.scandir(slot.path) as entries:
            left = next(entries, None)
        if left is None:
            self._free.append(slot)
            return True
        slot.close()
        return False


def remove(path: str) -> None:
    """Remove a folder and what is below it, as far as its modes allow."""
    for folder, folders, files in os.walk(path, topdown=False):
        for name in files:
            _try(os.unlink, os.path.join(folder, name))
        for name in folders:
            _try(os.rmdir, os.path.join(folder, name))
    _try(os.rmdir, path)


def _try(action: Callable[[str], None], path: str) -> None:
    try:
        action(path)
    except NotADirectoryError:
        os.unlink(path)  # a link to a folder
    except OSError:
        return  # a folder without permissions stays until the zygote's whole tree is removed
