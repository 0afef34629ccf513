"""Ctrl-C while a run is followed: nothing is lost, and the next command is named."""

import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from swarm_ray.cli.main import app
from swarm_ray.client.session import Session, using
from swarm_ray.config import Settings
from swarm_ray.testing.service import Did, scripted_service

def script(call):
    return Did("x", seconds=60.0)

settings = Settings(home=Path(sys.argv[1]))
service = scripted_service(settings, script)
with using(Session(settings, service)):
    try:
        app(["run", sys.argv[2], "-i", 'people=["ann"]'], prog_name="swarm-ray")
    finally:
        service.shut_down()
"""


def test_an_interrupt_says_how_to_go_on_and_how_to_end_it(folder: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder / "home"), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    assert "step" in first
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 130, rest
    assert "nothing of it is lost" in rest
    assert "swarm-ray resume" in rest
    assert "swarm-ray cancel" in rest
