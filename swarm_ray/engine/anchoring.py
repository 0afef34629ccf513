"""Anchoring: the latest checkpoint of the index log goes where we cannot rewrite it.

Decides when: after so many seconds or entries since the last time. Anchors work in threads of
their own and delay nothing; that one fails is said in the admin log once, until it works again.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from swarm_ray.errors import SwarmError
from swarm_ray.ports.anchors import Anchor, Anchored

LOGGER = logging.getLogger("swarm_ray.anchoring")
EVERY_S: Final = 10.0
EVERY_ENTRIES: Final = 1_000
LOOK_S: Final = 0.25
PROOF_S: Final = 10.0
"""How long a proof from the coordinator's loop may take."""
LAST_CALL_S: Final = 5.0
"""How long a coordinator that leaves waits for its anchors."""


@dataclass(frozen=True, slots=True)
class AnchorFailed:
    """An anchor did not keep a checkpoint of this size; `code` says why."""

    anchor: str
    size: int
    code: str


@dataclass(slots=True)
class _Standing:
    """What one anchor has: the size it keeps, when it was last asked, why it failed."""

    anchor: Anchor
    size: int = 0
    asked_s: float = float("-inf")
    code: str = ""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One checkpoint at a time: an older one that arrived after a newer would look set back."""


class Anchoring:
    """Keeps the anchors of one tenant up to date; used from the coordinator's loop.

    Args:
        anchors: none is no fault.
        prove: returns the consistency proof between two sizes of the index log; called in the loop.
        record: is told of every checkpoint that is kept, and of the first failure in a row.
        every_s: the longest that a checkpoint waits while the index grows.
        every_entries: growth that does not wait.
    """

    def __init__(
        self,
        anchors: Sequence[Anchor],
        prove: Callable[[int, int], Sequence[bytes]],
        record: Callable[[Anchored | AnchorFailed], None],
        every_s: float = EVERY_S,
        every_entries: int = EVERY_ENTRIES,
    ) -> None:
        self._standings = [_Standing(anchor) for anchor in anchors]
        self._prove = prove
        self._record = record
        self._every_s = every_s
        self._every_entries = every_entries
        self._note, self._size = b"", 0

    def offer(self, note: bytes, size: int) -> None:
        """Take the latest signed checkpoint; the one before it is no longer of interest."""
        self._note, self._size = note, size

    async def watch(self) -> None:
        """Anchor what is offered, until cancelled."""
        await asyncio.gather(*map(self._follow, self._standings))

    async def finish(self) -> None:
        """Anchor the last checkpoint, for as long as a leaving coordinator may take."""
        behind = [one for one in self._standings if one.size < self._size]
        if behind:
            tasks = [asyncio.create_task(self._keep(one)) for one in behind]
            done, _ = await asyncio.wait(tasks, timeout=LAST_CALL_S)
            for error in filter(None, (task.exception() for task in done)):
                LOGGER.warning("the last checkpoint was not anchored: %s", error)

    async def _follow(self, one: _Standing) -> None:
        loop = asyncio.get_running_loop()
        while True:
            grown, waited_s = self._size - one.size, loop.time() - one.asked_s
            if grown > 0 and (waited_s >= self._every_s or grown >= self._every_entries):
                one.asked_s = loop.time()
                await self._keep(one)
            await asyncio.sleep(LOOK_S)

    async def _keep(self, one: _Standing) -> None:
        async with one.turn:
            if one.size < self._size:
                await self._keep_latest(one)

    async def _keep_latest(self, one: _Standing) -> None:
        note, size, loop = self._note, self._size, asyncio.get_running_loop()

        async def proof(old_size: int) -> Sequence[bytes]:
            return self._prove(old_size, size)

        def prove(old_size: int) -> Sequence[bytes]:
            return asyncio.run_coroutine_threadsafe(proof(old_size), loop).result(PROOF_S)

        try:
            kept = await asyncio.to_thread(one.anchor.keep, note, prove)
        except SwarmError as error:
            LOGGER.warning("%s", error)
            if one.code != error.code:
                one.code = error.code
                self._record(AnchorFailed(one.anchor.name, size, error.code))
        else:
            one.size, one.code = size, ""
            self._record(kept)
