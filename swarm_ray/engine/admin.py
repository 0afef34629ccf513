"""The admin log: which keys may sign here, on whose word, and since when.

Decides when a certificate is due. Written before a host's results can count, so that whoever checks
a signature later finds the key in the log and not in the message.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from swarm_ray.attestation.certificates import (
    Ending,
    KeyEnrolled,
    KeyRevoked,
    KeyRotated,
    certify,
)
from swarm_ray.attestation.keys import PublicKey, SigningKey
from swarm_ray.attestation.roster import Roster, roster_of
from swarm_ray.engine.anchoring import AnchorFailed
from swarm_ray.engine.key_files import DAY_US, KeyRing, period
from swarm_ray.errors import IntegrityError
from swarm_ray.ports.anchors import Anchored
from swarm_ray.ports.clock import Clock
from swarm_ray.ports.hosts import HostInfo
from swarm_ray.ports.log import Append, Ledger, LogReader
from swarm_ray.values.codec import decode, encode
from swarm_ray.values.records import from_record, to_record

LOGGER = logging.getLogger("swarm_ray.admin")
ADMIN_LOG = "admin"
KEY_DAYS: Final = 1
"""How long a certificate of a host, a coordinator or a log lasts; renewed at half of it."""


@dataclass(frozen=True, slots=True)
class HostLeft:
    """A host is gone, or was refused; its key signs nothing new."""

    name: str
    reason: str


AdminEvent = KeyEnrolled | KeyRotated | KeyRevoked | HostLeft | Anchored | AnchorFailed
ADMIN_KINDS: dict[str, type[AdminEvent]] = {
    "key.enrolled": KeyEnrolled,
    "key.rotated": KeyRotated,
    "key.revoked": KeyRevoked,
    "host.left": HostLeft,
    "anchor.kept": Anchored,
    "anchor.failed": AnchorFailed,
}
_NAMES = {kind: name for name, kind in ADMIN_KINDS.items()}


class AdminLog:
    """Appends to the admin log of one tenant under the coordinator's epoch.

    Args:
        ledger: of the tenant.
        epoch: of the coordinator.
        clock: log time.
        ring: keys; its site key certifies.
    """

    def __init__(self, ledger: Ledger, epoch: int, clock: Clock, ring: KeyRing) -> None:
        self._ledger = ledger
        self._epoch = epoch
        self._clock = clock
        self._ring = ring
        self._size, self._time_us = 0, 0
        self._first_root = ""
        self._due: dict[str, KeyEnrolled] = {}
        for event, time_us in admin_events(ledger):
            self._size, self._time_us = self._size + 1, time_us
            if isinstance(event, KeyEnrolled) and event.role in ("root", "site"):
                self._due[event.keyid] = event
                if event.role == "root":
                    self._first_root = self._first_root or event.keyid
        self._first_root = self._first_root or ring.root.keyid

    def open(self) -> None:
        """Enrol the keys that this coordinator holds, as far as they do not stand here."""
        ring = self._ring
        vouches_for_itself = ring.root.issuer == ring.root.keyid
        fresh = ring.root.keyid not in (self._first_root, *self._due)
        if vouches_for_itself and fresh:
            LOGGER.warning(
                "the roster has another root already; what is signed from now on leads to %s: copy "
                "the folder `keys` between nodes that take over from each other",
                ring.root.keyid[:16],
            )
        for certificate in (ring.root, ring.site):
            if self._due.get(certificate.keyid) != certificate:
                self.certified(certificate)
        self._vouch("coordinator", f"epoch-{self._epoch}", ring.coordinator_key.public)
        self._vouch("log", self.origin, ring.log_key.public)

    @property
    def origin(self) -> str:
        """The name of the index log in checkpoints: it stays when keys change."""
        ring = self._ring
        return f"swarm-ray.dev/{ring.root.organisation}/{ring.tenant}/{self._first_root[:16]}"

    def believed(self, ring: KeyRing) -> set[str]:
        """Return the keyids of the roots that may change keys here: the one in a ring, the one that
        it replaced, and the one with which this log began."""
        return {ring.root.keyid, ring.root.issuer, self._first_root}

    @property
    def log_key(self) -> SigningKey:
        """The key that signs checkpoints of the index log."""
        return self._ring.log_key

    def joined(self, info: HostInfo) -> None:
        """Certify a host's key; durable before the host is given anything.

        Raises:
            UsageError: `key.malformed`, `key.low_order`.
        """
        key = PublicKey(info.public_key)
        self._vouch(
            "host", info.name, key, info.site, info.organisation, info.isolation, info.slots
        )

    def left(self, name: str, reason: str) -> None:
        """Note that a host is gone."""
        for keyid in [keyid for keyid, one in self._due.items() if one.name == name]:
            del self._due[keyid]
        self.append(HostLeft(name, reason))

    def renew(self) -> None:
        """Certify anew every key in use whose time is half over."""
        now_us = self._clock.now_us()
        for one in list(self._due.values()):
            working = one.role not in ("root", "site")
            if working and one.not_after_us - now_us < KEY_DAYS * DAY_US // 2:
                self._enrol(one)

    def certified(self, certificate: KeyEnrolled) -> None:
        """Take in a certificate that was made elsewhere."""
        if certificate.role in ("root", "site"):
            self._due[certificate.keyid] = certificate
        self.append(certificate)

    def ended(self, event: Ending) -> str:
        """Take in the end of a key; return the name of the host at work whose key it was, else
        nothing."""
        before = self._due.pop(event.keyid, None)
        self.append(event)
        return before.name if before is not None and before.role == "host" else ""

    def lead(self, ring: KeyRing) -> None:
        """Certify with the keys of another ring from now on; what is in use is certified anew."""
        before, self._ring = self._ring, ring
        if (ring.site, ring.log_key.keyid) == (before.site, before.log_key.keyid):
            return
        hosts = [one for one in self._due.values() if one.role == "host"]
        self._due = {keyid: one for keyid, one in self._due.items() if one.role in ("root", "site")}
        self.open()
        for one in hosts:
            self._enrol(one)

    def append(self, event: AdminEvent) -> None:
        """Append one event; durable on return."""
        self._time_us = max(self._time_us, self._clock.now_us())
        entry = encode(
            {
                "kind": _NAMES[type(event)],
                "event": to_record(event),
                "time_us": self._time_us,
                "epoch": self._epoch,
            }
        )
        self._ledger.commit([Append(ADMIN_LOG, self._epoch, self._size, [entry], kind="admin")])
        self._size += 1

    def _vouch(
        self,
        role: str,
        name: str,
        key: PublicKey,
        site: str = "",
        organisation: str = "",
        isolation: str = "",
        slots: int = 0,
    ) -> None:
        raw = key.raw.hex()
        self._enrol(KeyEnrolled(role, name, raw, key.keyid, site, organisation, isolation, slots))

    def _enrol(self, draft: KeyEnrolled) -> None:
        now_us = max(self._time_us, self._clock.now_us())
        certificate = certify(self._ring.site_key, period(draft, KEY_DAYS, now_us))
        self._due[certificate.keyid] = certificate
        self.append(certificate)


def read_admin_entry(data: bytes) -> tuple[AdminEvent, int]:
    """Return the event of an entry of the admin log, and its log time.

    Raises:
        IntegrityError: `admin.unknown_kind`, `admin.bad_frame`, `codec.*`, `record.*`.
    """
    record = decode(data)
    if not isinstance(record, dict) or record.keys() != {"kind", "event", "time_us", "epoch"}:
        raise IntegrityError("admin.bad_frame", "this is no entry of the admin log")
    kind = ADMIN_KINDS.get(record["kind"])
    if kind is None:
        raise IntegrityError("admin.unknown_kind", f"no admin entry is called {record['kind']!r}")
    if type(record["time_us"]) is not int or type(record["epoch"]) is not int:
        raise IntegrityError("admin.bad_frame", "an admin entry has no time or no epoch")
    return from_record(kind, record["event"]), record["time_us"]


def admin_events(ledger: LogReader) -> Iterator[tuple[AdminEvent, int]]:
    """Yield the events of the admin log with their log times, oldest first.

    Raises:
        IntegrityError: as `read_admin_entry`, or a corrupt log.
    """
    if any(head.log_id == ADMIN_LOG for head in ledger.logs("admin")):
        yield from map(read_admin_entry, ledger.entries(ADMIN_LOG))


def read_roster(ledger: LogReader) -> Roster:
    """Return the roster that the admin log tells.

    Raises:
        IntegrityError: as `admin_events` and `roster_of`.
    """
    return roster_of(admin_events(ledger))
