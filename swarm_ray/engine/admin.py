"""The admin log: which keys may sign here, and since when.

Decides nothing. Written before a host's results can count, so that whoever checks a signature
later finds the key in the log and not in the message.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from swarm_ray.attestation.keys import PublicKey
from swarm_ray.errors import IntegrityError
from swarm_ray.ports.clock import Clock
from swarm_ray.ports.hosts import HostInfo
from swarm_ray.ports.log import Append, Ledger, LogReader
from swarm_ray.values.codec import decode, encode
from swarm_ray.values.records import from_record, to_record

ADMIN_LOG = "admin"


@dataclass(frozen=True, slots=True)
class KeyEnrolled:
    """A key may sign from now on: the coordinator's for dispatches, a host's for results.
    `public_key` is 64 hexadecimal characters."""

    role: str
    name: str
    public_key: str
    keyid: str
    site: str = ""
    organisation: str = ""
    isolation: str = ""
    slots: int = 0


@dataclass(frozen=True, slots=True)
class HostLeft:
    """A host is gone, or was refused; its key signs nothing new."""

    name: str
    reason: str


AdminEvent = KeyEnrolled | HostLeft
ADMIN_KINDS: dict[str, type[AdminEvent]] = {"key.enrolled": KeyEnrolled, "host.left": HostLeft}
_NAMES = {kind: name for name, kind in ADMIN_KINDS.items()}


class AdminLog:
    """Appends to the admin log of one tenant under the coordinator's epoch."""

    def __init__(self, ledger: Ledger, epoch: int, clock: Clock) -> None:
        self._ledger = ledger
        self._epoch = epoch
        self._clock = clock
        heads = [head for head in ledger.logs("admin") if head.log_id == ADMIN_LOG]
        self._size = heads[0].size if heads else 0

    def coordinator(self, key: PublicKey) -> None:
        """Enrol the coordinator's key."""
        raw = key.raw.hex()
        self.append(KeyEnrolled("coordinator", f"epoch-{self._epoch}", raw, key.keyid))

    def joined(self, info: HostInfo) -> None:
        """Enrol a host's key; durable before the host is given anything.

        Raises:
            UsageError: `key.malformed`, `key.low_order`.
        """
        key = PublicKey(info.public_key)
        self.append(
            KeyEnrolled(
                "host",
                info.name,
                key.raw.hex(),
                key.keyid,
                info.site,
                info.organisation,
                info.isolation,
                info.slots,
            )
        )

    def left(self, name: str, reason: str) -> None:
        """Note that a host is gone."""
        self.append(HostLeft(name, reason))

    def append(self, event: AdminEvent) -> None:
        """Append one event; durable on return."""
        entry = encode(
            {
                "kind": _NAMES[type(event)],
                "event": to_record(event),
                "time_us": self._clock.now_us(),
                "epoch": self._epoch,
            }
        )
        self._ledger.commit([Append(ADMIN_LOG, self._epoch, self._size, [entry], kind="admin")])
        self._size += 1


def read_admin(ledger: LogReader) -> Iterator[AdminEvent]:
    """Yield the events of the admin log.

    Raises:
        IntegrityError: `admin.unknown_kind`, or a corrupt log.
    """
    for data in ledger.entries(ADMIN_LOG):
        record = decode(data)
        kind = ADMIN_KINDS.get(record["kind"])
        if kind is None:
            raise IntegrityError(
                "admin.unknown_kind", f"no admin entry is called {record['kind']!r}"
            )
        yield from_record(kind, record["event"])
