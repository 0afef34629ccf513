"""One run of every kind of step, exported once for all tests of evidence."""

import importlib.util
import io
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from swarm_ray.config import Settings
from swarm_ray.definition.bundle import pack
from swarm_ray.definition.files import MemoryFiles
from swarm_ray.definition.link import link
from swarm_ray.definition.load import load_files
from swarm_ray.effects.supervising import TOOLS
from swarm_ray.evidence.container import Container, write_container
from swarm_ray.evidence.copy import Copy, files_of
from swarm_ray.evidence.gathering import gather
from swarm_ray.ledger.opening import open_reader
from swarm_ray.ports.clock import SystemClock
from swarm_ray.testing.service import Call, Did, Fault, scripted_service
from swarm_ray.values.ids import RANDOM_BYTES, uuid7

VERIFIER = Path(__file__).parents[3] / "tools" / "verify_bundle.py"
PROCESS = """\
process: greet_people
version: 1
inputs: {people: list, folder: path}
steps:
  - name: greet
    fan_out:
      over: people
      task: greet_one
      concurrency: 3
      retry: {max_attempts: 2, initial_interval: 10ms}
      convergence: {min_success_ratio: 0.5, failure_action: skip}
    output: greetings
  - name: write
    effect: files.publish
    with: {folder: {from: folder}, files: {greetings.json: {from: greetings}}}
output: greetings
"""
TASK = """\
task: greet_one
version: 1
input: {name: string}
steps:
  - {name: say, uses: "greeting:greet", output: text}
output: text
"""
SKILL = "def greet(inputs, ctx):\n    return inputs['name']\n"
PEOPLE = ["Ada", "flaky", "broken", "Zoë “ünï” \u2028", "Bob"]


def script(call: Call) -> Any:
    """Greets; `flaky` needs two attempts, `broken` never works."""
    name = call.inputs["name"]
    if name == "flaky" and call.attempt == 1:
        raise Fault("transient", "worker.crashed", "it crashed")
    if name == "broken":
        raise Fault("input", "skill.raised", "it is broken")
    return Did(f"Good day, {name}", tokens=7, microusd=20, model="echo@http://127.0.0.1/v1")


def run_once(settings: Settings, people: list[str], folder: Path) -> str:
    """Run the process with scripted workers; return the id of the run."""
    files = {"process.yaml": PROCESS, "greet_one.yaml": TASK, "skills/greeting.py": SKILL}
    source = load_files(MemoryFiles({k: v.encode() for k, v in files.items()}, label="story"))
    bundle, clock = pack(link(source, effects=TOOLS)), SystemClock()
    run = uuid7(clock.now_us() // 1000, clock.random(RANDOM_BYTES))
    service = scripted_service(settings, script)
    try:
        inputs = {"people": people, "folder": str(folder)}
        service.open_run(run, bundle.data, bundle.digest, inputs)
        size, page = 0, service.entries(run, 0, 10)
        while not page.closed:
            size += len(page.entries)
            page = service.entries(run, size, 10)
    finally:
        service.shut_down()
    return run


def copy_from(settings: Settings, run: str, wanted: Callable[..., bool] = lambda _: True) -> Copy:
    """Gather a copy as `export` does."""
    with open_reader(settings) as reader:
        found = gather(reader, settings.folder, run, wanted)
        bodies = {name: found.read(name) for name in found.bodies}
    return Copy(
        found.run,
        found.checkpoint,
        found.logs,
        found.leaves,
        found.effects,
        found.items,
        found.bodies,
        bodies.__getitem__,
    )


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return files as the bytes of a container."""
    out = io.BytesIO()
    write_container(sorted(files.items()), out)
    return out.getvalue()


def file_of(copy: Copy) -> bytes:
    """Return a copy as the bytes of its file."""
    return packed(dict(files_of(copy)))


def files_in(data: bytes) -> dict[str, bytes]:
    """Return the files of a container."""
    return dict(Container(data))


def stand_alone() -> ModuleType:
    """Return the verifier for strangers as a module."""
    if "verify_bundle" not in sys.modules:
        spec = importlib.util.spec_from_file_location("verify_bundle", VERIFIER)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["verify_bundle"] = module
        spec.loader.exec_module(module)
    return sys.modules["verify_bundle"]
