"""The admin log: which keys may sign here, on whose word, and since when.

Decides when a certificate is due. Written before a host's results can count, so that whoever checks
a signature later finds the key in the log and not in the message.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from swarm_ray.attestation.certificates import (
    KeyChange,
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
from swarm_ray.values.records import framed, from_record, to_record

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
        self.keyids: set[str] = set()
        """Of all keys that were ever enrolled here."""
        self.words: set[KeyChange] = set()
        """What was said here about roots and sites, and all ends of keys."""
        self._due: dict[str, KeyEnrolled] = {}
        for event, time_us in admin_events(ledger):
            self._size, self._time_us = self._size + 1, time_us
            self._note(event)

    def open(self) -> None:
        """Enrol the keys that this coordinator holds, as far as they do not stand here. The words of
        the organisation are taken before.

        Raises:
            IntegrityError: as `Roster.admit`, when the own root or site would not be believed.
        """
        ring = self._ring
        for certificate in (ring.root, ring.site):
            if self._due.get(certificate.keyid) != certificate:
                roster = read_roster(self._ledger)
                roster.admit(certificate, self.next_us(), (ring.root.keyid,))
                self.take(certificate)
        self._vouch("coordinator", f"epoch-{self._epoch}", ring.coordinator_key.public)
        self._vouch("log", self.origin, ring.log_key.public)

    @property
    def origin(self) -> str:
        """The name of the index log in checkpoints: it stays when keys change."""
        ring = self._ring
        return f"swarm-ray.dev/{ring.root.organisation}/{ring.tenant}/{self._first_root[:16]}"

    @property
    def first_root(self) -> str:
        """The keyid of the root with which this log began; empty in a log that names none."""
        return self._first_root

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
        gone = [one.keyid for one in self._due.values() if (one.role, one.name) == ("host", name)]
        for keyid in gone:
            del self._due[keyid]
        self.append(HostLeft(name, reason))

    def renew(self) -> None:
        """Certify anew every key in use whose time is half over."""
        now_us = self._clock.now_us()
        for one in list(self._due.values()):
            working = one.role not in ("root", "site")
            if working and one.not_after_us - now_us < KEY_DAYS * DAY_US // 2:
                self._enrol(one)

    def take(self, word: KeyChange) -> str:
        """Append a word about keys that was made elsewhere and that the roster admits; return the
        name of the host at work whose key it ends, else nothing."""
        if isinstance(word, KeyEnrolled):
            if word.role == "root" and word.issuer == word.keyid and self._first_root:
                LOGGER.warning(
                    "the roster has another root already; what is signed from now on leads to %s: "
                    "copy the folder `keys` between nodes that take over from each other",
                    word.keyid[:16],
                )
            self.append(word)
            return ""
        before = self._due.pop(word.keyid, None)
        self.append(word)
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
        """Append one event; durable on return.

        Raises:
            IntegrityError: `key.bad_certificate` for one whose issuer does not stand here: nobody
                could read the log any more.
        """
        if isinstance(event, KeyEnrolled) and not self._stands(event):
            raise IntegrityError(
                "key.bad_certificate",
                f"key {event.issuer[:16]} signs before it is enrolled",
                hint="copy the folder `keys` from where it is complete",
            )
        self._time_us = self.next_us()
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
        self._note(event)

    def _stands(self, certificate: KeyEnrolled) -> bool:
        return certificate.issuer in ("", certificate.keyid) or certificate.issuer in self.keyids

    def _note(self, event: AdminEvent) -> None:
        """Remember what stands here about keys."""
        if isinstance(event, KeyRotated | KeyRevoked):
            self.words.add(event)
        if not isinstance(event, KeyEnrolled):
            return
        self.keyids.add(event.keyid)
        if event.role in ("root", "site"):
            self.words.add(event)
            self._due[event.keyid] = event
        if event.role == "root":
            self._first_root = self._first_root or event.keyid

    def next_us(self) -> int:
        """Return the log time that an entry gets now, Unix time in microseconds."""
        return max(self._time_us, self._clock.now_us())

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
        certificate = certify(self._ring.site_key, period(draft, KEY_DAYS, self.next_us()))
        self._due[certificate.keyid] = certificate
        self.append(certificate)


def read_admin_entry(data: bytes) -> tuple[AdminEvent, int]:
    """Return the event of an entry of the admin log, and its log time.

    Raises:
        IntegrityError: `admin.unknown_kind`, `admin.bad_frame`, `codec.*`, `record.*`.
    """
    record = decode(data)
    if not framed(record):
        raise IntegrityError("admin.bad_frame", "this is no entry of the admin log")
    kind = ADMIN_KINDS.get(record["kind"])
    if kind is None:
        raise IntegrityError("admin.unknown_kind", f"no admin entry is called {record['kind']!r}")
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
