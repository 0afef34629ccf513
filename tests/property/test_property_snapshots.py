"""A snapshot is a cache: with any, none or a bad one, a run is recovered to the same."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from swarm_ray.core.commands import Command
from swarm_ray.core.events import SEMANTICS
from swarm_ray.engine.history import Thread
from swarm_ray.engine.loop import Engine
from swarm_ray.ports.log import Append, Snapshot
from swarm_ray.testing.faults import Faults
from swarm_ray.testing.memory_log import MemoryLog
from swarm_ray.testing.office import RUN
from swarm_ray.testing.plans import COPIED
from swarm_ray.testing.plans import SCENES as SINGLE
from swarm_ray.testing.world import World
from swarm_ray.values.codec import decode, encode

SCENES = SINGLE | COPIED
NEVER = 2**62
ITEMS = 8

scenes = st.sampled_from(sorted(SINGLE))
all_scenes = st.sampled_from(sorted(SCENES))
seeds = st.integers(0, 40)
places = st.floats(0, 1)


@cache
def history(scene: str, seed: int) -> tuple[bytes, ...]:
    """The log of one bad day, from its seed."""
    chosen = SCENES[scene]
    world = World(
        chosen.plan,
        seed,
        items=min(chosen.items, ITEMS),
        hosts=max(2, chosen.sites),
        sites=chosen.sites,
        faults=replace(Faults.heavy(), lie=1000),
        slice_tokens=chosen.slice_tokens,
        resumes=chosen.resumes,
        liars=chosen.liars,
    )
    world.play()
    return tuple(world.log.entries(RUN))


def log_of(entries: tuple[bytes, ...]) -> MemoryLog:
    log = MemoryLog(Random(0).randbytes)  # a simulation, not a secret
    log.commit([Append(RUN, log.acquire_epoch("first"), 0, entries)])
    return log


def recovered(log: MemoryLog, scene: str) -> tuple[Thread, list[tuple[str, Command]]]:
    engine = Engine(log, 1, lambda _: SCENES[scene].plan)
    commands = engine.recover([RUN])
    return engine.threads[RUN], commands


def snapshot_at(scene: str, entries: tuple[bytes, ...], size: int) -> Snapshot:
    """What a coordinator stores that stands at this size and rests."""
    log = log_of(entries[:size])
    engine = Engine(log, 1, lambda _: SCENES[scene].plan, tail_bytes=1)
    engine.recover([RUN])
    engine.rest()
    snapshot = log.get_snapshot(RUN)
    assert snapshot is not None
    assert snapshot.size == size
    return snapshot


def cut(scene: str, seed: int, place: float) -> tuple[tuple[bytes, ...], int]:
    entries = history(scene, seed)
    return entries, 1 + round(place * (len(entries) - 1))


@settings(max_examples=250, deadline=None, derandomize=True)
@given(all_scenes, seeds, places, places)
def test_a_run_is_the_same_with_a_snapshot_at_any_entry(
    scene: str, seed: int, end: float, place: float
) -> None:
    entries, size = cut(scene, seed, end)
    entries = entries[:size]
    early = 1 + round(place * (size - 1))
    log = log_of(entries)
    plain, commands = recovered(log, scene)
    log.put_snapshot(snapshot_at(scene, entries, early))
    again, same = recovered(log, scene)
    assert (again, same) == (plain, commands)
    assert [swarm.purse is again.run.purse for swarm in again.run.swarms.values()] == [
        swarm.purse is plain.run.purse for swarm in plain.run.swarms.values()
    ]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(all_scenes, seeds, places)
def test_a_run_goes_on_from_a_snapshot_as_it_did(scene: str, seed: int, place: float) -> None:
    """Every entry behind the snapshot says which commands had followed: they follow again."""
    entries, size = cut(scene, seed, place)
    thread, _ = recovered(log_of(entries), scene)
    log = log_of(entries)
    log.put_snapshot(snapshot_at(scene, entries, size))
    again, _ = recovered(log, scene)
    assert again.digest == thread.digest
    assert again.run.outstanding() == thread.run.outstanding()


def _other_seed(found: Snapshot, scene: str, seed: int) -> Snapshot:
    entries = history(scene, seed + 1)
    other = snapshot_at(scene, entries, min(found.size, len(entries)))
    return replace(found, state=other.state)


def _altered(found: Snapshot, change: Callable[[dict], None]) -> Snapshot:
    record = decode(found.state)
    change(record)
    return replace(found, state=encode(record, max_bytes=None))


BAD: dict[str, Callable[[Snapshot, str, int], Snapshot]] = {
    "newer semantics": lambda found, *_: replace(found, semantics=SEMANTICS + 1),
    "not JSON": lambda found, *_: replace(found, state=b"\x00 torn"),
    "torn": lambda found, *_: replace(found, state=found.state[:-9]),
    "another value": lambda found, *_: replace(found, state=b"[1,2]"),
    "an empty object": lambda found, *_: replace(found, state=b"{}"),
    "another layout": lambda found, *_: _altered(
        found, lambda record: record["machine"].update(layout="0" * 64)
    ),
    "no machine": lambda found, *_: _altered(found, lambda record: record.pop("machine")),
    "too few fields": lambda found, *_: _altered(
        found, lambda record: record["machine"]["run"].pop()
    ),
    "fields of other types": lambda found, *_: _altered(
        found, lambda record: record["machine"].update(run=[7] * 20)
    ),
    "purses of nobody": lambda found, *_: _altered(
        found, lambda record: record["machine"].update(purses=[])
    ),
    "another place": lambda found, *_: _altered(
        found, lambda record: record["place"].update(size=found.size + 1)
    ),
    "another digest": lambda found, *_: _altered(
        found, lambda record: record["place"].update(digest="0" * 16)
    ),
    "another run": _other_seed,
}


@pytest.mark.parametrize("name", BAD)
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(scene=scenes, seed=seeds, place=st.floats(0.2, 0.8))
def test_a_bad_snapshot_is_passed_over_with_a_warning(
    name: str, scene: str, seed: int, place: float, caplog: pytest.LogCaptureFixture
) -> None:
    entries, size = cut(scene, seed, place)
    plain, commands = recovered(log_of(entries), scene)
    log = log_of(entries)
    found = snapshot_at(scene, entries, size)
    bad = BAD[name](found, scene, seed)
    if bad == found:
        return  # the other seed had the same beginning
    log.put_snapshot(bad)
    caplog.clear()
    with caplog.at_level(logging.WARNING, "swarm_ray.snapshots"):
        assert recovered(log, scene) == (plain, commands)
    assert ["passed over" in record.message for record in caplog.records] == [True]


def test_no_snapshot_costs_more_than_the_log_it_spares(caplog: pytest.LogCaptureFixture) -> None:
    entries = history("many rounds", 3)
    tail = sum(map(len, entries)) // 5
    log = log_of(entries[:1])
    engine = Engine(log, 1, lambda _: SCENES["many rounds"].plan, tail_bytes=tail)
    engine.recover([RUN])
    sizes = []
    with caplog.at_level(logging.WARNING):
        for size in range(1, len(entries) - 1):
            log.commit([Append(RUN, 1, size, entries[size : size + 1])])
            engine.recover([RUN])
            engine.rest()
            found = log.get_snapshot(RUN)
            if found is not None and found.size not in sizes:
                sizes.append(found.size)
    gaps = [sum(map(len, entries[a:b])) for a, b in zip([0, *sizes], sizes, strict=False)]
    assert sizes
    assert all(gap >= tail for gap in gaps)
    assert not caplog.records
