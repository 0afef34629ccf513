"""Times that runs wait for, on the coordinator's clock.

Decides nothing: an alarm calls what it was given. What a run waits for is in its log and set anew
after a restart.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from swarm_ray.ports.clock import Clock


@dataclass(slots=True)
class Alarms:
    """Alarms of all runs of one coordinator, by run and key; a key has one."""

    clock: Clock
    _set: dict[tuple[str, str], asyncio.TimerHandle] = field(default_factory=dict)

    def set(self, run: str, key: str, at_us: int, act: Callable[[], None]) -> None:
        """Call `act` at a log time, or at once when that has passed, and not what the key had
        before."""
        before = self._set.pop((run, key), None)
        if before is not None:
            before.cancel()
        delay_s = max(0, at_us - self.clock.now_us()) / 1e6
        loop = asyncio.get_running_loop()
        self._set[run, key] = loop.call_later(delay_s, self._fire, (run, key), act)

    def _fire(self, key: tuple[str, str], act: Callable[[], None]) -> None:
        del self._set[key]
        act()

    def forget(self, run: str) -> None:
        """A run is closed: nothing of it is called any more."""
        for key in [key for key in self._set if key[0] == run]:
            self._set.pop(key).cancel()

    def close(self) -> None:
        """Call nothing any more."""
        for handle in self._set.values():
            handle.cancel()
        self._set.clear()
