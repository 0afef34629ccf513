"""Checking before anything is spent: validate, plan, doctor, and errors of usage."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from swarm_ray.cli.output import ExitCode, exit_code_of
from swarm_ray.client.outcomes import BudgetExceeded, RunFailed
from swarm_ray.errors import (
    Busy,
    ContainmentError,
    IntegrityError,
    InternalError,
    StructuralError,
    UsageError,
    WorkerError,
)
from swarm_ray.values.digests import sha256

ALL_VERBS = (
    "up", "validate", "plan", "run", "resume", "cancel", "runs", "show", "story", "decide",
    "doctor", "gc",
)  # fmt: skip


def program(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the real program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "swarm_ray.cli.main", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "80", **environment},
    )


def test_validate_accepts_what_holds(cli, folder: Path):
    done = cli("validate", str(folder))
    assert done.exit_code == 0
    assert "greet_people version 1 holds: 3 steps." in done.stdout


def test_validate_prints_every_flaw_with_file_and_line(cli, folder: Path):
    path = folder / "process.yaml"
    path.write_text(
        path.read_text()
        .replace("task: greet_one", "task: greet_two")
        .replace("over: ch", "over: x")
    )
    done = cli("validate", str(folder))
    assert done.exit_code == 2
    flaws = [line for line in done.stdout.splitlines() if "process.yaml:" in line]
    assert len(flaws) == 2
    assert "error [definition.flawed]: 2 flaws" in done.stderr
    record = json.loads(cli("validate", str(folder), "--json").stdout)
    assert record["ok"] is False
    assert all(flaw["line"] > 1 and flaw["code"] for flaw in record["flaws"])


def test_plan_says_what_would_happen_and_starts_nothing(cli, folder: Path):
    done = cli("plan", str(folder / "asking.yaml"), "-i", 'people=["ann", "bob", "cy"]')
    assert done.exit_code == 0
    assert "asks: Greet them all? (yes, no)" in done.stdout
    assert "over 'people': 3 items, at most 2 at once" in done.stdout
    assert "below the break-even of about four items" in done.stdout
    assert "no tokens and no money are spent" in done.stdout
    assert "done by: skill greeting:greet" in done.stdout
    assert cli("runs").stdout.startswith("Nothing has run here yet")


def test_plan_as_json_counts_the_items_it_knows(cli, folder: Path):
    record = json.loads(cli("plan", str(folder), "-i", 'people=["ann"]', "--json").stdout)
    by_name = {step["name"]: step for step in record["steps"]}
    assert by_name["greet"]["items"] is None
    assert by_name["greet"]["max_attempts"] == 2
    assert by_name["write"]["effect"] == "files.publish"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["-i", "people"], "cli.bad_input"),
        (["-i", "people=ann"], "cli.bad_input"),
        (["-i", "people=@none.json"], "cli.input_file"),
        (["-i", 'people={"a": 1}'], "run.bad_input"),
        (["-i", 'peeple=["ann"]'], "run.unknown_input"),
        ([], "run.missing_input"),
        (["--items", "none.csv"], "run.no_item_input"),
    ],
)
def test_wrong_inputs_are_refused_before_anything_starts(
    cli, folder: Path, words: list[str], code: str
):
    done = cli("run", str(folder), *words)
    assert done.exit_code == 2
    assert f"error [{code}]" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_inputs_may_come_from_files(cli, folder: Path):
    (folder / "people.json").write_text('["ann"]')
    (folder / "all.json").write_text('{"people": ["ann"], "output_dir": "o"}')
    one = cli("plan", str(folder), "-i", f"people=@{folder / 'people.json'}")
    both = cli("plan", str(folder), "-i", f"@{folder / 'all.json'}")
    assert one.exit_code == both.exit_code == 0
    assert one.stdout == both.stdout


def test_an_error_as_json_stands_alone_on_stdout(cli, folder: Path):
    done = cli("run", str(folder / "nowhere"), "--json")
    assert done.exit_code == 2
    assert json.loads(done.stdout)["code"] == "definition.unknown_blueprint"
    assert "remedy:" in done.stderr


def test_every_error_class_has_its_exit_code():
    made = {
        UsageError: ExitCode.USAGE,
        StructuralError: ExitCode.USAGE,
        WorkerError: ExitCode.FAILED,
        ContainmentError: ExitCode.FAILED,
        IntegrityError: ExitCode.UNVERIFIED,
        InternalError: ExitCode.FAILED,
        Busy: ExitCode.FAILED,
        RunFailed: ExitCode.FAILED,
    }
    for kind, code in made.items():
        assert exit_code_of(kind("area.slug", "text")) is code
    assert exit_code_of(BudgetExceeded("run.budget_exceeded", "text")) is ExitCode.BUDGET


def test_help_lists_every_verb_and_needs_no_ray():
    done = program("--help")
    assert done.returncode == 0
    listed = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]
    assert [word for word in listed if word in ALL_VERBS] == list(ALL_VERBS)
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "swarm_ray.cli.main", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    modules = {line.rsplit("|", 1)[-1].strip() for line in loaded.splitlines()}
    assert not modules & {"ray", "pyarrow", "pydantic", "rich", "cryptography"}


@pytest.mark.parametrize("verb", ALL_VERBS)
def test_every_verb_explains_itself_and_takes_json(cli, verb: str):
    done = cli(verb, "--help")
    assert done.exit_code == 0
    assert "--json" in done.stdout


def test_a_wrong_setting_is_named(tmp_path: Path):
    done = program("runs", SWARM_RAY_HOME=str(tmp_path), SWARM_RAY_SLOTS="many")
    assert done.returncode == 2
    assert "error [config.bad_number]" in done.stderr


def test_looking_where_nothing_has_run_starts_nothing(tmp_path: Path):
    done = program("show", "last", SWARM_RAY_HOME=str(tmp_path / "home"))
    assert done.returncode == 2
    assert "nothing has run here yet" in done.stderr
    assert not (tmp_path / "home").exists()


def test_doctor_says_what_was_found(cli):
    done = cli("doctor", "--json")
    checks = {record["name"]: record for record in map(json.loads, done.stdout.splitlines())}
    assert {"python", "ray", "home", "disk", "isolation", "model"} <= checks.keys()
    assert checks["python"]["ok"]
    for check in checks.values():
        if check["description"]:
            assert check["found"].endswith(sha256(check["description"].encode()))
            assert f"sandbox {json.loads(check['description'])['driver']}" == check["name"]
    needed = [one for one in checks.values() if one["needed"] and not one["ok"]]
    assert done.exit_code == (1 if needed else 0)
