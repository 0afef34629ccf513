"""Lets the stories import their driver, and gives each a deployment of its own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from engine_story import Town  # importable from here on


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A coordinator with one host of real sandboxes in this process; nothing of it survives."""
    found = Town(tmp_path / "home")
    yield found
    found.close()
    found.assert_clean()
