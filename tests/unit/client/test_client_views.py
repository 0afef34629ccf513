"""The fold of a log agrees with the machine, whatever went wrong in the world it came from."""

from collections import Counter

import pytest

from swarm_ray.core.plan import Convergence, FanOut, Plan, Retry, Step
from swarm_ray.engine.lifecycle import EVENTS, Lifecycle
from swarm_ray.engine.viewer import Viewer
from swarm_ray.testing.faults import Faults
from swarm_ray.testing.world import RUN, World

PLAN = Plan(
    "folded",
    1,
    (
        Step("first", task="one", output="a"),
        Step(
            "spread",
            fan_out=FanOut(
                "a",
                "each",
                4,
                Convergence(min_success_ppm=500_000, failure_action="skip"),
                retry=Retry(initial_interval_us=20_000),
            ),
            output="b",
        ),
    ),
)


def played(seed: int, faults: Faults) -> tuple[Viewer, list[dict]]:
    """Play a world and fold its log."""
    world = World(PLAN, seed, items=12, faults=faults, slice_tokens=50)
    world.play()
    viewer = Viewer(PLAN)
    lifecycle = Lifecycle(viewer)
    records: list[dict] = []
    for data in world.log.entries(RUN):
        records += lifecycle.after(viewer.take(data))
    return viewer, records


@pytest.mark.parametrize("seed", range(12))
def test_attempts_and_cost_of_the_view_are_those_of_the_machine(seed: int):
    viewer, _ = played(seed, Faults())
    view = viewer.view()
    attempts = [one for swarm in view.swarms for one in swarm.attempts]
    assert view.closed
    assert len(attempts) == view.attempts
    counted = sum(swarm.usage.attempts for swarm in viewer.run.swarms.values())
    idle = [one for one in attempts if one.status == "cancelled" and not one.tokens]
    assert not idle, f"seed {seed}: an attempt that never began is counted"
    assert len(attempts) <= counted
    assert sum(one.tokens for one in attempts) == view.tokens
    for swarm in view.swarms:
        accepted = [one.item for one in swarm.attempts if one.status == "ok"]
        assert Counter(accepted) <= Counter(range(swarm.items)), f"seed {seed}: accepted twice"
        assert set(swarm.accepted) <= set(accepted)
        assert swarm.settled <= swarm.items


@pytest.mark.parametrize("seed", range(12))
def test_lifecycle_events_come_in_an_order_that_makes_sense(seed: int):
    _, records = played(seed, Faults())
    assert {record["event"] for record in records} <= set(EVENTS)
    by_swarm: dict[str, list[str]] = {}
    for record in records:
        if record["event"].startswith("swarm."):
            by_swarm.setdefault(record["swarm"], []).append(record["event"])
    for events in by_swarm.values():
        assert events[0] == "swarm.started", f"seed {seed}"
        if events[-1] == "swarm.completed":
            assert events[-2] == "swarm.converging"
        assert events.count("swarm.completed") <= 1


def test_in_a_world_where_all_is_well_every_worker_starts_and_completes_once():
    viewer, records = played(1, Faults.none())
    told = Counter(record["event"] for record in records)
    assert told["worker.started"] == told["worker.completed"] == 13
    assert told["swarm.started"] == told["swarm.converging"] == told["swarm.completed"] == 1
    assert not told["worker.retried"]
    assert not told["worker.failed"]
    view = viewer.view()
    assert [step.state for step in view.steps] == ["done", "done"]
    assert view.fan_outs()[0].succeeded == 12


def test_an_empty_input_set_starts_converges_and_ends_in_one_entry():
    world = World(PLAN, 3, items=0, faults=Faults.none())
    world.play()
    viewer = Viewer(PLAN)
    lifecycle = Lifecycle(viewer)
    found = [one for data in world.log.entries(RUN) for one in lifecycle.after(viewer.take(data))]
    events = [one["event"] for one in found if one["event"].startswith("swarm.")]
    assert events[0] == "swarm.started"
    assert events[-1] in ("swarm.completed", "swarm.aborted")


def test_a_view_is_plain_data():
    import json

    viewer, _ = played(2, Faults())
    record = json.loads(json.dumps(viewer.view().to_dict()))
    spread = next(swarm for swarm in record["swarms"] if swarm["kind"] == "fan_out")
    assert len(spread["states"]) == 12
    assert record["run"] == RUN


def test_what_hosts_hold_is_at_work_up_to_the_lanes_and_queued_beyond():
    widest = 0
    for seed in range(6):
        world = World(PLAN, seed, items=40, faults=Faults.none(), slice_tokens=50)
        world.play()
        viewer = Viewer(PLAN)
        for data in world.log.entries(RUN):
            viewer.take(data)
            for swarm in viewer.view().swarms:
                assert swarm.running <= swarm.concurrency, f"seed {seed}"
                assert swarm.running == swarm.concurrency or not swarm.queued, f"seed {seed}"
                widest = max(widest, swarm.queued)
    assert widest, "no attempt ever waited for a lane"


def test_an_attempt_that_was_withdrawn_before_it_began_is_no_attempt():
    found = 0
    for seed in range(30):
        world = World(PLAN, seed, items=12, faults=Faults(), slice_tokens=50)
        world.play()
        viewer = Viewer(PLAN)
        for data in world.log.entries(RUN):
            viewer.take(data)
        told = viewer.view().attempts
        counted = sum(swarm.usage.attempts for swarm in viewer.run.swarms.values())
        assert told <= counted, f"seed {seed}"
        found += counted - told
    assert found, "no world withdrew an attempt before it began"
