"""Ways in: a script on a private cluster, an event loop, nodes that come and go, other drivers."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from ray_story import PATIENCE_S, Tenant, command_of, processes, until

from swarm_ray.core import events as ev

HOSTILE_NAMES = ("json", "ray", "orjson", "typer", "cryptography", "selectors", "sqlite3")
HOSTILE = """\
import os, sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

with open({marker!r}, "a") as marker:
    with open("/proc/self/cmdline") as command:
        marker.write(f"{{os.getpid()}} {{__name__}} {{command.read()}}".replace(chr(0), " ") + "\\n")
here = os.path.dirname(os.path.abspath(__file__))
spec = PathFinder.find_spec(__name__, [one for one in sys.path if os.path.abspath(one or ".") != here])
module = sys.modules[__name__] = module_from_spec(spec)
spec.loader.exec_module(module)
"""


def double(item):
    return item * 2


def slow(item, ctx):
    import time

    time.sleep(0.1)
    return item * 2


def script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "story_script.py"
    path.write_text(textwrap.dedent(text))
    return path


def test_a_script_starts_a_private_cluster_that_ends_with_it(tenant: Tenant, tmp_path: Path):
    path = script(
        tmp_path,
        """
        import swarm_ray

        def double(item):
            return item * 2

        print(swarm_ray.map(double, [1, 2, 3]).result(timeout=60).output)
        """,
    )
    here, marker = tmp_path / "here", tmp_path / "marker"
    here.mkdir()
    for name in HOSTILE_NAMES:  # a repository under review may hold anything
        (here / f"{name}.py").write_text(HOSTILE.format(marker=str(marker)))
    environment = tenant.environment(SWARM_RAY_ADDRESS="local", STORY=str(tmp_path))
    del environment["RAY_ADDRESS"]
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        cwd=here,
    )
    assert not marker.exists(), marker.read_text()
    assert done.stdout.strip() == "[2, 4, 6]", done.stderr
    until(lambda: not _of(tmp_path), "the end of the private cluster")
    assert not list((tenant.settings.folder / "hosts").glob("*"))


def _of(story: Path) -> list[int]:
    """Living processes that were started with STORY in their environment."""
    found = []
    for pid in processes():
        try:
            data = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        if f"STORY={story}".encode() in data.split(b"\0"):
            found.append(pid)
    return found


def test_a_running_event_loop_can_await_and_stream(tenant: Tenant):
    async def notebook() -> tuple[list[int], list[str]]:
        handle = tenant.map(double, [1, 2, 3])
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        ticking = asyncio.create_task(tick())
        events = [record.event async for record in handle.stream()]
        result = await handle
        ticking.cancel()
        assert ticks > 1, "the event loop was blocked"
        return result.output, events

    output, events = asyncio.run(notebook())
    assert output == [2, 4, 6]
    assert events.count("worker.completed") == 3


def test_hosts_come_and_go_with_nodes(tenant: Tenant):
    tenant.service.ready()
    until(lambda: len(tenant.service.hosts()) == 1, "the first host")
    node = tenant.keeper.add("edge", **{"swarm-site": "edge"})
    try:
        hosts = until(
            lambda: (found := tenant.service.hosts()) and len(found) == 2 and found, "the second"
        )
        [edge] = [host["name"] for host in hosts if host["site"] == "edge"]
        assert node[-8:] in edge
        handle = tenant.map(slow, list(range(60)), concurrency=8)
        until(
            lambda: [
                one
                for one in tenant.events(handle.id)
                if isinstance(one, ev.Settled) and one.host == edge
            ],
            "a result of the second host",
        )
    finally:
        tenant.keeper.kill("edge")
    result = tenant.end(handle)
    assert result.output == [item * 2 for item in range(60)], result.cause
    settled = tenant.settled(handle.id)
    assert len(settled) == len(set(settled))
    until(
        lambda: [host["site"] for host in tenant.service.hosts()] == ["local"],
        "the end of the second host",
    )


def test_a_run_outlives_its_driver(tenant: Tenant, tmp_path: Path):
    path = script(
        tmp_path,
        """
        import time
        import swarm_ray

        def slow(item):
            import time
            time.sleep(0.1)
            return item * 2

        print(swarm_ray.map(slow, list(range(40)), concurrency=2).id, flush=True)
        time.sleep(600)
        """,
    )
    driver = subprocess.Popen(
        [sys.executable, str(path)],
        env=tenant.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with driver:
        run = driver.stdout.readline().strip()
        os.kill(driver.pid, signal.SIGKILL)
    with_handle = tenant.program("show", run, "--json", code=None)
    assert json.loads(with_handle.stdout.splitlines()[0])["run"] == run
    from swarm_ray.client.handle import RunHandle

    result = tenant.end(RunHandle(run, tenant.session.service))
    assert result.output == [item * 2 for item in range(40)]


def test_a_second_program_at_the_same_ledger_gets_a_clear_error(tenant: Tenant):
    tenant.service.ready()
    refused = tenant.program("runs", "--json", code=None, SWARM_RAY_ADDRESS="local", RAY_ADDRESS="")
    if refused.returncode == 0:  # reading the ledger needs no coordinator
        refused = tenant.program(
            "run", "triage_messages", "--json", code=None, SWARM_RAY_ADDRESS="local", RAY_ADDRESS=""
        )
    assert "runtime.ledger_in_use" in refused.stdout + refused.stderr
    assert refused.returncode == 1
    assert tenant.service.ready()["pid"] in processes()


def test_nobody_stops_the_coordinator_of_another_home(tenant: Tenant, tmp_path: Path):
    before = tenant.service.ready()["pid"]
    elsewhere = str(tmp_path / "elsewhere")
    refused = tenant.program("down", code=2, SWARM_RAY_HOME=elsewhere)
    assert "runtime.other_home" in refused.stderr
    assert str(tenant.settings.folder) in refused.stderr
    assert tenant.service.ready()["pid"] == before
    assert "is down" in tenant.program("down").stdout
    tenant.session = type(tenant.session)(tenant.settings)


def test_a_damaged_log_ends_the_program_with_exit_code_6(tenant: Tenant):
    import sqlite3

    handle = tenant.map(slow, list(range(200)), concurrency=1)
    until(lambda: tenant.settled(handle.id), "a result")
    tenant.service.shut_down()
    connection = sqlite3.connect(tenant.settings.folder / "ledger.sqlite3")
    connection.execute("UPDATE entries SET data = CAST(data || ' ' AS BLOB) WHERE seq = 2")
    connection.commit()
    connection.close()
    refused = tenant.program("resume", handle.id, code=None)
    assert "ledger.corrupt_entry" in refused.stdout + refused.stderr
    assert "entry 2" in refused.stdout + refused.stderr
    assert refused.returncode == 6
    tenant.session = type(tenant.session)(tenant.settings)


def _submitted(tenant: Tenant, folder: Path, program: Path, settings: dict[str, str]) -> str:
    """`ray job submit`; empty while the cluster's agents are too busy to take a job."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ray.scripts.scripts",
            "job",
            "submit",
            "--working-dir",
            str(folder),
            "--",
            "env",
            *[f"{name}={value}" for name, value in settings.items()],
            str(program),
            "run",
            ".",
            "-i",
            'words=["a","b"]',
            "--json",
        ],
        env={**os.environ, "RAY_ADDRESS": tenant.keeper.address},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,
        check=False,
        cwd="/",
    )
    told = done.stdout + done.stderr
    return "" if "No available agent" in told else told


def test_a_submitted_job_with_hostile_files_reaches_no_actor(tenant: Tenant, tmp_path: Path):
    working_dir, marker = tmp_path / "job", tmp_path / "marker"
    working_dir.mkdir()
    for name in HOSTILE_NAMES:
        (working_dir / f"{name}.py").write_text(HOSTILE.format(marker=str(marker)))
    (working_dir / "process.yaml").write_text(
        "process: shout\nversion: 1\ninputs: {words: list}\nsteps:\n  - name: shout\n"
        "    fan_out: {over: words, task: shout_one, concurrency: 2}\n    output: shouted\n"
        "output: shouted\n"
    )
    (working_dir / "shout_one.yaml").write_text(
        "task: shout_one\nversion: 1\ninput: {word: string}\nsteps:\n  - name: shout\n"
        "    uses: shouting:shout\n    output: loud\noutput: loud\n"
    )
    (working_dir / "skills").mkdir()
    (working_dir / "skills" / "shouting.py").write_text(
        "def shout(inputs, ctx):\n    return inputs['word'].upper()\n"
    )
    program = Path(sys.executable).with_name("swarm-ray")
    settings = {k: v for k, v in tenant.environment().items() if k.startswith("SWARM_RAY_")}
    told = until(lambda: _submitted(tenant, working_dir, program, settings), "a free agent")
    assert '"output": ["A", "B"]' in told or '"output":["A","B"]' in told, told
    reached = [line.split(" ", 2) for line in marker.read_text().splitlines()]
    assert reached, "the files were on nobody's path: the story is not what it says"
    ours = {tenant.coordinator_pid(), *tenant.host_pids()}
    assert command_of(tenant.coordinator_pid()).startswith("ray::CoordinatorActor")
    assert not [line for line in reached if int(line[0]) in ours]
    assert not [line for line in reached if "swarm" in line[2]], reached
