"""Running, following and looking at runs from the command line."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swarm_ray.cli.main import app
from swarm_ray.client.session import Session, using
from swarm_ray.config import Settings

PEOPLE = 'people=["ann", "flaky", "broken", "bob"]'


def lines(text: str) -> list[dict]:
    """Return the JSON lines of an output that must hold nothing else."""
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_prints_result_cost_failures_effects_and_what_to_do_next(cli, folder: Path):
    done = cli("run", str(folder), "-i", PEOPLE, "--output-dir", str(folder / "out"))
    assert done.exit_code == 0, done.stderr
    assert "Good day, ann" in done.stdout
    assert "3 of 4 items done, 1 skipped" in done.stdout
    assert "worker-002 skipped: skill.raised ValueError: <script>" in done.stdout
    assert "effect files.publish: done" in done.stdout
    assert "in sequence at least" in done.stdout
    assert "--html review.html" in done.stdout
    assert "step greet" in done.stderr
    written = json.loads((folder / "out" / "greetings.json").read_text())
    assert written == ["Good day, ann", "Good day, flaky", "Good day, bob"]


def test_json_output_is_a_launch_and_a_done_record_and_nothing_else(cli, folder: Path):
    done = cli("run", str(folder), "-i", PEOPLE, "--output-dir", str(folder / "o"), "--json")
    launch, end = lines(done.stdout)
    assert (launch["event"], end["event"]) == ("launch", "done")
    assert launch["run"] == end["run"]
    assert (end["exit_code"], end["status"]) == (0, "done")
    assert end["output"] == ["Good day, ann", "Good day, flaky", "Good day, bob"]
    assert end["cost"]["attempts"] == 6


def test_items_come_from_a_file(cli, folder: Path):
    (folder / "people.csv").write_text("name\nann\nbob\n")
    done = cli("run", str(folder / "asking.yaml"), "--items", str(folder / "people.csv"), "--json")
    assert done.exit_code == 3
    done = cli("decide", "last", "0", "yes", "--json")
    assert lines(done.stdout)[-1]["output"] == ["Good day, ann", "Good day, bob"]


def test_a_run_that_waits_for_a_person_says_what_to_type(cli, folder: Path):
    done = cli("run", str(folder / "asking.yaml"), "-i", 'people=["ann"]')
    assert done.exit_code == 3
    assert "question 0: Greet them all?" in done.stdout
    hint = next(line for line in done.stdout.splitlines() if "swarm-ray decide" in line)
    _, verb, *words = hint.split()
    assert cli(verb, *words, "--reason", "they are friends").exit_code == 0
    story = cli("story", "last").stdout
    assert "'Greet them all?' was answered with 'yes'. Reason: they are friends." in story


def test_a_wrong_choice_is_refused_and_the_run_still_waits(cli, folder: Path):
    cli("run", str(folder / "asking.yaml"), "-i", 'people=["ann"]')
    refused = cli("decide", "last", "0", "perhaps")
    assert refused.exit_code == 2
    assert "error [decide.unknown_choice]" in refused.stderr
    assert "choose one of: yes, no" in refused.stderr
    assert "waits for a person" in cli("show", "last").stdout


def test_a_failed_run_has_its_exit_code_and_can_be_resumed(cli, folder: Path):
    failed = cli("run", str(folder), "-i", 'people=["broken"]')
    assert failed.exit_code == 1
    assert "because: ValueError" in failed.stdout
    again = cli("resume", "last", "--failed", "--json")
    assert again.exit_code == 1
    assert lines(again.stdout)[-1]["cost"]["attempts"] > 2


@pytest.mark.parametrize(
    ("people", "advised"), [('["broken"]', False), ('["flakier"]', True), ('["slower"]', True)]
)
def test_resuming_is_advised_only_where_it_may_help(cli, folder: Path, people: str, advised: bool):
    cli("run", str(folder), "-i", f"people={people}", *(["--detach"] * ("slower" in people)))
    if "slower" in people:
        cli("cancel", "last")
    told = cli("show", "last").stdout
    assert ("swarm-ray resume" in told) == advised
    assert ("correct the input" in told) == (not advised)


def test_an_empty_input_set_is_refused_however_it_is_given(cli, folder: Path):
    (folder / "people.json").write_text("[]")
    path = str(folder / "asking.yaml")
    for words in (("--items", str(folder / "people.json")), ("-i", "people=[]")):
        refused = cli("run", path, *words)
        assert refused.exit_code == 2
        assert "error [items.empty]" in refused.stderr
    assert cli("runs", "--json").stdout == ""


def test_a_run_that_is_done_cannot_be_resumed(cli, folder: Path):
    cli("run", str(folder), "-i", 'people=["ann"]', "--output-dir", str(folder / "o"))
    refused = cli("resume", "last")
    assert refused.exit_code == 2
    assert "resume.ended_well" in refused.stderr


@pytest.mark.parametrize(
    ("limit", "people", "code"),
    [("deadline: 300ms", '["ann", "slower"]', 4), ("budget: {tokens: 25}", '["ann", "bob"]', 5)],
)
def test_a_limit_that_ended_the_run_has_an_exit_code_of_its_own(
    cli, folder: Path, limit: str, people: str, code: int
):
    path = folder / "process.yaml"
    text = path.read_text()
    text = text.replace("min_success_ratio: 0.5", "min_success_ratio: 1.0")
    path.write_text(text.replace("concurrency: 4", f"concurrency: 4\n      {limit}"))
    if "tokens" in limit:
        task = folder / "greet_one.yaml"
        task.write_text(task.read_text().replace("output: text\noutput", f"{SLICE}output"))
    done = cli("run", str(folder), "-i", f"people={people}")
    assert done.exit_code == code, done.stdout + done.stderr


SLICE = "tokens: {input: 10, output: 10}\n    output: text\n"


def test_a_detached_run_is_started_and_can_be_cancelled(cli, folder: Path):
    started = cli("run", str(folder), "-i", 'people=["slower", "ann"]', "--detach")
    assert started.exit_code == 0
    assert "was started" in started.stdout
    assert cli("cancel", "last").exit_code == 0
    shown = cli("resume", "last", "--detach")
    assert shown.exit_code == 0


def test_show_and_story_tell_of_the_run_and_of_one_item(cli, folder: Path):
    cli("run", str(folder), "-i", PEOPLE, "--output-dir", str(folder / "o"))
    shown = cli("show", "last")
    assert "3 of 4 items done" in shown.stdout
    story = cli("story", "last").stdout
    assert "Step 'write' proposed the effect files.publish" in story
    assert "The supervisor granted files.publish" in story
    assert "The effect files.publish of step 'write' happened" in story
    one = cli("story", "last", "--item", "1").stdout
    assert "it ended as transient (worker.crashed)" in one
    assert "Good day, flaky" in one
    assert cli("show", "last", "--item", "1").stdout == one
    assert cli("story", "last", "--item", "9").exit_code == 2


def test_show_writes_one_page(cli, folder: Path):
    cli("run", str(folder), "-i", PEOPLE, "--output-dir", str(folder / "o"))
    target = folder / "review.html"
    assert cli("show", "last", "--html", str(target)).exit_code == 0
    text = target.read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert "alert(" in text
    assert "<script" not in text


def test_everything_can_be_had_as_json(cli, folder: Path):
    cli("run", str(folder), "-i", PEOPLE, "--output-dir", str(folder / "o"))
    (record,) = lines(cli("show", "last", "--json").stdout)
    assert record["output"] == ["Good day, ann", "Good day, flaky", "Good day, bob"]
    assert [swarm["kind"] for swarm in record["swarms"]] == ["step", "fan_out"]
    assert record["swarms"][1]["states"] == ["done", "done", "skipped", "done"]
    (story,) = lines(cli("story", "last", "--json").stdout)
    assert any("fanned out over 4 items" in line for line in story["story"])
    (listed,) = lines(cli("runs", "--json").stdout)
    assert listed["run"] == record["run"]


def test_a_run_is_found_by_a_part_of_its_id_or_near_matches_are_named(cli, folder: Path):
    cli("run", str(folder), "-i", 'people=["ann"]', "--output-dir", str(folder / "o"))
    (listed,) = lines(cli("runs", "--json").stdout)
    end = listed["run"][-8:]
    assert end in cli("show", end).stdout
    wrong = end[:-1] + ("0" if end[-1] != "0" else "1")
    refused = cli("show", wrong)
    assert refused.exit_code == 2
    assert "error [run.unknown]" in refused.stderr
    assert end in refused.stderr


def test_a_corrupted_log_is_refused_with_the_first_bad_entry(cli, folder: Path, session: Session):
    import sqlite3

    from swarm_ray.client.archive import Archive

    cli("run", str(folder), "-i", 'people=["ann"]', "--output-dir", str(folder / "o"))
    connection = sqlite3.connect(session.settings.folder / "ledger.sqlite3")
    with connection:
        connection.execute(
            "UPDATE entries SET data = X'7B7D' WHERE seq = 3 AND log ="
            " (SELECT log FROM logs WHERE kind = 'run')"
        )
    connection.close()
    archive = Archive.of(session.settings)
    assert archive is not None
    refused = cli("show", "last")
    archive.close()
    assert refused.exit_code == 6
    assert "error [ledger.corrupt_entry]" in refused.stderr


def test_garbage_is_collected(cli, folder: Path):
    cli("run", str(folder), "-i", 'people=["ann"]', "--output-dir", str(folder / "o"))
    (kept,) = lines(cli("gc", "--json").stdout)
    assert (kept["event"], kept["runs"]) == ("gc", 0)


def test_garbage_is_named_before_it_is_deleted(cli, folder: Path):
    cli("run", str(folder), "-i", 'people=["ann"]', "--output-dir", str(folder / "o"))
    (listed,) = lines(cli("runs", "--json").stdout)
    (told,) = lines(cli("gc", "--keep-days", "0", "--dry-run", "--json").stdout)
    assert (told["dry_run"], told["names"]["runs"]) == (True, [listed["run"]])
    dry = cli("gc", "--keep-days", "0", "--dry-run").stdout
    assert "Would delete: 1 runs" in dry
    assert f"runs: {listed['run']}" in dry
    assert lines(cli("runs", "--json").stdout) == [listed]
    assert "Deleted: 1 runs" in cli("gc", "--keep-days", "0").stdout
    assert cli("runs", "--json").stdout == ""
    gone = cli("verify", listed["run"])
    assert gone.exit_code == 2
    assert "error [run.deleted]" in gone.stderr
    assert "nothing of it can be shown" in gone.stderr


def test_contents_are_deleted_by_class_and_the_run_stays_checkable(cli, folder: Path):
    cli("run", str(folder), "-i", 'people=["ann"]', "--output-dir", str(folder / "o"))
    (told,) = lines(cli("gc", "--bodies", "output", "--run", "last", "--json").stdout)
    assert told["contents"] > 0
    assert "Deleted: 0 contents" in cli("gc", "--bodies", "output", "--run", "last").stdout
    checked = cli("verify", "last")
    assert checked.exit_code == 0, checked.stderr
    assert "cannot be shown" in checked.stdout


@pytest.mark.parametrize("words", [["--bodies", "outputs"], ["--run", "last"]])
def test_a_class_that_is_none_is_refused(cli, folder: Path, words: list[str]):
    cli("run", str(folder), "-i", 'people=["ann"]', "--output-dir", str(folder / "o"))
    refused = cli("gc", *words)
    assert refused.exit_code == 2
    assert "error [gc.bad_class]" in refused.stderr


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from swarm_ray.cli.main import app
from swarm_ray.client.session import Session, using
from swarm_ray.config import Settings
from swarm_ray.testing.service import Did, scripted_service

settings = Settings(home=Path(sys.argv[1]))
service = scripted_service(settings, lambda call: Did(["ann"] * 40, seconds=0 if "step:" in call.task else 60))
with using(Session(settings, service)):
    app(["run", sys.argv[2], "-i", 'people=["ann"]'], prog_name="swarm-ray")
"""


def test_a_run_whose_program_was_killed_is_interrupted_and_says_how_to_go_on(folder: Path):
    home = folder / "killed"
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(home), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with using(Session(Settings(home=home))), process:
        assert process.stderr is not None
        while "running" not in (line := process.stderr.readline()):
            assert line, "the program has ended"
        assert "4 running, " in line
        living = CliRunner().invoke(app, ["show", "last"]).stdout
        assert ": running, " in living
        process.send_signal(signal.SIGKILL)
        process.wait()
        shown = CliRunner().invoke(app, ["show", "last"]).stdout
        listed = CliRunner().invoke(app, ["runs", "--json"]).stdout
        html = folder / "page.html"
        CliRunner().invoke(app, ["show", "last", "--html", str(html)])
    assert "greet_people: interrupted" in shown
    assert " running" not in shown
    assert " queued" not in shown
    assert "swarm-ray resume" in shown
    assert lines(listed)[0]["status"] == "interrupted"
    assert "interrupted" in html.read_text()


def test_a_reader_that_has_seen_enough_is_no_error(cli, folder: Path):
    cli("run", str(folder), "-i", PEOPLE, "--output-dir", str(folder / "o"))
    for words in ("show last", "story last --json", "show last --result"):
        process = subprocess.Popen(
            [sys.executable, "-m", "swarm_ray.cli.main", *words.split()],
            env={**os.environ, "SWARM_RAY_HOME": str(folder / "home")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            process.stdout.close()  # before it writes its first line
            told = process.stderr.read()
        assert (process.returncode, told) == (0, "")


def test_an_item_of_the_wrong_type_fails_with_its_name_and_what_was_expected(cli, folder: Path):
    done = cli("run", str(folder), "-i", 'people=[{"name": "ann"}, {"name": 3}]')
    assert "Good day, ann" in (folder / "out" / "greetings.json").read_text()
    told = cli("story", "last", "--item", "1").stdout
    assert "input.mismatch" in told
    assert "'name'" in told
    assert done.exit_code == 0  # half of the items are enough here
