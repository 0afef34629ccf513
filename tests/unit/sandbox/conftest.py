"""Bundles for sandbox tests, and a desk at which a test talks to one worker."""

import json
import select
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from swarm_ray.ports.sandbox import AttemptPolicy, Exit, Sandbox, Zygote, ZygotePolicy
from swarm_ray.sandbox.drivers import BwrapDriver, LandlockDriver, NoneDriver
from swarm_ray.sandbox.frames import FrameReader, encode_frame

LIMIT_BYTES = 1 << 20
PATIENCE_S = 20.0
CONFINING: dict[str, Callable[[], Sandbox]] = {
    "landlock": LandlockDriver,
    "landlock-without-namespaces": lambda: LandlockDriver(namespaces=False),
    "bwrap": BwrapDriver,
    "bwrap-per-attempt": lambda: BwrapDriver(per_attempt=True),
}


class Desk:
    """A conversation with one worker."""

    def __init__(self, zygote: Zygote, attempt: AttemptPolicy) -> None:
        self.zygote = zygote
        self.child = zygote.take(attempt)
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
            if not select.select([self.child.sock], [], [], left_s)[0]:
                continue
            try:
                data = self.child.sock.recv(1 << 16)
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
        while time.monotonic() < until:
            select.select([self.zygote.fileno()], [], [], 1)
            for each in self.zygote.exits():
                if each.token == self.child.token:
                    return each
        raise AssertionError("no exit was reported")


class Place:
    """A zygote of the hostile bundle under one driver."""

    def __init__(self, zygote: Zygote, name: str) -> None:
        self.zygote = zygote
        self.name = name

    def desk(self, attempt: AttemptPolicy | None = None) -> Desk:
        return Desk(self.zygote, attempt or AttemptPolicy())

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
    policy = ZygotePolicy(reserve=2, memory_bytes=512 << 20, frame_limit_bytes=LIMIT_BYTES)
    zygote = CONFINING[request.param]().start(hostile, policy)
    try:
        yield Place(zygote, request.param)
    finally:
        zygote.close()


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
