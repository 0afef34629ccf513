"""A ledger with the vigil of one coordinator, for tests of keys."""

import json
from pathlib import Path

from swarm_ray.attestation.checkpoint import open_checkpoint
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.attestation.note import NoteKey
from swarm_ray.config import Settings
from swarm_ray.engine.admin import AdminLog, admin_events, read_roster
from swarm_ray.engine.key_files import open_ring
from swarm_ray.engine.key_service import KeyService
from swarm_ray.engine.vigil import CHECKPOINT_FILE, Vigil
from swarm_ray.ledger.store import Store
from swarm_ray.ports.clock import SystemClock
from swarm_ray.ports.hosts import HostInfo

HOST = SigningKey.from_seed(b"\x21" * 32)
INFO = HostInfo("eu-1", "eu", "acme", 4, HOST.public.raw, "none")


class Clock(SystemClock):
    """The system's clock, moved on at will."""

    ahead_us = 0

    def now_us(self) -> int:
        return super().now_us() + self.ahead_us


class Office:
    """A ledger with the vigil of one coordinator."""

    def __init__(self, home: Path, tenant: str = "default", site: str = "eu") -> None:
        self.settings = Settings(home=home, organisation="acme", site=site, tenant=tenant)
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        self.clock, self.lost = Clock(), []
        self.store = Store.open(self.settings.folder)
        self.keys = KeyService(self.settings, self.clock)
        self.start()

    def start(self) -> None:
        epoch = self.store.acquire_epoch("office")
        self.admin = AdminLog(self.store, epoch, self.clock, open_ring(self.settings))
        lose = lambda name, why: self.lost.append((name, why))  # noqa: E731
        self.vigil = Vigil(self.store, epoch, self.clock, self.admin, self.settings, lose)
        self.vigil.begin()

    def index(self):
        return [json.loads(data) for data in self.store.entries("index")]

    def admin_kinds(self):
        return [type(event) for event, _ in admin_events(self.store)]

    def signer(self, keyid, role):
        return read_roster(self.store).signer(keyid, role, self.clock.now_us())

    def sealed(self):
        log = self.admin.log_key.public
        note = (self.settings.folder / CHECKPOINT_FILE).read_bytes()
        return open_checkpoint(note, [NoteKey(self.admin.origin, log)])
