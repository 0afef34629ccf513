"""A process of every kind of step, a real coordinator with scripted workers, and the program."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from swarm_ray.cli.main import app
from swarm_ray.client.session import Session, using
from swarm_ray.config import Settings
from swarm_ray.testing.service import Call, Did, Fault, scripted_service

PROCESS = """\
process: greet_people
version: 1
inputs:
  people: list
  output_dir: {type: path, default: out}
steps:
  - name: check
    uses: greeting:check
    input: people
    output: checked
  - name: greet
    fan_out:
      over: checked
      task: greet_one
      concurrency: 4
      retry: {max_attempts: 2, initial_interval: 10ms}
      convergence: {min_success_ratio: 0.5, failure_action: skip}
    output: greetings
  - name: write
    effect: files.publish
    with:
      folder: {from: output_dir}
      files:
        greetings.json: {from: greetings}
output: greetings
"""

TASK = """\
task: greet_one
version: 1
input: {name: string}
steps:
  - name: say
    uses: greeting:greet
    output: text
output: text
"""

SKILL = '''\
"""Greets."""


def check(inputs, ctx):
    return inputs["people"]


def greet(inputs, ctx):
    return f"Good day, {inputs['name']}"
'''

ASKING = """\
process: ask_first
version: 1
inputs:
  people: list
steps:
  - name: sure
    ask: {question: Greet them all?, choices: ["yes", "no"], default: "no"}
    output: answer
  - name: greet
    fan_out: {over: people, task: greet_one, concurrency: 2}
    output: greetings
output: greetings
"""


def script(call: Call) -> object:
    """Greets; `flaky` needs two attempts, `flakier` more than it has, `broken` never works, `slower` takes seconds."""
    if call.task.startswith("step:"):
        return call.inputs["people"]
    name = call.inputs["name"]
    if name == "flakier" or (name == "flaky" and call.attempt == 1):
        raise Fault("transient", "worker.crashed", "the worker crashed\nTraceback: ...")
    if name == "broken":
        raise Fault("input", "skill.raised", "ValueError: <script>alert('no')</script>\n  File x")
    return Did(
        f"Good day, {name}", tokens=7, microusd=2_000, seconds=5.0 if name == "slower" else 0.0
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a process, its task and its skill."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "skills").mkdir()
    (tmp_path / "process.yaml").write_text(PROCESS)
    (tmp_path / "asking.yaml").write_text(ASKING)
    (tmp_path / "greet_one.yaml").write_text(TASK)
    (tmp_path / "skills" / "greeting.py").write_text(SKILL)
    return tmp_path


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A session whose coordinator runs in this process."""
    settings = Settings(home=tmp_path / "home")
    service = scripted_service(settings, script)
    with using(Session(settings, service)) as found:
        yield found
    service.shut_down()


Cli = Callable[..., Result]


@pytest.fixture
def cli(session: Session) -> Cli:
    """The program, called with its arguments."""
    runner = CliRunner()

    def call(*words: str) -> Result:
        return runner.invoke(app, [*words], catch_exceptions=False)

    return call
