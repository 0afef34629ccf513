"""Swarms whose items have copies in three organisations, one of which lies, in worlds that break.

Every failure names its seed; `world_of(scene, seed, faults)` plays it again.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarm_ray.core.events import Dispatched, RunClosed, Stranded
from swarm_ray.core.plan import Convergence, Plan, Step
from swarm_ray.core.run import Run
from swarm_ray.core.swarm import Swarm
from swarm_ray.engine.history import read_entry
from swarm_ray.testing.faults import Faults
from swarm_ray.testing.machines import WRONG
from swarm_ray.testing.office import RUN
from swarm_ray.testing.plans import COPIED, MAJORITY, fan_out
from swarm_ray.testing.world import World

SEEDS = 40
HEAVY_SEEDS = 10


@pytest.fixture(autouse=True)
def every_snapshot_holds(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The offices recover from snapshots; passing one over would hide that it is wrong."""
    yield
    told = [record.getMessage() for record in caplog.get_records("call")]
    assert not [text for text in told if "passed over" in text]


def world_of(scene: str, seed: int, faults: Faults) -> World:
    chosen = COPIED[scene]
    return World(
        chosen.plan,
        seed,
        items=chosen.items,
        hosts=chosen.sites + seed % 4,
        slots=1 + seed % 5,
        sites=chosen.sites,
        faults=replace(faults, lie=1000),
        resumes=chosen.resumes,
        liars=chosen.liars,
    )


def played(world: World) -> tuple[Run, Swarm]:
    """Play a world to its end, check every promise, and return the last swarm with copies."""
    world.play()
    world.check()
    run = world.office.engine.threads[RUN].run
    return run, [swarm for swarm in run.swarms.values() if swarm.panel is not None][-1]


def apart(world: World) -> None:
    """Every copy that answered was in a domain of its own, as the log has it."""
    places: dict[tuple[str, int, int], str] = {}
    for data in world.log.entries(RUN):
        event, _ = read_entry(data)
        if isinstance(event, Dispatched) and event.domain:
            for item, attempt in zip(event.items, event.attempts, strict=True):
                places[event.swarm, item, attempt] = event.domain
    for swarm in world.office.engine.threads[RUN].run.swarms.values():
        for item, cast in (swarm.panel.votes if swarm.panel else {}).items():
            domains = [places[swarm.id, item, vote.attempt] for vote in cast]
            assert len(set(domains)) == len(domains), (world.seed, item)


@pytest.mark.parametrize("scene", [name for name in COPIED if name != "copies to a person"])
@pytest.mark.parametrize(
    ("faults", "seeds"),
    [(Faults.none(), 3), (Faults(), SEEDS // 3), (Faults.heavy(), HEAVY_SEEDS)],
    ids=["good day", "bad day", "little works"],
)
def test_no_result_of_a_lying_organisation_is_ever_taken(scene: str, faults: Faults, seeds: int):
    for seed in range(seeds):
        world = world_of(scene, seed, faults)
        run, swarm = played(world)
        apart(world)
        assert WRONG not in {label for label, _ in swarm.labels.values()}, (scene, seed)
        if faults == Faults.none():
            assert run.closed is not None
            assert run.closed.status == "done"
            assert swarm.succeeded == swarm.opened.items


def test_a_swarm_whose_organisations_vanish_goes_on_when_they_come_back_or_says_why_it_ends():
    reported, codes = 0, set()
    for seed in range(12):
        world = world_of("copies", seed, replace(Faults(), crash_host=8, new_host=0, late_host=900))
        run, swarm = played(world)
        apart(world)
        found = [read_entry(data)[0] for data in world.log.entries(RUN)]
        reported += sum(isinstance(event, Stranded) and event.items > 0 for event in found)
        assert run.closed is not None
        codes |= {event.code for event in found if isinstance(event, RunClosed)}
        assert WRONG not in {label for label, _ in swarm.labels.values()}
    assert reported > 0
    assert {"", "copies.too_few_domains"} <= codes


def test_a_person_is_asked_where_two_copies_disagree():
    asked = 0
    for seed in range(6):
        world = world_of("copies to a person", seed, Faults())
        run, swarm = played(world)
        apart(world)
        asked += sum(read_entry(data)[1]["kind"] == "decided" for data in world.log.entries(RUN))
        assert swarm.panel is not None
        assert run.closed is not None
    assert asked > 0


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**32),
    liar=st.sampled_from(("site-0", "site-1", "site-2")),
    lie=st.sampled_from((1000, 300)),
    hosts=st.integers(3, 8),
    faults=st.builds(
        Faults,
        lose_message=st.integers(0, 150),
        duplicate_message=st.integers(0, 150),
        crash_host=st.integers(0, 15),
        crash_coordinator=st.integers(0, 30),
        rival_coordinator=st.integers(0, 20),
        write_error=st.integers(0, 30),
        transient=st.integers(0, 120),
        rate_limited=st.integers(0, 60),
        bad_input=st.just(0),
        cancel_item=st.just(0),
    ),
)
def test_a_swarm_over_three_organisations_survives_that_one_lies(seed, liar, lie, hosts, faults):
    spec = replace(fan_out(Convergence()), redundancy=MAJORITY)
    plan = Plan("court", 1, (Step("work", output="results", fan_out=spec),))
    world = World(
        plan,
        seed,
        items=9,
        hosts=hosts,
        sites=3,
        faults=replace(faults, lie=lie, refuse_convergence=0, refuse_step=0),
        resumes=5,
        liars=(liar,),
    )
    run, swarm = played(world)
    apart(world)
    assert run.closed is not None
    assert WRONG not in {label for label, _ in swarm.labels.values()}
    if run.closed.status == "done":
        assert swarm.succeeded == 9


def test_two_lying_organisations_of_three_are_believed():
    """The other side of the promise: what agrees in two of three is taken."""
    spec = replace(fan_out(Convergence()), redundancy=MAJORITY)
    plan = Plan("court", 1, (Step("work", output="results", fan_out=spec),))
    faults = replace(Faults.none(), lie=1000)
    world = World(plan, 1, items=6, hosts=6, sites=3, faults=faults, liars=("site-0", "site-1"))
    _, swarm = played(world)
    assert {label for label, _ in swarm.labels.values()} == {WRONG}
