"""What holds for every test: a home of its own, Ray without token auth, no skips in CI."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest


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
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """URL of a PostgreSQL server, and of a folder in a bucket of an S3 server that boto3 finds."""
    from swarm_ray.testing.servers import make_bucket, object_server, postgres_server

    folder = tmp_path_factory.mktemp("servers")
    # the server's own account must be able to walk there
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    with postgres_server(folder / "postgres") as url, object_server(folder / "objects") as objects:
        before = dict(os.environ)
        os.environ.update(objects.environment)
        make_bucket("ledger")
        yield url, "s3://ledger/tests"
        os.environ.clear()
        os.environ.update(before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("SWARM_RAY_NO_SKIPS"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped where skipping is a failure"
    return report
