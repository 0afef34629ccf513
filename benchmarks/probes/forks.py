"""The machine's own fork rate: a process with the zygote's modules forks, its child exits, it waits.

Nothing is confined and nothing is said; no way to give each item a process of its own by forking can
be faster. Run with one and with two parents at once.
"""

import subprocess
import sys
from typing import Any

from swarm_ray.sandbox import roots

PARENT = """
import os, sys, time, gc
for name, folder in zip(("swarm_ray", "swarm_ray.sandbox"), sys.argv[1:3]):
    shell = type(sys)(name)
    shell.__path__ = [folder]
    sys.modules[name] = shell
from swarm_ray.sandbox import start, warmth
warmth.warm_up()
gc.collect(); gc.freeze(); gc.disable()
sys.stdin.readline()
began, count = time.monotonic(), 0
until = began + float(sys.argv[3])
while time.monotonic() < until:
    for _ in range(50):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    count += 50
spent = os.times()
print(count / (time.monotonic() - began), sum(spent[:4]) / count * 1000)
"""


def measure(*, seconds: float = 2.0) -> dict[str, Any]:
    """Return forks per second and core-milliseconds per fork for one and for two parents."""
    sandbox = roots.__file__.rsplit("/", 1)[0]
    found: dict[str, Any] = {}
    for parents in (1, 2):
        command = [roots.interpreter(), "-I", "-S", "-c", PARENT]
        command += [sandbox.rsplit("/", 1)[0], sandbox, str(seconds)]
        running = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(parents)
        ]
        for one in running:
            assert one.stdin is not None
            one.stdin.write("\n")
            one.stdin.flush()
        answers = [one.communicate()[0].split() for one in running]
        found[f"rate_{parents}"] = sum(float(rate) for rate, _ in answers)
        found[f"core_ms_{parents}"] = sum(float(cost) for _, cost in answers) / parents
    found["rate"] = max(found["rate_1"], found["rate_2"])
    return found


if __name__ == "__main__":
    print(measure(), file=sys.stderr)
