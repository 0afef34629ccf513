"""What a newcomer waits for: `import swarm_ray`, and `swarm-ray --help`.

Median of whole processes, the interpreter's own start included.
"""

import subprocess
import sys
import time

from benchmarks.figures import Figure, median

TIMES = 5
WITHOUT_RAY = "import swarm_ray, sys; sys.exit('ray' in sys.modules)"
HELP = "import sys; sys.argv = ['swarm-ray', '--help']; from swarm_ray.cli.main import main; main()"


def run(*, quick: bool) -> list[Figure]:
    """Time processes; the first of each warms the file cache and does not count."""
    times = 3 if quick else TIMES
    bare = _seconds("pass", times)
    return [
        _figure("import swarm_ray, without Ray", WITHOUT_RAY, times, 0.3, median(bare)),
        _figure("swarm-ray --help", HELP, times, 0.6, median(bare)),
    ]


def _figure(what: str, code: str, times: int, reach: float, bare_s: float) -> Figure:
    samples = _seconds(code, times)
    peers = {"an empty Python program": bare_s}
    return Figure(what, median(samples), "s", reach, peers=peers, samples=samples)


def _seconds(code: str, times: int) -> list[float]:
    samples = []
    for _ in range(times + 1):
        began_s = time.monotonic()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        samples.append(time.monotonic() - began_s)
    return samples[1:]
