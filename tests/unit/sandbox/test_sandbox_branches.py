"""Sandboxes of one attempt: branched off one warm template, replaced when it is lost."""

import os
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swarm_ray.ports.sandbox import AttemptPolicy, ZygotePolicy
from swarm_ray.sandbox.drivers import LandlockDriver
from swarm_ray.sandbox.zygote_process import Launch

FORKING = AttemptPolicy(processes=2)
STEP = {"name": "a", "kind": "skill", "uses": "s:f", "output": "o"}
TASKS = {"t": {"output": "o", "steps": [STEP]}}
SKILLS = {
    "s": "import os\n\n\ndef f(inputs, ctx):\n"
    "    ctx.tool('wait')\n"
    "    return os.system('exit 7') >> 8\n"
}


def started() -> set[int]:
    """Processes that this one has started and that are still there."""
    return {
        int(child)
        for thread in Path("/proc/self/task").glob("*/children")
        for child in thread.read_text().split()
    }


def comes_about(holds: Callable[[], Any], patience_s: float = 20) -> bool:
    until = time.monotonic() + patience_s
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    return bool(holds())


def answer(desk: Any) -> Any:
    """Let a worker that waits go on, and return its output."""
    asked = desk.hear()
    desk.send({"frame": "reply", "id": asked["id"], "ok": True, "value": None})
    return desk.result()["output"]


@pytest.fixture(params=["landlock", "bwrap"])
def place(request: pytest.FixtureRequest, start: Any, driver_named: Any) -> Any:
    return start(TASKS, SKILLS, driver=driver_named(request.param))


def test_attempts_that_fork_share_one_template_and_no_process(place: Any) -> None:
    before = started()
    with ExitStack() as stack:
        desks = [stack.enter_context(place.desk(FORKING)) for _ in range(3)]
        for desk in desks:
            desk.run("t", {})
        assert [answer(desk) for desk in desks] == [7, 7, 7]
        assert [desk.exit().code for desk in desks] == [0, 0, 0]
    assert len(started() - before) == 1
    assert place.zygote.isolation is None or not place.zygote.isolation.notes


def test_a_template_that_is_killed_takes_its_branches_along_and_is_replaced(place: Any) -> None:
    before = started()
    with place.desk(FORKING) as desk:
        desk.run("t", {})
        assert desk.hear()["name"] == "wait"
        [template] = started() - before
        os.kill(template, signal.SIGKILL)
        exit_ = desk.exit()
        assert exit_.lost
        assert exit_.reason
        assert desk.hear() == {"frame": "end"}
    with place.desk(FORKING) as desk:
        desk.run("t", {})
        assert answer(desk) == 7
    assert template not in started()
    assert len(started() - before) == 1


def test_a_child_that_is_killed_before_its_sandbox_is_there_is_reported_killed(place: Any) -> None:
    with place.desk(FORKING) as desk:
        desk.child.kill()
        assert desk.exit().signal == signal.SIGKILL


def test_programs_of_an_attempt_may_use_every_processor(start: Any, driver_named: Any) -> None:
    permitted = sorted(os.sched_getaffinity(0))
    source = "import os\n\n\ndef f(inputs, ctx):\n    return sorted(os.sched_getaffinity(0))\n"
    policy = ZygotePolicy(cpu=permitted[-1])
    place = start(TASKS, {"s": source}, driver=driver_named("landlock"), policy=policy)
    assert place.output("t") == [permitted[-1]]
    assert place.output("t", FORKING) == permitted


def test_closing_leaves_nothing_of_branches_that_run_or_wait(
    hostile: Path, driver_named: Any
) -> None:
    before = started()
    zygote = driver_named("landlock").start(hostile, ZygotePolicy())
    children = [zygote.take(FORKING) for _ in range(2)]
    assert comes_about(lambda: (zygote.exits(), zygote.ready)[1])
    children.append(zygote.take(FORKING))
    zygote.close()
    for child in children:
        child.close()
    assert comes_about(lambda: not started() - before)
    assert list(Path(tempfile.gettempdir()).glob(f"swarm-ray-{os.getpid()}-*")) == []
    assert list(Path("/sys/fs/cgroup").rglob(f"swarm-ray-{os.getpid()}-*")) == []


def test_where_branches_do_not_hold_each_attempt_has_a_zygote_and_the_report_says_so(
    start: Any, driver_named: Any
) -> None:
    driver_named("landlock")

    class Unable(LandlockDriver):
        """As on a machine that lets a template mount nothing."""

        def template(self, bundle: Path, policy: ZygotePolicy) -> Launch:
            launch = super().template(bundle, policy)
            return replace(launch, settings=launch.settings.changed(scratch="/no/such/folder"))

    place = start(TASKS, SKILLS, driver=Unable())
    before = started()
    with ExitStack() as stack:
        desks = [stack.enter_context(place.desk(FORKING)) for _ in range(2)]
        for desk in desks:
            desk.run("t", {})
        assert [answer(desks[0]), len(started() - before)] == [7, 2]
        assert answer(desks[1]) == 7
    assert comes_about(lambda: (place.look(0.1), place.zygote.ready)[1])
    [note] = place.zygote.isolation.notes
    assert "a zygote each" in note
    assert "/no/such/folder" in note
