"""The one entry point: it lists every suite, and what it writes is what the README is made of."""

import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import write_readme
from benchmarks.__main__ import names, takes
from benchmarks.figures import Figure, Report, write_json

ROOT = Path(__file__).resolve().parents[3]


def ask(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_list_names_every_suite_with_its_summary() -> None:
    told = ask("list").stdout.splitlines()
    assert [line.split()[0] for line in told] == names()
    assert {"noop", "latency", "footprint", "resume", "budget", "world"} <= set(names())
    assert all(len(line.split()) > 4 for line in told)


@pytest.mark.parametrize("name", names())
def test_a_suite_can_be_run_quickly_and_says_what_it_does(name: str) -> None:
    suite = importlib.import_module(f"benchmarks.suites.{name}")
    quick = inspect.signature(suite.run).parameters["quick"]
    assert quick.kind is quick.KEYWORD_ONLY
    assert write_readme.docstring(name).splitlines()[0].endswith((".", ":", "0."))


def test_peers_are_refused_where_there_is_nothing_to_install() -> None:
    assert takes(importlib.import_module("benchmarks.suites.noop"), "peers")
    done = ask("codec", "--peers")
    assert done.returncode == 2
    assert "compares with nothing" in done.stderr


def test_a_quick_suite_writes_its_figures(tmp_path: Path) -> None:
    file = tmp_path / "imports.json"
    done = ask("imports", "--quick", "--json", str(file))
    assert done.returncode == 0, done.stderr
    result = json.loads(file.read_text())
    assert result["name"] == "imports"
    assert result["quick"] is True
    assert {"cores", "python", "kernel", "load"} <= result["machine"].keys()
    for figure in result["figures"]:
        assert figure["value"] > 0
        assert len(figure["samples"]) == 3
        assert figure["met"] is (figure["value"] <= figure["reach"])


def test_the_readme_says_what_was_not_reached_and_why(tmp_path: Path) -> None:
    figures = [
        Figure("slow thing", 12.5, "ms", 5, samples=[12.0, 12.5, 13.0], peers={"Ray": 3.0}),
        Figure("rate", 2_000, "items/s", 1_000, "least"),
    ]
    write_json(Report("latency", figures, quick=True), tmp_path / "latency.json")
    result = json.loads((tmp_path / "latency.json").read_text())
    page = write_readme.page([result], {"latency": "It is slow because."})
    assert "| slow thing | 12.5 ms | ≤ 5 ✗ | Ray 3 |" in page
    assert "| rate | 2,000 items/s | ≥ 1,000 ✓ |" in page
    assert "**not met**, preliminary" in page
    assert "Not reached: It is slow because." in page
    assert "no reason is known yet" in write_readme.page([result], {})


def test_what_does_not_depend_on_time_is_final_on_a_busy_machine() -> None:
    result = {"quick": False, "machine": {"load": 1.5}}
    assert write_readme.preliminary(result)
    assert not write_readme.preliminary({**result, "timed": False})
    assert write_readme.preliminary({**result, "timed": False, "quick": True})
