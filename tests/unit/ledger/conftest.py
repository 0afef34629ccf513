"""A ledger on disk and one in memory, both held to the same contract."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm_ray.ledger.store import Store
from swarm_ray.testing.memory_log import MemoryLog


def counting_random() -> "itertools.count[int]":
    return itertools.count(1)


def salts(numbers: "itertools.count[int]"):
    return lambda size: next(numbers).to_bytes(size, "big")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(
        tmp_path / "ledger", now_us=lambda: 1_000, random=salts(counting_random())
    ) as opened:
        yield opened


@pytest.fixture(params=["disk", "memory"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store | MemoryLog]:
    if request.param == "memory":
        yield MemoryLog(salts(counting_random()))
        return
    with Store.open(
        tmp_path / "ledger", now_us=lambda: 1_000, random=salts(counting_random())
    ) as opened:
        yield opened
