"""Temporary folders of children, made ahead and used again when they were left empty.

Decides which folder a child gets. A folder in which anything was left is never handed out again; a
separate process removes it, so that a deep tree cannot hold the zygote up.
"""

import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slot:
    """One child's folder and the ruleset that opens it to that child alone."""

    path: str
    ruleset: int


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
        path = os.path.join(self._root, secrets.token_hex(8))
        os.mkdir(path, 0o700)
        return Slot(path, self._build(path))

    def give_back(self, slot: Slot) -> bool:
        """Take a folder back after its child's end; False when it must be removed."""
        with os.scandir(slot.path) as entries:
            left = next(entries, None)
        if left is None:
            self._free.append(slot)
            return True
        if slot.ruleset >= 0:
            os.close(slot.ruleset)
        return False


def remove(path: str) -> None:
    """Remove a folder and what is below it, as far as its modes allow."""
    shutil.rmtree(path, ignore_errors=True)
