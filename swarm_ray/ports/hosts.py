"""What the coordinator needs of hosts: hand over signed batches, collect signed results.

Decides the values that cross between coordinator and host. All times are durations in
microseconds from receipt, never a clock of the other side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from swarm_ray.core.host import Key, Order, Outcome
from swarm_ray.ports.log import Body


@dataclass(frozen=True, slots=True)
class HostInfo:
    """A host that can be used. `public_key` are the raw 32 bytes of its Ed25519 key; `isolation`
    is the honest label of what its workers run in. `organisation`, `region`, `site` and `node` are
    the trust domains it belongs to; without a region its site is one, without a node itself."""

    name: str
    site: str
    organisation: str
    slots: int
    public_key: bytes
    isolation: str
    node: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One batch of attempts with all that the host needs to execute them.

    `envelope` is the coordinator's signature over the order statements that the host rebuilds
    from these fields; `payloads` are the inputs of each attempt as JSON bytes, in row order.
    `misfits` says by item why it cannot be the task's inputs; its payload is empty.
    """

    order: Order
    host: str
    envelope: bytes
    bundle: str
    task: str
    context: str
    correlation: str
    nonce: str
    inputs: tuple[str, ...]
    payloads: tuple[bytes, ...]
    memory: bytes
    reads: Mapping[str, str]
    deadline_us: int = 0
    item_deadline_us: int = 0
    slice_tokens: int = 0
    slice_microusd: int = 0
    projection: Mapping[str, str] = field(default_factory=dict)
    misfits: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Finished attempts with the host's signature over their execution statements, the bodies that
    the rows name, and the descriptions of what the workers ran in, each once."""

    outcome: Outcome
    envelope: bytes
    isolation: str
    bodies: tuple[Body, ...]
    sandboxes: tuple[str, ...] = ()


class Hosts(Protocol):
    """Transport to the hosts of one coordinator. Every call may fail with `SwarmError` or
    `OSError` when a host does not answer; then nothing is known about it."""

    def seats(self) -> Sequence[HostInfo]:
        """Return the hosts that can be used now."""

    def release(self) -> None:
        """End every host of this coordinator."""

    def give_up(self, host: str) -> None:
        """Never speak to this host again, and end it if it can be reached."""

    async def adopt(self) -> None:
        """Find the hosts that an earlier coordinator left at work."""

    async def bundle(self, host: str, digest: str, data: bytes) -> None:
        """Give a host the bytes of a bundle; safe to repeat."""

    async def submit(self, host: str, epoch: int, parcel: Parcel) -> None:
        """Hand over a batch. Safe to repeat: attempts that the host knows are not run again.

        Raises:
            Busy: `host.busy`; nothing of it was taken.
            IntegrityError: `host.stale_epoch`, or the envelope was refused.
            UsageError: `host.no_bundle` when it lacks the bundle.
        """

    async def collect(
        self, host: str, epoch: int, acknowledged: Sequence[int], wait_us: int, *, again: bool
    ) -> Sequence[Delivery]:
        """Acknowledge results that are durable and wait for new ones; renews the lease.

        With `again`, after a call that failed, and with a new epoch, everything that is not
        acknowledged comes once more.
        """

    async def withdraw(self, host: str, epoch: int, keys: Sequence[Key]) -> None:
        """Stop attempts; their rows are collected like all others."""
