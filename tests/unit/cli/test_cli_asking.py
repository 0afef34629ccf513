"""A question that expires: nobody waits in silence for it, and a terminal is asked there and then."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

from swarm_ray.client.following import Follower
from swarm_ray.client.session import Session

PROGRAM = """
import sys
from pathlib import Path
from swarm_ray.cli.main import app
from swarm_ray.client.session import Session, using
from swarm_ray.config import Settings
from swarm_ray.testing.service import scripted_service

settings = Settings(home=Path(sys.argv[1]))
service = scripted_service(settings, lambda call: "x")
with using(Session(settings, service)):
    try:
        app(["run", sys.argv[2], "-i", 'people=["ann"]'], prog_name="swarm-ray")
    finally:
        service.shut_down()
"""


def expiring(folder: Path, after: str = "1h") -> str:
    path = folder / "asking.yaml"
    text = path.read_text()
    path.write_text(text.replace('default: "no"}', f'default: "no", expires: {after}}}'))
    return str(path)


def test_a_question_that_expires_ends_the_command_and_says_what_to_type(cli, folder: Path):
    done = cli("run", expiring(folder), "-i", 'people=["ann"]')
    assert done.exit_code == 3
    assert "question 0: Greet them all?" in done.stdout
    assert "choices: yes, no (default no)" in done.stdout
    assert "UTC: no" in done.stdout
    assert "question 0: Greet them all?" in done.stderr
    hint = next(line for line in done.stdout.splitlines() if "swarm-ray decide" in line)
    assert cli(*hint.split()[1:]).exit_code == 0


def test_data_about_a_question_names_default_and_expiry(cli, folder: Path):
    done = cli("run", expiring(folder), "-i", 'people=["ann"]', "--json")
    [question] = json.loads(done.stdout.splitlines()[-1])["questions"]
    assert question["default"] == "no"
    assert question["until_us"] > 0


def test_only_where_somebody_else_can_answer_an_expiry_is_waited_for(
    cli, folder: Path, session: Session
):
    cli("run", expiring(folder), "-i", 'people=["ann"]')
    service = session.service()
    follower = Follower(service, service.runs()[-1])
    follower.catch_up()
    assert follower.rests(private=True)
    assert not follower.rests(private=False)


def at_a_terminal(folder: Path, typed: str) -> tuple[int, str, str]:
    """Run at a terminal where somebody types; return exit code, stdout and what stood there."""
    here, there = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder / "home"), expiring(folder)],
        stdin=there,
        stdout=subprocess.PIPE,
        stderr=there,
        text=True,
    )
    os.close(there)
    seen = b""
    while b"answer>" not in seen:
        seen += os.read(here, 4096)
    os.write(here, typed.encode())
    with process:
        assert process.stdout is not None
        drained = _drained(here)
        out = process.stdout.read()
    os.close(here)
    return process.returncode, out, (seen + drained).decode()


def _drained(terminal: int) -> bytes:
    seen = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the program has closed its side
            return seen
        if not part:
            return seen
        seen += part


def test_a_terminal_is_asked_and_the_run_goes_on_with_the_answer(folder: Path):
    code, out, seen = at_a_terminal(folder, "perhaps\nyes\n")
    assert code == 0, out + seen
    assert "question 0: Greet them all?" in seen
    assert "'perhaps' is none of: yes, no" in seen
    assert "1 of 1 items done" in out


def test_a_terminal_that_gives_no_answer_leaves_the_run_waiting(folder: Path):
    code, out, _ = at_a_terminal(folder, "\x04")
    assert code == 3
    assert "swarm-ray decide" in out
