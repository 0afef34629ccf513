"""A deployment in one process, and definitions as short texts, for stories about the engine."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from swarm_ray.client.handle import RunHandle
from swarm_ray.client.outcomes import Unfinished
from swarm_ray.client.results import RunResult
from swarm_ray.config import Settings
from swarm_ray.core import events as ev
from swarm_ray.definition.bundle import Bundle, pack
from swarm_ray.definition.files import MemoryFiles
from swarm_ray.definition.link import link
from swarm_ray.definition.load import load_files
from swarm_ray.definition.serving import ModelCapabilities, ModelCapability
from swarm_ray.effects.supervising import TOOLS
from swarm_ray.engine.history import read_entry
from swarm_ray.engine.service import CoordinatorService
from swarm_ray.ledger.body_files import BodyFiles
from swarm_ray.ledger.database import open_database
from swarm_ray.ledger.store import Store
from swarm_ray.ports.clock import SystemClock
from swarm_ray.ports.hosts import Delivery, Parcel
from swarm_ray.testing.local import LocalHosts
from swarm_ray.values.ids import RANDOM_BYTES, uuid7

PATIENCE_S = 60.0
KEPT = ("keep_cluster.py", "multiprocessing.resource_tracker")

PROCESS = """\
process: letters
version: 1
inputs:
  letters: list
steps:
  - name: sort
    fan_out:
      over: letters
      task: sort_letter
      concurrency: 4
      retry: {max_attempts: 2, initial_interval: 10ms, max_interval: 10ms}
      convergence: {CONVERGENCE}
    output: sorted
output: sorted
"""

TASK = """\
task: sort_letter
version: 1
input: {letter: any}
steps:
  - name: sort
    uses: sorting:sort
    output: label
output: label
"""

Files = Mapping[str, str]


def letters(
    skill: str, convergence: str = "strategy: collect", swaps: Files | None = None, **more: str
) -> dict[str, str]:
    """Return a definition that sorts letters with a skill; `swaps` replace text anywhere."""
    files = {
        "process.yaml": PROCESS.replace("CONVERGENCE", convergence),
        "sort_letter.yaml": TASK,
        "skills/sorting.py": skill,
        **{name.replace("__", "/"): text for name, text in more.items()},
    }
    for old, new in (swaps or {}).items():
        assert any(old in text for text in files.values()), f"{old!r} stands nowhere"
        files = {name: text.replace(old, new) for name, text in files.items()}
    return files


def packed(files: Files, *, without_bindings: bool = False, model: bool = False) -> Bundle:
    """Link and pack a definition given as texts."""
    content = {name: text.encode() for name, text in files.items()}
    source = load_files(MemoryFiles(content, label="story"), without_bindings=without_bindings)
    models = ModelCapabilities((ModelCapability("scripted", reasoning_depth="deep"),))
    return pack(link(source, models=models if model else None, effects=TOOLS))


class Watched(LocalHosts):
    """Hosts in this process that keep what crosses and let a story spoil it."""

    def __init__(self, settings: Settings, coordinator_key: bytes, generation: int) -> None:
        super().__init__(settings, coordinator_key, generation)
        self.parcels: list[Parcel] = []
        self.spoil: Callable[[Delivery], Delivery] = lambda delivery: delivery
        self.copies = 1

    async def submit(self, host: str, epoch: int, parcel: Parcel) -> None:
        self.parcels.append(parcel)
        await super().submit(host, epoch, parcel)

    async def collect(self, *args: Any, **named: Any) -> list[Delivery]:
        found = [self.spoil(one) for one in await super().collect(*args, **named)]
        return found * self.copies


class Town:
    """One tenant with its coordinator and hosts; the coordinator can be stopped and come back."""

    def __init__(self, home: Path, **settings: Any) -> None:
        given: dict[str, Any] = {"slots": 4, "zygotes": 1, **settings}
        self.settings = Settings(home=home, **given)
        self.all_hosts: list[Watched] = []
        self._others = children()  # servers that other tests of the session share
        self._service: CoordinatorService | None = None
        self.start()

    def start(self, *, patience_s: float = 5.0, pages: int = 0) -> None:
        """Start the coordinator (again); its disk has room for so many pages of ledger."""

        def open_store(settings: Settings) -> Store:
            database = open_database(settings.folder, create=True, readonly=False)
            if pages:
                database.limit_pages(pages)
            return Store(database, BodyFiles(settings.folder))

        def make(settings: Settings, key: bytes, generation: int) -> Watched:
            self.all_hosts.append(Watched(settings, key, generation))
            return self.all_hosts[-1]

        self._service = CoordinatorService(self.settings, make, open_store, patience_s)

    def stop(self) -> None:
        """Stop coordinator and hosts; open runs stay open."""
        if self._service is not None:
            self._service.shut_down()
            self._service = None

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    close = stop

    @property
    def service(self) -> CoordinatorService:
        assert self._service is not None
        return self._service

    @property
    def hosts(self) -> Watched:
        return self.all_hosts[-1]

    def assert_clean(self) -> None:
        """Nothing that was started is left."""
        folder = self.settings.folder / "hosts"
        assert not list(folder.glob("*")), "host folders are left"
        left = [one for one in children() if one not in self._others]
        assert not left, f"processes are left: {left}"

    # -- runs -------------------------------------------------------------------------------

    def open(self, files: Files | Bundle, **inputs: Any) -> str:
        """Start a run; durable on return."""
        bundle = files if isinstance(files, Bundle) else packed(files)
        clock = SystemClock()
        run = uuid7(clock.now_us() // 1000, clock.random(RANDOM_BYTES))
        self.service.open_run(run, bundle.data, bundle.digest, inputs)
        return run

    def handle(self, run: str) -> RunHandle:
        return RunHandle(run, lambda: self.service)

    def end(self, run: str) -> RunResult:
        """Wait for the end of a run, good or not; what it yielded."""
        handle = self.handle(run)
        try:
            return handle.result(timeout=PATIENCE_S)
        except Unfinished:
            return handle.partial()

    def run(self, files: Files | Bundle, **inputs: Any) -> RunResult:
        """Open a run and wait for its end."""
        return self.end(self.open(files, **inputs))

    def events(self, run: str) -> list[ev.Event]:
        """Every event in a run's log."""
        return [read_entry(data)[0] for data in self.service.entries(run, 0, 0).entries]

    def attempts(self, run: str) -> list[tuple[int, int]]:
        """(item, attempt) of every settled row, in order."""
        return [
            (row.item, row.attempt)
            for event in self.events(run)
            if isinstance(event, ev.Settled)
            for row in event.rows
        ]

    def until(self, holds: Callable[[], Any], what: str = "it") -> Any:
        """Wait until something holds."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if found := holds():
                return found
            time.sleep(0.01)
        raise AssertionError(f"{what} did not come about")


def children() -> list[str]:
    """Command lines of the living descendants of this process, read from /proc; a cluster and a
    resource tracker that other tests of the session keep are theirs."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(path.parent.name)] = int(fields[1])
    found, front = [], {os.getpid()}
    while front:
        front = {
            pid
            for pid, parent in parents.items()
            if parent in front and not any(kept in _command(pid) for kept in KEPT)
        }
        found += sorted(front)
    return [f"{pid} {_command(pid)}" for pid in found]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:240]
    except OSError:
        return "gone"
