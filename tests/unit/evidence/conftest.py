"""Lets the tests import their driver and share one finished run."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from evidence_story import PEOPLE, copy_from, file_of, run_once

from swarm_ray.config import Settings


class Exported:
    """A finished run, its copy and the bytes of its file."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home, organisation="acme", site="eu")
        self.run = run_once(self.settings, PEOPLE, home / "out")
        self.copy = copy_from(self.settings, self.run)
        self.data = file_of(self.copy)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported(tmp_path_factory.mktemp("home"))
