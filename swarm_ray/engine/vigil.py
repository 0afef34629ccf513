"""The vigil of a coordinator: checkpoints, signs of life, certificates, changes of keys.

Decides when the index log is told where the other logs stand, and how often a living coordinator
says that it lives. The index log's own head leaves this process signed, and only once it is
durable.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from swarm_ray.anchors.opening import open_anchors
from swarm_ray.attestation.checkpoint import Checkpoint, read_checkpoint, sign_checkpoint
from swarm_ray.attestation.note import parse_note
from swarm_ray.config import Settings
from swarm_ray.engine.admin import AdminLog
from swarm_ray.engine.anchoring import Anchoring
from swarm_ray.engine.key_lineage import complete_words
from swarm_ray.engine.key_taking import KeyTaking
from swarm_ray.errors import IntegrityError, SwarmError
from swarm_ray.ports.clock import Clock
from swarm_ray.ports.log import INDEX_LOG, Append, Head, Ledger, LogKind
from swarm_ray.values.codec import encode

LOGGER = logging.getLogger("swarm_ray.vigil")
HEARTBEAT_S: Final = 300.0
"""A coordinator that has not been heard of for longer than this is dead, or its tail was cut."""
LOOK_S: Final = 1.0
HEARTBEAT_KIND: Final = "log.heartbeat"
CHECKPOINT_FILE: Final = "index.checkpoint"


@dataclass(slots=True)
class Vigil:
    """Watches over the index and the admin log of one tenant; used from the coordinator's loop."""

    ledger: Ledger
    epoch: int
    clock: Clock
    admin: AdminLog
    settings: Settings
    lose: Callable[[str, str], None]
    """Gives up a host by name, for a reason."""
    heartbeat_s: float = HEARTBEAT_S
    anchoring: Anchoring = field(init=False)
    keys: KeyTaking = field(init=False)

    def __post_init__(self) -> None:
        self.anchoring = Anchoring(
            open_anchors(self.settings),
            lambda old, new: self.ledger.consistency(INDEX_LOG, old, new).path,
            self.admin.append,
        )
        self.keys = KeyTaking(self.ledger, self.admin, self.settings, self.lose)

    def begin(self) -> None:
        """Take over changes of keys, enrol the coordinator's own, and say that it lives.

        Raises:
            IntegrityError: `vigil.set_back` when the index is not a continuation of the one that
                was signed here last.
            UsageError: `key.no_predecessor`.
        """
        self._continue()
        complete_words(self.settings)
        self.keys.take()
        self.admin.open()
        self.beat("started")

    def seal(self, runs: Sequence[str]) -> None:
        """Put the heads of these runs, and of the tenant's other logs as far as they moved, into the
        index; sign the index."""
        moved = [*self._moved("admin"), *self._moved("effects")]
        head = self.ledger.index_checkpoint(self.epoch, [*runs, *moved], self.clock.now_us())
        self._sign(head)

    def beat(self, state: str) -> None:
        """Say that the coordinator lives, and where every log stands that moved.

        Args:
            state: `started`, `alive` or `stopping`; only after the last may silence follow.
        """
        index = next((head for head in self.ledger.logs("index")), None)
        entry = encode(
            {
                "epoch": self.epoch,
                "every_us": round(self.heartbeat_s * 1e6),
                "kind": HEARTBEAT_KIND,
                "state": state,
                "time_us": self.clock.now_us(),
            }
        )
        size = index.size if index is not None else 0
        self.ledger.commit([Append(INDEX_LOG, self.epoch, size, [entry], kind="index")])
        self.seal(self._moved("run"))

    async def end(self) -> None:
        """Say that silence will follow, and anchor that. A ledger that cannot be written any more, or belongs to a
        successor, lacks this last word; stopping goes on."""
        try:
            self.beat("stopping")
        except SwarmError as error:
            LOGGER.warning("the last heartbeat was not written: %s", error)
            return
        await self.anchoring.finish()

    async def watch(self) -> None:
        """Beat, anchor, renew certificates and take over changes of keys, until cancelled."""
        await asyncio.gather(self._beat_on(), self.anchoring.watch())

    async def _beat_on(self) -> None:
        left_s = self.heartbeat_s
        while True:
            await asyncio.sleep(min(LOOK_S, left_s))
            left_s -= LOOK_S
            self.take_changes()
            if left_s <= 0:
                self.admin.renew()
                self.beat("alive")
                left_s = self.heartbeat_s

    def take_changes(self) -> None:
        """Take over the changes of keys that people made with the program."""
        if self.keys.take():
            self.seal(())

    def _moved(self, kind: LogKind) -> list[str]:
        return [
            head.log_id
            for head in self.ledger.logs(kind)
            if head.state != "dropped" and head.size != head.indexed_size
        ]

    def _continue(self) -> None:
        """Refuse to sign a second history: two checkpoints of one log must never contradict."""
        path = self.settings.folder / CHECKPOINT_FILE
        try:
            sealed = read_checkpoint(parse_note(path.read_bytes()))
        except FileNotFoundError:
            return
        except IntegrityError as error:
            # It is written without a sync, so a power cut may leave anything.
            LOGGER.warning("the last checkpoint cannot be read and is signed anew: %s", error)
            return
        size = next((head.size for head in self.ledger.logs("index")), 0)
        known = 0 < sealed.size <= size and (
            self.ledger.consistency(INDEX_LOG, sealed.size, sealed.size).root1 == sealed.root
        )
        if not known:
            raise IntegrityError(
                "vigil.set_back",
                f"the index log here ({size} entries) does not go on from the one that was signed "
                f"({sealed.size} entries)",
                hint=f"restore the newest ledger; only if that is lost, remove {path}",
            )

    def _sign(self, index: Head) -> None:
        checkpoint = Checkpoint(self.admin.origin, index.size, bytes.fromhex(index.root))
        note = sign_checkpoint(checkpoint, self.admin.log_key)
        keep_checkpoint(self.settings.folder, note.to_bytes())
        self.anchoring.offer(note.to_bytes(), index.size)


def keep_checkpoint(folder: Path, note: bytes) -> None:
    """Keep a signed checkpoint as the latest of a tenant. It can be signed again: it needs no
    sync."""
    part = folder / f"{CHECKPOINT_FILE}.part"
    part.write_bytes(note)
    part.replace(folder / CHECKPOINT_FILE)
