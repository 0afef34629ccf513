"""A ledger on disk, one in memory and one on servers, all held to the same contract."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm_ray.ledger.body_objects import BodyObjects
from swarm_ray.ledger.postgres import open_server
from swarm_ray.ledger.store import Store
from swarm_ray.testing.memory_log import MemoryLog

_TENANTS = itertools.count(1)


def counting_random() -> "itertools.count[int]":
    return itertools.count(1)


def salts(numbers: "itertools.count[int]"):
    return lambda size: next(numbers).to_bytes(size, "big")


def on_servers(url: str, bodies: str, tenant: str) -> Store:
    """Open the ledger of a tenant on the servers."""
    database = open_server(url, tenant, create=True, readonly=False)
    return Store(database, BodyObjects(bodies, tenant), lambda: 1_000, salts(counting_random()))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(
        tmp_path / "ledger", now_us=lambda: 1_000, random=salts(counting_random())
    ) as opened:
        yield opened


@pytest.fixture(params=["disk", "memory", pytest.param("servers", marks=pytest.mark.servers)])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store | MemoryLog]:
    if request.param == "memory":
        yield MemoryLog(salts(counting_random()))
    elif request.param == "servers":
        servers = request.getfixturevalue("servers")
        with on_servers(*servers, f"t{next(_TENANTS)}") as opened:
            yield opened
    else:
        with Store.open(
            tmp_path / "ledger", now_us=lambda: 1_000, random=salts(counting_random())
        ) as opened:
            yield opened
