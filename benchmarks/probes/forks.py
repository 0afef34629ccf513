"""The machine's own fork rate: a process with the zygote's modules forks, its child ends, it waits.

Nothing is confined, signed or logged. Two kinds of child: one exits at once, and no way to give each
item a process of its own by forking can be faster; the other answers one no-op item as a worker
does. Run with one parent and with one per processor.
"""

import os
import subprocess
import sys
from typing import Any

from swarm_ray.sandbox import roots

PARENT = """
import gc, marshal, os, sys, time
from _socket import socketpair
for name, folder in zip(("swarm_ray", "swarm_ray.sandbox"), sys.argv[1:3]):
    shell = type(sys)(name)
    shell.__path__ = [folder]
    sys.modules[name] = shell
from swarm_ray.sandbox import skill_code, start, template
from swarm_ray.sandbox.channel import Channel
from swarm_ray.sandbox.warmth import warm_up
from swarm_ray.sandbox.worker import Worker

SKILLS = {
    "mapped": "def noop(item):\\n    return item\\n",
    "calls": "from mapped import noop\\n\\n\\ndef run(inputs, ctx):\\n    return noop(inputs['item'])\\n",
}
STEP = {"name": "call", "kind": "skill", "uses": "calls:run", "output": "out"}
RUN = {"frame": "run", "task": "t", "inputs": {"item": 7}, "correlation": "", "scope": ""}
warm_up()
compiled = {name: marshal.dumps(compile(text, name, "exec")) for name, text in SKILLS.items()}
skill_code.install(compiled, "")
worker = Worker({"t": {"output": "out", "steps": [STEP]}}, {})

def exits():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)

def answers():
    ours, theirs = socketpair()
    channel = Channel(ours.fileno(), 4096)
    channel.write(RUN)
    pid = os.fork()
    if pid == 0:
        worker.serve(Channel(theirs.fileno(), 4096), "")
        os._exit(0)
    assert channel.read()["output"] == 7
    os.waitpid(pid, 0)
    ours.close()
    theirs.close()

gc.collect(); gc.freeze(); gc.disable()
once = {"exits": exits, "answers": answers}[sys.argv[4]]
sys.stdin.readline()
began, count = time.monotonic(), 0
until = began + float(sys.argv[3])
while time.monotonic() < until:
    for _ in range(50):
        once()
    count += 50
spent = os.times()
print(count / (time.monotonic() - began), sum(spent[:4]) / count * 1000)
"""


def measure(*, seconds: float = 2.0, child: str = "exits") -> dict[str, Any]:
    """Return forks per second, and core-milliseconds per fork with all processors at work.

    Args:
        seconds: how long each of the two rounds takes.
        child: `exits` at once, or `answers` an item.
    """
    sandbox = roots.__file__.rsplit("/", 1)[0]
    command = [roots.interpreter(), "-I", "-S", "-c", PARENT]
    command += [sandbox.rsplit("/", 1)[0], sandbox, str(seconds), child]
    alone, together = _round(command, 1), _round(command, len(os.sched_getaffinity(0)))
    return {"rate": max(alone["rate"], together["rate"]), "core_ms": together["core_ms"]}


def _round(command: list[str], parents: int) -> dict[str, float]:
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(parents)
    ]
    for one in running:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    answers = [one.communicate()[0].split() for one in running]
    return {
        "rate": sum(float(rate) for rate, _ in answers),
        "core_ms": sum(float(cost) for _, cost in answers) / parents,
    }


if __name__ == "__main__":
    print({child: measure(child=child) for child in ("exits", "answers")}, file=sys.stderr)
