"""The story of a run and of one item, in words."""

import pytest

import swarm_ray as swarm
from swarm_ray.errors import UsageError
from swarm_ray.testing.service import SANDBOXES
from swarm_ray.values.digests import sha256

pytestmark = pytest.mark.usefixtures("session")


def shout(item):
    return item.upper()


def finished(*words: str) -> swarm.RunHandle:
    handle = swarm.map(
        shout,
        list(words),
        retry={"max_attempts": 2, "initial_interval": "10ms"},
        convergence=swarm.Collect(min_success_ratio=0.5, failure_action="skip"),
    )
    handle.result(20)
    return handle


def test_the_story_tells_failures_retries_and_convergence_in_order():
    story = finished("pear", "flaky", "bad").story()
    lines = story.split("\n")
    told = [
        "was opened for tenant default",
        "fanned out over 3 items",
        "worker-001 failed in attempt 1",
        "worker-001 was tried again",
        "converged by collect: 2 of 3 items, with partial results",
        "The run is done.",
        "Cost: 4 attempts, 20 tokens",
    ]
    places = [next(at for at, line in enumerate(lines) if text in line) for text in told]
    assert places == sorted(places)
    assert "(transient, worker.crashed): the worker crashed. It will be tried again" in story
    assert "(input, skill.raised): ValueError: <b>bad</b> & worse. It was skipped." in story


def test_times_in_a_story_never_go_back():
    lines = finished("pear", "flaky").story().split("\n")
    times = [float(line[:10]) for line in lines if line[:10].strip().replace(".", "").isdigit()]
    assert len(times) > 5
    assert times == sorted(times)


def test_the_story_of_one_item_has_its_input_attempts_and_output():
    story = finished("pear", "flaky").story(1)
    assert "flaky" in story
    assert "it ended as transient (worker.crashed)" in story
    assert "with a trace" in story
    assert "The item is now done." in story
    assert f"isolation scripted, sandbox {sha256(SANDBOXES[0].encode())[:12]})" in story
    assert '"word": "flaky"' in story
    assert "pear" not in story


def test_an_item_that_does_not_exist_is_refused():
    handle = finished("pear")
    with pytest.raises(UsageError) as caught:
        handle.story(7)
    assert caught.value.code == "run.unknown_item"
    assert "items 0 to 0" in caught.value.hint


def test_a_large_swarm_is_counted_rather_than_listed():
    story = finished(*["pear"] * 60, "bad").story()
    assert "60 workers" in story or "workers (" in story
    assert "worker-060 failed" in story
    assert len(story.split("\n")) < 60


def test_a_very_large_swarm_is_told_in_tenths():
    story = finished(*["pear"] * 400, *["bad"] * 60).story()
    lines = story.split("\n")
    assert sum("have succeeded" in line for line in lines) <= 10
    assert sum("(input, skill.raised)" in line for line in lines) == 50
    assert "are not told one by one" in story
    assert len(lines) < 90
