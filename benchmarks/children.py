"""Runs one measurement in a process of its own: clean memory, own home, own cgroup.

A probe is a module with `measure(**arguments) -> dict`; its answer is the last line of its output.
Nothing that it started outlives the call.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.accounting import GROUP_VARIABLE, descendants, group

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 3_600.0
TAIL_CHARS = 2_000
_JOIN = 'echo $$ > "$0"/cgroup.procs && exec "$@"'


class ProbeFailed(Exception):
    """A measurement did not end well; the text is the end of what it wrote."""


def measure(
    module: str,
    *,
    python: str = sys.executable,
    timeout_s: float = TIMEOUT_S,
    environment: dict[str, str] | None = None,
    **arguments: Any,
) -> dict[str, Any]:
    """Run `measure(**arguments)` of a module and return its answer.

    Raises:
        ProbeFailed: it ended with an error, without an answer, or not in time.
    """
    with tempfile.TemporaryDirectory(prefix="swarm-benchmark-") as home, group("probe") as path:
        child = start(module, Path(home), arguments, python=python, cgroup=path, more=environment)
        try:
            out, err = child.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise ProbeFailed(f"{module} took more than {timeout_s:.0f} s") from None
        finally:
            end(child)
        lines = out.decode().strip().splitlines()
        if child.returncode or not lines:
            raise ProbeFailed(f"{module} {arguments}: {err.decode()[-TAIL_CHARS:]}")
        found: dict[str, Any] = json.loads(lines[-1])
        return found


def start(
    module: str,
    home: Path,
    arguments: dict[str, Any],
    *,
    python: str = sys.executable,
    cgroup: Path | None = None,
    more: dict[str, str] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a probe and return at once."""
    command = [python, "-m", "benchmarks.children", module, json.dumps(arguments)]
    if cgroup is not None:
        command = ["sh", "-c", _JOIN, str(cgroup), *command]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "SWARM_"))}
    own = {
        "HOME": str(home),
        "PATH": f"{Path(python).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "SWARM_RAY_HOME": str(home / "swarm_ray"),
        "SWARM_RAY_ADDRESS": "local",
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": str(ROOT),
        **({GROUP_VARIABLE: str(cgroup)} if cgroup else {}),
    }
    return subprocess.Popen(
        command,
        env={**kept, **own, **(more or {})},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def end(child: "subprocess.Popen[bytes]") -> None:
    """End a probe with everything below it."""
    if child.poll() is None:
        for pid in (*descendants(child.pid), child.pid):
            kill(pid)
    child.communicate()


def kill(pid: int) -> None:
    """Kill a process that this benchmark started, if it is still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def main() -> int:
    """Be the child: run the probe that the arguments name."""
    began_s = time.time()
    probe = importlib.import_module(sys.argv[1])
    answer = probe.measure(**json.loads(sys.argv[2]))
    print(json.dumps({"began_s": began_s, **answer}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
