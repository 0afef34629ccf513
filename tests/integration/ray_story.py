"""Tenants on a real cluster, and a look at the processes that work for them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from swarm_ray.client.handle import RunHandle
from swarm_ray.client.outcomes import Unfinished
from swarm_ray.client.results import RunResult
from swarm_ray.client.session import Session, using
from swarm_ray.client.starting import map as swarm_map
from swarm_ray.config import Settings
from swarm_ray.core import events as ev
from swarm_ray.engine.history import read_entry

PATIENCE_S = 60.0


class Keeper:
    """The process that keeps the cluster."""

    def __init__(self, process: "subprocess.Popen[str]", found: Mapping[str, Any]) -> None:
        self._process = process
        self.address = str(found["address"])
        self.pid = process.pid

    def _do(self, **command: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def add(self, node: str, **labels: str) -> str:
        """Add a node; returns its id."""
        return str(self._do(do="add", node=node, labels=labels)["id"])

    def kill(self, node: str) -> None:
        """SIGKILL the raylet of a node."""
        self._do(do="kill", node=node)


class Tenant:
    """One tenant on the cluster, driven from this process."""

    def __init__(self, keeper: Keeper, home: Path, name: str) -> None:
        self.keeper = keeper
        self.settings = Settings(
            home=home, tenant=name, address=keeper.address, slots=4, zygotes=1, lease_s=20
        )
        self.session = Session(self.settings)

    @property
    def service(self) -> Any:
        return self.session.service()

    def environment(self, **more: str) -> dict[str, str]:
        """Environment of a program of this tenant."""
        return {
            **os.environ,
            "SWARM_RAY_HOME": str(self.settings.home),
            "SWARM_RAY_TENANT": self.settings.tenant,
            "SWARM_RAY_SLOTS": "4",
            "SWARM_RAY_ZYGOTES": "1",
            **more,
        }

    def program(
        self, *words: str, code: int | None = 0, **more: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run `swarm-ray` as a program of its own."""
        found = subprocess.run(
            [sys.executable, "-m", "swarm_ray.cli.main", *words],
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert code is None or found.returncode == code, found.stdout + found.stderr
        return found

    def map(self, function: Callable[..., Any], items: list[Any], **named: Any) -> RunHandle:
        with using(self.session):
            return swarm_map(function, items, **named)

    def end(self, handle: RunHandle) -> RunResult:
        try:
            return handle.result(timeout=PATIENCE_S)
        except Unfinished:
            return handle.partial()

    def events(self, run: str) -> list[ev.Event]:
        return [read_entry(data)[0] for data in self.service.entries(run, 0, 0).entries]

    def rows(self, run: str) -> list[ev.Row]:
        """Every settled row, in the log's order."""
        events = self.events(run)
        return [row for event in events if isinstance(event, ev.Settled) for row in event.rows]

    def settled(self, run: str) -> list[tuple[int, int]]:
        """(item, attempt) of every settled row."""
        return [(row.item, row.attempt) for row in self.rows(run)]

    def coordinator_pid(self) -> int:
        return int(self.service.ready()["pid"])

    def host_pids(self) -> list[int]:
        """Processes of this tenant's hosts: no other tenant is at work on this cluster."""
        below_keeper = below(self.keeper.pid)
        return [pid for pid in below_keeper if command_of(pid).startswith("ray::HostActor")]

    def leave(self) -> None:
        """Shut the tenant down."""
        if self.session.connected or self.actors():
            self.service.shut_down()

    def actors(self) -> list[str]:
        from ray.util import list_named_actors

        return [
            one["name"]
            for one in list_named_actors(all_namespaces=True)
            if f"/{self.settings.tenant}" in one["name"]
        ]

    def assert_nothing_is_left(self) -> None:
        until(lambda: not self.actors(), f"the end of {self.actors()}")
        until(lambda: not self.host_pids(), "the end of the hosts")
        assert not list((self.settings.folder / "hosts").glob("*")), "a host's folder is left"
        home = str(self.settings.home)
        until(
            lambda: not [pid for pid in processes() if home in command_of(pid)],
            "the end of every process that names the home folder",
        )


def until(holds: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Wait until something holds."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about")


def processes() -> list[int]:
    """Every process that is no zombie."""
    return list(parents())


def parents() -> dict[int, int]:
    """The parent of every process that is no zombie."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            found[int(path.parent.name)] = int(fields[1])
    return found


def below(pid: int) -> list[int]:
    """Living descendants of a process, nearest first."""
    tree = parents()
    found: list[int] = []
    front = {pid}
    while front:
        front = {child for child, parent in tree.items() if parent in front}
        found += sorted(front)
    return found


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return ""


def name_of(pid: int) -> str:
    """The name that a process has given itself."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
