"""A disk that is really full: the run stops with a clear error, and goes on when there is room."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DISK_MB, FREE_MB = 160, 24
"""The results need about 40 MB, the merged result as much again."""

SCENE = """
import json, sys
from pathlib import Path
import swarm_ray as swarm
from swarm_ray.client.session import Session, using
from swarm_ray.config import Settings
from swarm_ray.testing.service import scripted_service

ITEMS, BODY = 400, 100_000
home = Path(sys.argv[1])
ballast = home / "ballast"

def script(call):
    return f"{call.item:06d}" * (BODY // 6)

def f(item):
    raise AssertionError("scripted")

settings = Settings(home=home / "home")
service = scripted_service(settings, script)
with using(Session(settings, service)):
    handle = swarm.map(f, list(range(ITEMS)))
    try:
        handle.result(60)
        found = {"code": ""}
    except swarm.SwarmError as error:
        found = {"code": error.code, "hint": error.hint}
    run = handle.id
service.shut_down()
ballast.unlink()
service = scripted_service(settings, script)
with using(Session(settings, service)):
    handle = swarm.attach(run)
    found["outputs"] = len(handle.result(60).output)
    attempts = [(one.item, one.attempt) for s in handle.view().swarms for one in s.attempts]
    found["repeated"] = len(attempts) - len(set(attempts))
service.shut_down()
print(json.dumps(found))
"""


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="a disk of its own needs bubblewrap")
def test_a_full_disk_stops_the_run_and_room_lets_it_go_on(tmp_path: Path):
    scene = tmp_path / "scene.py"
    scene.write_text(SCENE)
    fill = f'head -c {(DISK_MB - FREE_MB) << 20} /dev/zero > /mnt/ballast && exec "$@"'
    boxed = ["bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--size", str(DISK_MB << 20),
             "--tmpfs", "/mnt", "sh", "-c", fill, "sh", sys.executable, str(scene), "/mnt"]  # fmt: skip
    done = subprocess.run(boxed, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["code"] == "ledger.write_failed"
    assert "free disk space" in found["hint"]
    assert found["outputs"] == 400
    assert found["repeated"] == 0
