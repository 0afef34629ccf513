"""Runs read from the ledger alone, and what a short id means."""

from pathlib import Path

import pytest

import swarm_ray as swarm
from swarm_ray.client.archive import Archive, resolve_run
from swarm_ray.client.following import Bodies, Follower
from swarm_ray.client.results import collect_result
from swarm_ray.client.session import Session
from swarm_ray.client.story import tell
from swarm_ray.config import Settings
from swarm_ray.errors import UsageError

RUNS = ["01a1fa8bbfd270099c4b9a10b9d19cf8", "01a1fa8bc2207e6ea451e80a0ce1b870"]


def shout(item):
    return item.upper()


def test_a_unique_beginning_or_end_is_enough():
    assert resolve_run("b9d19cf8", RUNS) == RUNS[0]
    assert resolve_run("run-0ce1b870", RUNS) == RUNS[1]
    assert resolve_run("01a1fa8bb", RUNS) == RUNS[0]
    assert resolve_run("last", RUNS) == RUNS[1]
    assert resolve_run(RUNS[0], RUNS) == RUNS[0]


def test_what_is_not_unique_or_unknown_is_refused_with_a_hint():
    with pytest.raises(UsageError) as caught:
        resolve_run("01a1", RUNS)
    assert caught.value.code == "run.ambiguous"
    with pytest.raises(UsageError) as caught:
        resolve_run("b9d19cf7", RUNS)
    assert caught.value.code == "run.unknown"
    assert "b9d19cf8" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        resolve_run("last", [])
    assert "nothing has run here yet" in caught.value.hint


def test_the_ledger_alone_tells_the_same_as_the_coordinator(session: Session):
    handle = swarm.map(shout, ["pear", "flaky"])
    result = handle.result(20)
    archive = Archive.of(session.settings)
    assert archive is not None
    assert archive.runs() == [handle.id]
    view = Follower(archive, handle.id).catch_up()
    assert collect_result(view, Bodies(archive)) == result
    assert tell(archive, handle.id) == handle.story()
    archive.close()


def test_a_place_where_nothing_has_run_has_no_archive(tmp_path: Path):
    assert Archive.of(Settings(home=tmp_path)) is None
    assert not (tmp_path / "tenants").exists()
