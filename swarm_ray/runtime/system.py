"""The system job: `python -m swarm_ray.runtime.system FILE NODE` starts a tenant's coordinator.

Decides nothing. It runs as a Ray job without a runtime_env, so that no file of a tenant's job is
on the import path of the coordinator, nor of the hosts that it starts.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from swarm_ray.config import Settings


def write_settings(settings: Settings, path: Path) -> None:
    """Write settings for the system job, readable by their owner only: they hold a key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(asdict(settings) | {"home": str(settings.home)}))
    part.replace(path)


def read_settings_file(path: Path) -> Settings:
    """Return what `write_settings` wrote."""
    found: dict[str, Any] = json.loads(path.read_text())
    return Settings(**found | {"home": Path(found["home"])})


def main() -> None:
    """Start the coordinator on a node of the cluster that this job belongs to."""
    from swarm_ray.runtime.actors import start_coordinator
    from swarm_ray.runtime.cluster import join

    path, node_id = Path(sys.argv[1]), sys.argv[2]
    settings = read_settings_file(path)
    path.unlink()
    join(settings)
    start_coordinator(settings, node_id)


if __name__ == "__main__":
    main()
