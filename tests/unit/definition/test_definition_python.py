"""A Python function travels as source text with what it names, or is refused by name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import portable_functions as functions
import pytest

from swarm_ray.definition.bundle import unpack
from swarm_ray.definition.python_api import Convergence, map_process
from swarm_ray.definition.python_source import skill_source
from swarm_ray.errors import StructuralError, UsageError

CALL = """
import json, sys, types
sys.path.insert(0, sys.argv[1])
import calls
ctx = types.SimpleNamespace(correlation="swarm-1")
print(json.dumps(calls.run({"item": json.loads(sys.argv[2])}, ctx)))
"""


def run_elsewhere(function, item, folder: Path):
    """Run the packed skill in another interpreter that has only the bundle."""
    mapped = map_process(function)
    unpack(mapped.bundle.data, folder / "bundle", mapped.bundle.digest)
    done = subprocess.run(
        [sys.executable, "-I", "-c", CALL, str(folder / "bundle" / "skills"), json.dumps(item)],
        capture_output=True,
        check=True,
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("function", "item", "output"),
    [
        (functions.review, "late late bus", '[3, "late", 3]'),
        (functions.told, 1, [1, "swarm-1"]),
        (functions.even, 4, True),
    ],
)
def test_a_function_runs_where_its_module_is_unknown(function, item, output, tmp_path) -> None:
    assert run_elsewhere(function, item, tmp_path) == output


def test_an_installed_library_is_preloaded() -> None:
    assert map_process(functions.summed).linked.preload == ("numpy",)


@pytest.mark.parametrize(
    ("function", "variable"),
    [
        (functions.logging, "LOG"),
        (functions.neighbour, "definition_samples"),
        (functions.outer(3), "bonus"),
        (functions.waiting, "waiting"),
        (functions.three, "its signature"),
        (lambda item: item, "<lambda>"),
        (len, "len"),
        (functions.Count(1), "Count"),
    ],
)
def test_what_cannot_travel_is_named(function, variable) -> None:
    with pytest.raises(UsageError) as caught:
        map_process(function)
    assert caught.value.code == "definition.unportable_function"
    assert caught.value.fields["variable"] == variable
    assert caught.value.hint


def test_a_notebook_cell_travels(tmp_path: Path) -> None:
    """A cell has source lines but no file: what IPython keeps in the line cache suffices."""
    import linecache

    text = "import math\nSCALE = 2\ndef scaled(item):\n    return math.floor(item * SCALE)\n"
    linecache.cache["<cell 1>"] = (len(text), None, text.splitlines(keepends=True), "<cell 1>")
    cell: dict = {"__name__": "__main__"}
    exec(compile(text, "<cell 1>", "exec"), cell)  # as a notebook does
    assert run_elsewhere(cell["scaled"], 2.6, tmp_path) == 5


def test_a_mapped_function_is_a_process_like_any_other() -> None:
    mapped = map_process(
        functions.review,
        concurrency=16,
        deadline="30s",
        budget={"tokens": 1000, "usd": 0.25},
        convergence=Convergence("merge", min_success_ratio=3, function=functions.joined),
    )
    (step,) = mapped.linked.plan.steps
    assert (step.inputs, step.output) == (("items",), "results")
    fan_out = step.fan_out
    assert fan_out is not None
    assert (fan_out.concurrency, fan_out.deadline_us, fan_out.budget.microusd) == (
        16,
        30_000_000,
        250_000,
    )
    assert fan_out.convergence.min_success_count == 3
    assert fan_out.convergence.task == "converge:map"
    assert mapped.linked.tasks["mapped_item"]["inputs"] == {"item": "any"}


def test_equal_functions_give_equal_bundles() -> None:
    assert map_process(functions.review).bundle == map_process(functions.review).bundle
    assert map_process(functions.review).bundle.digest != map_process(functions.told).bundle.digest


def test_a_limit_out_of_range_is_a_flaw_as_in_a_file() -> None:
    with pytest.raises(StructuralError) as caught:
        map_process(functions.review, concurrency=0)
    assert caught.value.fields["flaws"][0]["code"] == "definition.limit_out_of_range"


def test_a_function_without_use_in_the_strategy_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        map_process(functions.review, convergence=Convergence(function=functions.joined))
    assert caught.value.code == "definition.convergence_function"


def test_only_what_is_named_travels() -> None:
    text = skill_source(functions.review).text
    assert "LIMIT" in text
    assert "LOG" not in text
    assert "numpy" not in text
