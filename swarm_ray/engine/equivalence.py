"""Whether two outputs are equal by a function of the definition, asked in a sandbox.

Decides nothing itself. The function is untrusted like any skill: it runs in a child of a zygote on
the coordinator's node, and one that fails, hangs or yields something else than true finds no two
outputs equal. Blocking: call it from a thread.
"""

import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swarm_ray.config import Settings
from swarm_ray.definition.bundle import unpack
from swarm_ray.engine.bundles import Loaded
from swarm_ray.ports.sandbox import Zygote, ZygotePolicy
from swarm_ray.sandbox.probe import ask, choose

LOGGER = logging.getLogger("swarm_ray.copies")
PATIENCE_S = 5.0
FRAME_BYTES = 64 * 2**20
"""Of a pair of outputs. Larger ones are not equal to any other."""


@dataclass(slots=True)
class Equivalence:
    """Zygotes of the bundles whose functions compare outputs, one for each."""

    settings: Settings
    zygotes: dict[str, Zygote] = field(default_factory=dict)

    def equal(self, bundle: str, loaded: Loaded, task: str, pair: tuple[Any, Any]) -> bool:
        """Ask the function whether two outputs are equal; `task` is the one that calls it."""
        inputs = {"left": pair[0], "right": pair[1]}
        zygote = self._zygote(bundle, loaded)
        frame = ask(zygote, task, inputs, patience_s=PATIENCE_S, limit_bytes=FRAME_BYTES)
        if frame.get("status") != "ok":
            LOGGER.warning("outputs could not be compared by %s: %s", task, frame.get("message"))
        return frame.get("status") == "ok" and frame.get("output") is True

    def _zygote(self, bundle: str, loaded: Loaded) -> Zygote:
        zygote = self.zygotes.get(bundle)
        if zygote is None or not zygote.alive:
            folder = self._folder(bundle)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            unpack(loaded.data, folder, bundle)
            isolation = self.settings.isolation
            driver = choose(None if isolation == "auto" else isolation)
            policy = ZygotePolicy(reserve=1, frame_limit_bytes=FRAME_BYTES)
            self.zygotes[bundle] = zygote = driver.start(folder, policy)
        return zygote

    def _folder(self, bundle: str) -> Path:
        return self.settings.folder / "comparing" / bundle

    def close(self) -> None:
        """End the zygotes and remove what was unpacked for them."""
        for bundle, zygote in self.zygotes.items():
            zygote.close()
            shutil.rmtree(self._folder(bundle), ignore_errors=True)
        self.zygotes.clear()
