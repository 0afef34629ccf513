"""Functions of the definition that are asked about outputs, in a sandbox.

Decides what an answer means, never what follows. A function is untrusted like any skill: it runs in
a child of a zygote on the coordinator's node, and one that fails, hangs or yields something else
than true finds no two outputs equal and no output right. Blocking: call it from a thread.
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

LOGGER = logging.getLogger("swarm_ray.functions")
PATIENCE_S = 5.0
FRAME_BYTES = 64 * 2**20
"""Of what a function is given. Larger outputs are equal to no other, and none of them is right."""
REASON_CHARS = 1_000


@dataclass(slots=True)
class Functions:
    """Zygotes of the bundles whose functions are asked, one for each."""

    settings: Settings
    zygotes: dict[str, Zygote] = field(default_factory=dict)

    def equal(self, bundle: str, loaded: Loaded, task: str, pair: tuple[Any, Any]) -> bool:
        """Ask whether two outputs are equal; `task` is the one that calls the function."""
        frame = self._ask(bundle, loaded, task, {"left": pair[0], "right": pair[1]})
        return frame.get("status") == "ok" and frame.get("output") is True

    def flaw(self, bundle: str, loaded: Loaded, task: str, item: Any, output: Any) -> str | None:
        """Ask what is wrong with the output for an item; None when nothing is. `task` is the one
        that calls the function, `item` are the inputs of the item."""
        frame = self._ask(bundle, loaded, task, {"item": item, "output": output})
        if frame.get("status") != "ok":
            return f"the function gave no answer: {frame.get('message')}"[:REASON_CHARS]
        match frame.get("output"):
            case True:
                return None
            case False:
                return "the function yielded false"
            case [False, str(reason)]:
                return reason[:REASON_CHARS]
            case _:
                return "the function yielded neither true nor false with a reason"

    def _ask(self, bundle: str, loaded: Loaded, task: str, inputs: dict[str, Any]) -> Any:
        zygote = self._zygote(bundle, loaded)
        frame = ask(zygote, task, inputs, patience_s=PATIENCE_S, limit_bytes=FRAME_BYTES)
        if frame.get("status") != "ok":
            LOGGER.warning("%s gave no answer: %s", task, frame.get("message"))
        return frame

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
        return self.settings.folder / "asking" / bundle

    def close(self) -> None:
        """End the zygotes and remove what was unpacked for them."""
        for bundle, zygote in self.zygotes.items():
            zygote.close()
            shutil.rmtree(self._folder(bundle), ignore_errors=True)
        self.zygotes.clear()
