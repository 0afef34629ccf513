"""What holds for every test: a home of its own, Ray without token auth, no skips in CI."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

THOROUGH = ("property", "unit/blueprints", *(f"unit/placement/{one}" for one in
            ("distinct", "forecast", "simulate", "solve")))  # fmt: skip
"""Folders whose tests try many seeds or sizes, left out of plain `make`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    folders = [here / one for one in THOROUGH]
    for item in items:
        if any(folder in item.path.parents for folder in folders):
            item.add_marker(pytest.mark.thorough)


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("home")
    before = {name: os.environ.get(name) for name in ("HOME", "RAY_AUTH_MODE", "SWARM_RAY_HOME")}
    os.environ.update(
        HOME=str(home), RAY_AUTH_MODE="disabled", SWARM_RAY_HOME=str(home / "swarm_ray")
    )
    yield home
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def objects(own_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an S3 server with Object Lock, which boto3 finds in every process of this home."""
    from swarm_ray.testing.servers import object_server, tell_boto3

    with object_server(tmp_path_factory.mktemp("objects")) as url:
        tell_boto3(own_home, url)
        yield url


@pytest.fixture(scope="session")
def servers(objects: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """URL of a PostgreSQL server, and of a folder in a bucket of the S3 server."""
    from swarm_ray.testing.servers import make_bucket, postgres_server

    folder = tmp_path_factory.mktemp("postgres")
    # the server's own account must be able to walk there
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    make_bucket("ledger")
    with postgres_server(folder / "server") as url:
        yield url, "s3://ledger/tests"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("SWARM_RAY_NO_SKIPS"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped where skipping is a failure"
    return report
