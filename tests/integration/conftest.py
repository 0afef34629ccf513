"""One Ray cluster for all integration tests, kept by a process of its own; tenants come and go."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from ray_story import Keeper, Tenant  # importable from here on

_NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.ray)


@pytest.fixture(scope="session")
def keeper(own_home: Path) -> Iterator[Keeper]:
    """The cluster: a head node with dashboard; nodes can be added and killed."""
    folder = Path(tempfile.mkdtemp(prefix="sr-"))
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("keep_cluster.py")), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        found = Keeper(process, json.loads(process.stdout.readline()))
        before = os.environ.get("RAY_ADDRESS")
        os.environ["RAY_ADDRESS"] = found.address
        yield found
        os.environ.pop("RAY_ADDRESS")
        if before is not None:
            os.environ["RAY_ADDRESS"] = before
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def joined(keeper: Keeper) -> Iterator[Keeper]:
    """This process is a driver of the cluster."""
    import ray

    yield keeper
    ray.shutdown()


@pytest.fixture
def tenant(joined: Keeper, tmp_path: Path) -> Iterator[Tenant]:
    """A tenant with a ledger, coordinator and hosts of its own; nothing of it survives."""
    found = Tenant(joined, tmp_path / "home", f"t{next(_NUMBERS)}")
    yield found
    found.leave()
    found.assert_nothing_is_left()
