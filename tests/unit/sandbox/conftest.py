"""Bundles for sandbox tests, and a desk at which a test talks to one worker."""

import functools
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from swarm_ray.ports.sandbox import AttemptPolicy, Exit, Sandbox, Zygote, ZygotePolicy
from swarm_ray.sandbox import kernel
from swarm_ray.sandbox.drivers import BwrapDriver, LandlockDriver, NoneDriver
from swarm_ray.sandbox.frames import FrameReader, encode_frame

LIMIT_BYTES = 1 << 20
PATIENCE_S = 20.0
CONFINING: dict[str, Callable[[], Sandbox]] = {
    "landlock": LandlockDriver,
    "landlock-without-namespaces": lambda: LandlockDriver(namespaces=False),
    "bwrap": BwrapDriver,
    "bwrap-per-attempt": lambda: BwrapDriver(per_attempt=True),
    # Every attempt asks for more memory than its zygote's children have, and so for a branch.
    "landlock-branched": LandlockDriver,
    "bwrap-branched": BwrapDriver,
}
MEMORY_BYTES = 512 << 20
DRIVERS: dict[str, Callable[[], Sandbox]] = {**CONFINING, "none": NoneDriver}
# What a driver needs is tried without our own code: a flaw of ours must fail a test, not skip it.
NEW_NAMESPACES = {
    "landlock": [
        "unshare", *(() if os.geteuid() == 0 else ("--user",)), "--mount", "--pid", "--net",
        "--fork", "true",
    ],
    "bwrap": ["bwrap", "--ro-bind", "/", "/", "--unshare-user", "--unshare-pid", "true"],
}  # fmt: skip


@functools.cache
def lacking(name: str) -> str:
    """What this machine lacks for a driver, and the remedy; empty when it lacks nothing."""
    family = name.partition("-")[0]
    if family == "none":
        return ""
    if sys.platform != "linux":
        return f"the {name} sandbox needs Linux"
    if family == "landlock" and kernel.landlock_abi() < kernel.NEEDED_ABI:
        return "the kernel's Landlock is older than ABI 6: use Linux 6.12 or later"
    if family == "bwrap" and shutil.which("bwrap") is None:
        return "the program bwrap is not installed: install the package bubblewrap"
    if name == "landlock-without-namespaces":
        return ""
    done = subprocess.run(NEW_NAMESPACES[family], capture_output=True, text=True, check=False)
    refusal = done.stderr.strip() if done.returncode else ""
    return refusal and f"no namespaces here: permit user namespaces ({refusal})"


def driver_named(name: str) -> Sandbox:
    """The driver; the test is skipped where the machine lacks what it needs."""
    if why := lacking(name):
        pytest.skip(why)
    return DRIVERS[name]()


class Desk:
    """A conversation with one worker."""

    def __init__(self, place: "Place", attempt: AttemptPolicy) -> None:
        self.place = place
        self.child = place.zygote.take(attempt)
        self._reader = FrameReader(LIMIT_BYTES)
        self._frames: list[dict[str, Any]] = []

    def __enter__(self) -> "Desk":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.child.kill()
        self.child.close()

    def send(self, frame: dict[str, Any]) -> None:
        self.child.sock.send(encode_frame(frame, LIMIT_BYTES))

    def run(self, task: str, inputs: dict[str, Any], **more: Any) -> None:
        self.send({"frame": "run", "task": task, "inputs": inputs, **more})

    def hear(self) -> dict[str, Any]:
        """The worker's next frame; {"frame": "end"} when it has hung up."""
        until = time.monotonic() + PATIENCE_S
        while not self._frames:
            left_s = until - time.monotonic()
            assert left_s > 0, "the worker said nothing"
            self.place.look(left_s, self.child.sock)
            try:
                data = self.child.sock.recv(1 << 16)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                data = b""
            if not data:
                return {"frame": "end"}
            self._frames += self._reader.feed(data)
        return self._frames.pop(0)

    def result(self) -> dict[str, Any]:
        """The result frame; what comes before it is passed over."""
        while (frame := self.hear())["frame"] not in ("result", "end"):
            continue
        return frame

    def exit(self) -> Exit:
        """How the worker ended."""
        until = time.monotonic() + PATIENCE_S
        while self.child.token not in self.place.exits:
            left_s = until - time.monotonic()
            assert left_s > 0, "no exit was reported"
            self.place.look(left_s)
        return self.place.exits[self.child.token]


class Place:
    """A zygote of the hostile bundle under one driver."""

    def __init__(self, zygote: Zygote, name: str) -> None:
        self.zygote = zygote
        self.name = name
        self.apart = name.endswith(("branched", "per-attempt"))  # no namespace is shared
        self.branched = name.endswith("branched")
        self.exits: dict[int, Exit] = {}

    def look(self, patience_s: float, *socks: socket.socket) -> None:
        """Wait until the zygote or a worker says something, and hear the zygote."""
        readable, _, _ = select.select([self.zygote.fileno(), *socks], [], [], patience_s)
        if self.zygote.fileno() in readable:
            self.exits |= {each.token: each for each in self.zygote.exits()}

    def desk(self, attempt: AttemptPolicy | None = None) -> Desk:
        return Desk(self, attempt or self.policy())

    def policy(self, **fields: Any) -> AttemptPolicy:
        """An attempt of this place that asks for something besides."""
        usual = {"memory_bytes": MEMORY_BYTES + 1} if self.branched else {}
        return AttemptPolicy(**{**usual, **fields})

    def result(
        self, task: str, attempt: AttemptPolicy | None = None, reads: Any = None, **inputs: Any
    ) -> dict[str, Any]:
        with self.desk(attempt) as desk:
            desk.run(task, inputs, reads=reads or {})
            return desk.result()

    def output(self, task: str, attempt: AttemptPolicy | None = None, **inputs: Any) -> Any:
        result = self.result(task, attempt, **inputs)
        assert result.get("status") == "ok", result
        return result["output"]

    def still_serves(self) -> bool:
        """The ordinary thing works in the next worker."""
        return bool(self.output("ordinary", numbers=[1, 2, 3])["sum"] == 6)


def step(kind: str = "skill", **fields: Any) -> dict[str, Any]:
    given = {"name": "only", "kind": kind, "with": {}, "input": None, "output": "out", "gate": None}
    return {**given, **fields}


def task(*steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    given = {
        "version": 1,
        "inputs": {},
        "output": steps[-1]["output"],
        "knowledge": [],
        "delegate": {"depth": 0, "count": 0},
        "steps": list(steps),
    }
    return {**given, **fields}


def write_bundle(
    folder: Path,
    tasks: dict[str, Any],
    skills: dict[str, str],
    preload: tuple[str, ...] = (),
    knowledge: dict[str, str] | None = None,
) -> Path:
    """Lay out a bundle as the definition package would."""
    (folder / "skills").mkdir(parents=True)
    for name, source in skills.items():
        (folder / "skills" / f"{name}.py").write_text(source)
    for name, text in (knowledge or {}).items():
        path = folder / "knowledge" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    named = {name: {"name": name, **each} for name, each in tasks.items()}
    linked = {"semantics": 1, "preload": list(preload), "tasks": named}
    (folder / "linked.json").write_text(json.dumps(linked))
    return folder


def hostile_bundle(folder: Path) -> Path:
    source = (Path(__file__).parent / "hostile_skills.py").read_text()
    names = [line[4 : line.index("(")] for line in source.splitlines() if line.startswith("def ")]
    tasks = {name: task(step(uses=f"hostile:{name}")) for name in names}
    tasks["ordinary"]["knowledge"] = ["style"]
    tasks["gated"] = task(step(uses="hostile:ordinary", gate="output.sum > inputs.numbers[0]"))
    return write_bundle(folder, tasks, {"hostile": source}, knowledge={"style": "Be brief."})


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_bundle(tmp_path_factory.mktemp("bundles") / "hostile")


@pytest.fixture(scope="session", params=list(CONFINING))
def place(request: pytest.FixtureRequest, hostile: Path) -> Iterator[Place]:
    """A confined place; the same zygote serves all tests, so that one test's worker could reach
    for another's leftovers."""
    policy = ZygotePolicy(reserve=2, memory_bytes=MEMORY_BYTES, frame_limit_bytes=LIMIT_BYTES)
    zygote = driver_named(request.param).start(hostile, policy)
    try:
        yield Place(zygote, request.param)
    finally:
        zygote.close()


@pytest.fixture(name="driver_named")
def choice_of_driver() -> Callable[[str], Sandbox]:
    """Makes a driver by its name, for tests that need several or none of a zygote's comfort."""
    return driver_named


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Start a zygote of a bundle of one's own, unconfined unless a driver is named."""
    started: list[Zygote] = []

    def begin(
        tasks: dict[str, Any],
        skills: dict[str, str] | None = None,
        driver: Sandbox | None = None,
        policy: ZygotePolicy | None = None,
        **bundle: Any,
    ) -> Place:
        folder = write_bundle(tmp_path / f"bundle{len(started)}", tasks, skills or {}, **bundle)
        zygote = (driver or NoneDriver()).start(folder, policy or ZygotePolicy(reserve=1))
        started.append(zygote)
        return Place(zygote, "own")

    yield begin
    for zygote in started:
        zygote.close()


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    """A file of the host that no worker may see."""
    folder = tmp_path / "of-the-host"
    folder.mkdir()
    path = folder / "secret"
    path.write_text("for the host alone")
    yield path
    shutil.rmtree(folder, ignore_errors=True)
