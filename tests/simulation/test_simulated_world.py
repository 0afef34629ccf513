"""A thousand deployments in which things go wrong, and a hundred in which nearly all does.

Every failure names the seed and the scene; `play(scene, seed, faults)` below plays it again.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from swarm_ray.core.events import KINDS, RunClosed
from swarm_ray.engine.history import read_entry
from swarm_ray.errors import InternalError, SwarmError
from swarm_ray.testing.faults import Faults
from swarm_ray.testing.histories import OF_COPIES
from swarm_ray.testing.office import RUN
from swarm_ray.testing.plans import SCENES
from swarm_ray.testing.world import World

NAMES = tuple(SCENES)
SEEDS = 1_000
HEAVY_SEEDS = 130
CHUNK = 50


@pytest.fixture(autouse=True)
def every_snapshot_holds(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The offices recover from snapshots; passing one over would hide that it is wrong."""
    yield
    told = [record.getMessage() for record in caplog.get_records("call")]
    assert not [text for text in told if "passed over" in text]


def world_of(scene: str, seed: int, faults: Faults) -> World:
    chosen = SCENES[scene]
    return World(
        chosen.plan,
        seed,
        items=chosen.items,
        hosts=2 + seed % 4,
        slots=1 + seed % 5,
        sites=1 + seed % 2,
        faults=faults,
        slice_tokens=chosen.slice_tokens,
        resumes=chosen.resumes,
    )


def play(scene: str, seed: int, faults: Faults) -> RunClosed:
    """Play one world; what breaks is reported with its seed."""
    world = world_of(scene, seed, faults)
    try:
        closed = world.play()
        world.check()
    except (SwarmError, ArithmeticError, LookupError, AssertionError) as error:
        raise AssertionError(f"seed {seed} of {scene!r} under {faults}: {error!r}") from error
    return closed


CHUNKS = [
    pytest.param(start, marks=pytest.mark.thorough if start > CHUNK else ())
    for start in range(0, SEEDS, CHUNK)
]


@pytest.mark.parametrize("start", CHUNKS)
def test_a_thousand_bad_days(start: int) -> None:
    for seed in range(start, start + CHUNK):
        play(NAMES[seed % len(NAMES)], seed, Faults())


@pytest.mark.thorough
@pytest.mark.parametrize("scene", NAMES)
def test_days_on_which_little_works(scene: str) -> None:
    for seed in range(HEAVY_SEEDS // len(NAMES)):
        play(scene, 10_000 + seed, Faults.heavy())


@pytest.mark.parametrize("scene", NAMES)
def test_on_a_good_day_everything_is_done(scene: str) -> None:
    world = world_of(scene, 1, Faults.none())
    closed = world.play()
    world.check()
    if scene not in ("vote", "refusals"):  # their workers may disagree
        assert closed.status == "done"
    assert world.facts.offices == 1
    swarms = world.office.engine.threads[RUN].run.swarms.values()
    assert 0 < world.facts.begun <= sum(swarm.usage.attempts for swarm in swarms)


def test_the_same_seed_gives_the_same_log() -> None:
    logs = []
    for _ in range(2):
        world = world_of("three fan-outs", 77, Faults.heavy())
        world.play()
        logs.append(list(world.log.entries(RUN)))
    assert logs[0] == logs[1]


def test_the_worlds_meet_every_event_and_every_trouble() -> None:
    met: dict[str, int] = dict.fromkeys(set(KINDS) - set(OF_COPIES), 0)
    offices = refused = budgets = 0
    for seed, scene in enumerate(NAMES * 5):
        world = world_of(scene, 20_000 + seed, Faults.heavy())
        run = world.play()
        offices += world.facts.offices - 1
        refused += world.facts.refused
        budgets += "budget.exhausted" in run.code
        for data in world.log.entries(RUN):
            met[read_entry(data)[1]["kind"]] += 1
    assert min(met.values()) > 0, met
    assert offices > 20
    assert refused > 0
    assert budgets > 0


def test_a_world_that_cannot_end_says_so_with_its_seed() -> None:
    plan = SCENES["collect"].plan
    full_disk = replace(Faults.none(), write_error=1000)
    with pytest.raises(InternalError) as error:
        World(plan, 4711, items=1, hosts=1, faults=full_disk).play()
    assert error.value.code == "world.stuck"
    assert "4711" in error.value.message


def test_a_run_ends_even_when_no_message_arrives() -> None:
    world = World(SCENES["collect"].plan, 5, items=2, hosts=1, faults=Faults(lose_message=1000))
    assert world.play().status == "failed"
    assert world.facts.begun == 0
    world.check()


def test_a_broken_promise_is_noticed() -> None:
    world = world_of("collect", 3, Faults.none())
    world.play()
    world.facts.repeats.append(("swarm-1", 0))
    with pytest.raises(InternalError) as error:
        world.check()
    assert error.value.code == "world.broken"
    assert "dispatched again" in error.value.message
