"""An environment of its own for peers that the project does not depend on, made when asked for.

It lies in the temporary folder and is used again by later benchmarks of the same user.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = (
    "dask",
    "distributed",
    "parsl",
    "langgraph",
    "langgraph-checkpoint-sqlite",
    "dbos",
)


class NoPeers(Exception):
    """The environment could not be made; the text says why."""


def peer_python() -> str:
    """Return the interpreter of the peers' environment, making it first.

    Raises:
        NoPeers: pip could not install the packages.
    """
    folder = Path(tempfile.gettempdir()) / f"swarm-benchmark-peers-{os.getuid()}"
    python, ready = folder / "bin" / "python", folder / ".ready"
    if not ready.exists():
        print(f"installing {', '.join(PACKAGES)} into {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        done = subprocess.run([*install, *PACKAGES], capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoPeers(done.stderr.strip()[-500:])
        ready.touch()
    return str(python)
