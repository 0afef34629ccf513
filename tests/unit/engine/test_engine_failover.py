"""A coordinator that dies with its node: another one, elsewhere, goes on from the servers."""

import subprocess
import sys
from pathlib import Path

import pytest

import swarm_ray as swarm
from swarm_ray.client.session import Session, using
from swarm_ray.config import Settings
from swarm_ray.testing.service import Call, Did, scripted_service

pytestmark = pytest.mark.servers
ITEMS = 60

DYING = """
import sys
from pathlib import Path
import swarm_ray as swarm
from swarm_ray.client.session import Session, using
from swarm_ray.config import Settings
from swarm_ray.testing.service import Did, scripted_service

home, ledger, bodies, tenant, items = sys.argv[1:]

def slow(call):
    return Did("x" * 10_000 + str(call.item), seconds=0.05)

def f(item):
    raise AssertionError("scripted")

settings = Settings(home=Path(home), tenant=tenant, ledger=ledger, bodies=bodies, lease_s=2)
with using(Session(settings, scripted_service(settings, slow))):
    handle = swarm.map(f, list(range(int(items))), concurrency=4)
    while handle.view().swarms[-1:] == [] or handle.view().swarms[-1].succeeded < 10:
        pass
    print(handle.id, flush=True)
    sys.stdin.read()
"""


def test_a_run_goes_on_elsewhere_and_repeats_nothing(tmp_path: Path, servers: tuple[str, str]):
    ledger, bodies = servers
    scene = tmp_path / "scene.py"
    scene.write_text(DYING)
    dying = subprocess.Popen(
        [sys.executable, scene, tmp_path / "here", ledger, bodies, "failover", str(ITEMS)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    run = dying.stdout.readline().strip()
    dying.kill()
    dying.wait()
    dying.stdin.close()
    dying.stdout.close()

    def quick(call: Call) -> Did:
        return Did("x" * 10_000 + str(call.item))

    there = Settings(
        home=tmp_path / "there", tenant="failover", ledger=ledger, bodies=bodies, lease_s=2
    )
    service = scripted_service(there, quick)
    with using(Session(there, service)):
        handle = swarm.attach(run)
        assert handle.result(60).output == ["x" * 10_000 + str(item) for item in range(ITEMS)]
        attempts = handle.view().swarms[0].attempts
    service.shut_down()
    ended = [(one.item, one.attempt) for one in attempts]
    assert len(ended) == len(set(ended))
    assert sum(one.status == "ok" for one in attempts) == ITEMS
