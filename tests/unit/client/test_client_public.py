"""What `import swarm_ray` offers, what it costs, and that a worker gets none of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import swarm_ray as swarm
from swarm_ray.errors import ContainmentError

NAMES = [
    "BudgetExceeded",
    "Collect",
    "Custom",
    "DeadlineExceeded",
    "Merge",
    "MinSuccessNotMet",
    "Reduce",
    "RunFailed",
    "RunHandle",
    "RunResult",
    "SwarmError",
    "Vote",
    "attach",
    "map",
    "run",
    "runs",
]


def loaded_after(code: str) -> set[str]:
    """Return the names of all modules that a fresh interpreter has after some code."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_public_names_are_these_and_each_can_be_had():
    assert swarm.__all__ == NAMES
    assert dir(swarm) == NAMES
    assert all(getattr(swarm, name).__module__.startswith("swarm_ray.") for name in NAMES)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        swarm.nothing  # noqa: B018


def test_importing_loads_neither_ray_nor_anything_heavy():
    loaded = loaded_after("import swarm_ray")
    heavy = {"ray", "pyarrow", "pydantic", "typer", "rich", "cryptography", "pandas"}
    assert not loaded & heavy


def test_the_whole_client_does_without_ray():
    loaded = loaded_after(
        "import swarm_ray\nfor name in swarm_ray.__all__: getattr(swarm_ray, name)"
    )
    assert not loaded & {"ray", "pyarrow", "pandas", "typer"}


def test_code_in_a_worker_may_not_start_or_join_a_swarm(tmp_path: Path):
    program = (
        "import swarm_ray as swarm\n"
        "def f(item): return item\n"
        "for call in (lambda: swarm.map(f, [1]), lambda: swarm.run('x'), swarm.runs,"
        " lambda: swarm.attach('a')):\n"
        "    try: call()\n"
        "    except swarm.SwarmError as error: print(error.code)\n"
    )
    environment = {**os.environ, "SWARM_RAY_SCOPE": "token"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.stdout.split() == ["containment.nested_swarm"] * 4


def test_the_refusal_is_a_containment_error():
    from swarm_ray.client.session import refuse_nested

    refuse_nested({})
    with pytest.raises(ContainmentError):
        refuse_nested({"SWARM_RAY_SCOPE": "token"})
