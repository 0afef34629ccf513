"""A coordinator that comes back reads its snapshots, and does without them."""

import logging

import pytest
from engine_story import Town, letters

from swarm_ray.core.snapshot import freeze, layout, thaw
from swarm_ray.engine.snapshots import RESTING_SHARE, TAIL_BYTES, Tail
from swarm_ray.errors import IntegrityError
from swarm_ray.ledger.store import Store
from swarm_ray.ports.log import Snapshot
from swarm_ray.values.codec import decode, encode

COUNT = 600
"""Items whose log is long enough for a snapshot of a run that rests or is left."""
LEFT_AT = 450
SKILL = """\
def sort(inputs, ctx):
    if inputs["letter"] == 7:
        raise ctx.InputError("seven")
    return inputs["letter"]
"""
ASKING = "failure_action: review, min_success_ratio: 0.5"


def left(town: Town) -> str:
    """A run that was stopped in the middle."""
    files = letters(SKILL, "failure_action: skip, min_success_ratio: 0.5")
    run = town.open(files, letters=list(range(COUNT)))
    town.until(lambda: len(town.attempts(run)) >= LEFT_AT, "most results")
    town.stop()
    return run


def stored(town: Town, run: str) -> Snapshot | None:
    with Store.open(town.settings.folder, create=False) as store:
        return store.get_snapshot(run)


def test_a_run_that_was_left_goes_on_from_its_snapshot_and_leaves_none(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    run = left(town)
    found = stored(town, run)
    assert found is not None
    record = decode(found.state)["machine"]
    assert record["layout"] == layout()
    with caplog.at_level(logging.WARNING, "swarm_ray.snapshots"):
        town.start()
        plan = town.service._coordinator.thread_of(run).plan
        town.end(run)
    assert not caplog.records
    assert sorted(item for item, _ in town.attempts(run)) == list(range(COUNT))
    town.stop()
    assert stored(town, run) is None, "nobody can resume what is done"
    assert decode(encode(freeze(thaw(record, plan)), max_bytes=None)) == record
    for changed, code in (
        ({"layout": layout()[::-1]}, "snapshot.other_layout"),
        ({"run": record["run"][1:]}, "snapshot.malformed"),
    ):
        with pytest.raises(IntegrityError) as refused:
            thaw({**record, **changed}, plan)
        assert refused.value.code == code


def test_a_run_goes_on_although_its_snapshot_is_bad(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    run = left(town)
    with Store.open(town.settings.folder, create=False) as store:
        good = store.get_snapshot(run)
        assert good is not None
        store.put_snapshot(Snapshot(run, good.size, good.root, good.semantics, b"torn"))
    with caplog.at_level(logging.WARNING, "swarm_ray.snapshots"):
        town.start()
    assert "passed over" in caplog.text
    town.end(run)
    assert sorted(item for item, _ in town.attempts(run)) == list(range(COUNT))


def test_a_run_that_waits_for_a_person_has_a_snapshot(town: Town) -> None:
    run = town.open(letters(SKILL, ASKING), letters=list(range(COUNT)))
    town.until(lambda: town.handle(run).status() == "waiting", "a question")
    town.until(lambda: stored(town, run) is not None, "a snapshot")


def test_a_snapshot_is_due_when_it_spares_more_than_it_costs() -> None:
    assert not Tail(99, 0).due(100, resting=False)
    assert Tail(100, 0).due(100, resting=False)
    assert not Tail(100, 500).due(100, resting=False), "the state is larger than the log behind it"
    assert Tail(500, 500).due(100, resting=False)
    assert Tail(10, 500).due(10 * RESTING_SHARE, resting=True)
    assert not Tail(0, 0).due(TAIL_BYTES, resting=True)
