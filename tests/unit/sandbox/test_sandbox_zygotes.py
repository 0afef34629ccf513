"""A zygote as a host holds it: reserve, exits, loss, and nothing left behind."""

import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from swarm_ray.errors import UsageError, WorkerError
from swarm_ray.ports.sandbox import AttemptPolicy, ZygotePolicy
from swarm_ray.sandbox.probe import ask

DEFAULT = AttemptPolicy()


def processes_below(pid: int) -> list[int]:
    """The process and all it has started, as the host sees them."""
    found = [pid]
    for parent in found:
        for thread in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in thread.read_text().split()]
    return found


def alive(pids: list[int]) -> list[int]:
    states = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            states.append(pid)
    return states


def wait_until(holds: Any, patience_s: float = 10) -> bool:
    until = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def make_ready(zygote: Any) -> None:
    assert wait_until(lambda: (zygote.exits(), zygote.ready)[1]), zygote.failure


@pytest.mark.parametrize("name", ["landlock", "landlock-without-namespaces", "bwrap", "none"])
def test_closing_a_zygote_leaves_no_process_and_no_file(
    name: str, driver_named: Any, hostile: Path
) -> None:
    zygote = driver_named(name).start(hostile, ZygotePolicy(reserve=3))
    make_ready(zygote)
    child = zygote.take(DEFAULT)
    assert wait_until(lambda: len(processes_below(zygote.pid)) >= 4)
    pids = processes_below(zygote.pid)
    zygote.close()
    child.close()
    assert wait_until(lambda: not alive(pids))
    assert list(Path(tempfile.gettempdir()).glob(f"swarm-ray-{os.getpid()}-*")) == []
    with pytest.raises(WorkerError) as caught:
        zygote.take(DEFAULT)
    assert caught.value.code == "sandbox.zygote_gone"


@pytest.mark.parametrize("name", ["landlock", "bwrap"])
def test_when_a_zygote_is_killed_every_child_ends_and_is_reported_lost(
    name: str, driver_named: Any, hostile: Path
) -> None:
    zygote = driver_named(name).start(hostile, ZygotePolicy(reserve=2))
    try:
        make_ready(zygote)
        children = [zygote.take(DEFAULT) for _ in range(3)]
        pids = processes_below(zygote.pid)
        os.kill(zygote.pid, 9)
        lost: list[Any] = []
        assert wait_until(lambda: lost.extend(zygote.exits()) or not zygote.alive)
        assert {each.token for each in lost} == {child.token for child in children}
        assert all(each.lost and each.reason for each in lost)
        assert wait_until(lambda: not alive(pids))
        for child in children:
            child.close()
    finally:
        zygote.close()


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("landlock", "LandlockDriver()"),
        ("landlock-without-namespaces", "LandlockDriver(namespaces=False)"),
        ("bwrap", "BwrapDriver()"),
    ],
)
def test_a_host_that_dies_takes_its_zygote_along(
    name: str, made: str, driver_named: Any, hostile: Path
) -> None:
    driver_named(name)
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from swarm_ray.ports.sandbox import ZygotePolicy\n"
        "from swarm_ray.sandbox.drivers import LandlockDriver, BwrapDriver\n"
        f"zygote = {made}.start(Path({str(hostile)!r}), ZygotePolicy())\n"
        "while not zygote.ready:\n"
        "    zygote.exits(); time.sleep(0.01)\n"
        "print(zygote.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    root = str(Path(__file__).parents[3])
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=root
    ) as host:
        assert host.stdout is not None
        zygote = int(host.stdout.readline())
        assert wait_until(lambda: len(processes_below(zygote)) > 2)
        pids = processes_below(zygote)
        host.kill()
    assert wait_until(lambda: not alive(pids))


def test_a_child_is_there_before_the_zygote_is_ready(hostile: Path, driver_named: Any) -> None:
    zygote = driver_named("landlock").start(hostile, ZygotePolicy(reserve=0))
    try:
        child = zygote.take(DEFAULT)
        assert not zygote.ready
        child.close()  # a child without a run frame ends by itself
        ended: list[Any] = []
        assert wait_until(lambda: ended.extend(zygote.exits()) or ended)
        assert [(each.token, each.code) for each in ended] == [(child.token, 0)]
    finally:
        zygote.close()


def test_exits_are_told_on_one_descriptor_with_what_was_used(
    hostile: Path, driver_named: Any
) -> None:
    zygote = driver_named("landlock").start(hostile, ZygotePolicy())
    try:
        make_ready(zygote)
        assert select.select([zygote.fileno()], [], [], 0)[0] == []
        children = [zygote.take(DEFAULT) for _ in range(40)]
        assert len({child.token for child in children}) == 40
        for child in children:
            child.close()
        ended: list[Any] = []
        assert wait_until(lambda: ended.extend(zygote.exits()) or len(ended) == 40)
        assert {each.token for each in ended} == {child.token for child in children}
        assert all(each.code == 0 and not each.lost for each in ended)
        assert all(each.cpu_us > 0 and each.max_rss_bytes > 1 << 20 for each in ended)
        assert zygote.exits() == []
    finally:
        zygote.close()


def test_killing_a_child_with_a_sandbox_of_its_own_is_reported(
    hostile: Path, driver_named: Any
) -> None:
    zygote = driver_named("landlock").start(hostile, ZygotePolicy())
    try:
        make_ready(zygote)
        child = zygote.take(AttemptPolicy(processes=2))
        child.kill()
        ended: list[Any] = []
        assert wait_until(lambda: ended.extend(zygote.exits()) or ended)
        assert (ended[0].token, ended[0].signal) == (child.token, 9)
        child.close()
    finally:
        zygote.close()


@pytest.mark.parametrize("name", ["landlock", "bwrap", "none"])
def test_a_folder_that_is_no_bundle_is_refused_at_once(
    name: str, driver_named: Any, tmp_path: Path
) -> None:
    driver = driver_named(name)
    with pytest.raises(UsageError) as caught:
        driver.start(tmp_path, ZygotePolicy())
    assert caught.value.code == "bundle.not_readable"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"preload": ("no_such_library",)}, "bundle.preload"),
        ({"knowledge": {}}, "bundle.knowledge"),
    ],
)
def test_a_bundle_that_lacks_a_part_says_which(start: Any, fields: Any, code: str) -> None:
    step = {"name": "a", "kind": "skill", "uses": "s:f", "output": "o"}
    task = {"output": "o", "steps": [step], "knowledge": ["k"] if "knowledge" in fields else []}
    zygote = start({"t": task}, {"s": "def f(inputs, ctx):\n    return 1\n"}, **fields).zygote
    assert wait_until(lambda: zygote.exits() is not None and not zygote.alive)
    assert code in zygote.failure


@pytest.mark.parametrize("name", ["landlock", "bwrap"])
def test_preloaded_libraries_are_there_before_the_fork(
    name: str, driver_named: Any, start: Any
) -> None:
    source = (
        "import sys\nbefore = 'difflib' in sys.modules\n\n\n"
        "def f(inputs, ctx):\n    return before\n"
    )
    step = {"name": "a", "kind": "skill", "uses": "s:f", "output": "o"}
    task = {"output": "o", "steps": [step]}
    driver = driver_named(name)
    assert start({"t": task}, {"s": source}, driver=driver, preload=("difflib",)).output("t")
    assert not start({"t": task}, {"s": source}, driver=driver).output("t")


@pytest.mark.parametrize("name", ["landlock", "bwrap"])
def test_an_installed_library_may_be_preloaded_into_a_confined_worker(
    name: str, driver_named: Any, start: Any
) -> None:
    source = "import yaml\n\n\ndef f(inputs, ctx):\n    return yaml.safe_load(inputs['text'])\n"
    step = {"name": "a", "kind": "skill", "uses": "s:f", "output": "o"}
    task = {"output": "o", "steps": [{**step, "gate": "output.a == 1"}]}
    place = start({"t": task}, {"s": source}, driver=driver_named(name), preload=("yaml",))
    assert place.output("t", text="a: 1") == {"a": 1}


def test_no_code_of_the_bundle_runs_in_the_zygote(start: Any, driver_named: Any) -> None:
    # Every import of this module prints its process; the zygote's own would be process 1.
    source = "import os\nwho = os.getpid()\n\n\ndef f(inputs, ctx):\n    return who\n"
    step = {"name": "a", "kind": "skill", "uses": "s:f", "output": "o"}
    place = start(
        {"t": {"output": "o", "steps": [step]}}, {"s": source}, driver=driver_named("landlock")
    )
    numbers = [place.output("t") for _ in range(4)]
    assert 1 not in numbers
    assert len(set(numbers)) == 4


def test_a_bundle_in_shared_memory_stays_visible(hostile: Path, driver_named: Any) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        bundle = Path(folder) / "bundle"
        shutil.copytree(hostile, bundle)
        zygote = driver_named("landlock").start(bundle, ZygotePolicy())
        try:
            told = ask(zygote, "reads", {"paths": [str(bundle / "knowledge" / "style.md")]})
            assert list(told["output"].values()) == ["succeeded: 9"]
            assert ask(zygote, "litters", {})["output"]["listed"] == ["a", "link"]
        finally:
            zygote.close()


def test_a_zygote_bound_to_a_processor_keeps_its_children_there(
    start: Any, driver_named: Any
) -> None:
    source = "import os\n\n\ndef f(inputs, ctx):\n    return sorted(os.sched_getaffinity(0))\n"
    step = {"name": "a", "kind": "skill", "uses": "s:f", "output": "o"}
    task = {"output": "o", "steps": [step]}
    permitted = sorted(os.sched_getaffinity(0))
    for cpu in (permitted[-1], None):
        policy = ZygotePolicy(cpu=cpu)
        place = start({"t": task}, {"s": source}, driver=driver_named("landlock"), policy=policy)
        assert place.output("t") == (permitted if cpu is None else [cpu])
