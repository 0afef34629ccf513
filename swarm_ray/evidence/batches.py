"""The signatures of the hosts: every statement of every batch is built again from the rows.

Decides whether the rows of a run's log are those that the hosts signed, with keys that the roster
vouches for. Statements are built by the code that the hosts use (`engine.orders`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from swarm_ray.attestation.batch import verify_rows
from swarm_ray.attestation.keys import PublicKey
from swarm_ray.attestation.roster import Roster
from swarm_ray.core.events import Dispatched, RunOpened, SandboxSeen, Settled, SwarmOpened
from swarm_ray.core.host import Order, Outcome
from swarm_ray.engine.orders import result_header, result_statements
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.evidence.index import bad_entry
from swarm_ray.ports.hosts import HostInfo, Parcel
from swarm_ray.values.digests import sha256
from swarm_ray.values.merkle import HASH_BYTES, leaf_hash, root


@dataclass(slots=True)
class Batches:
    """Follows a run's log and checks each batch when it is settled.

    Args:
        roster: of the tenant.
        trusted: keyids of the roots that are believed.
        items: by swarm the commitments of its items, 32 bytes each.
    """

    roster: Roster
    trusted: Collection[str]
    items: Mapping[str, bytes]
    opened: RunOpened | None = None
    swarms: dict[str, SwarmOpened] = field(default_factory=dict)
    parcels: dict[tuple[str, int], Parcel] = field(default_factory=dict)
    sandboxes: set[str] = field(default_factory=set)
    checked: int = 0
    """Batches whose signature was checked."""
    rows: int = 0
    """Rows in them."""
    unsigned: int = 0
    """Rows that nobody signed."""
    unknown_inputs: int = 0
    """Rows whose statements cannot be built: the input set is gone."""
    _seen: set[tuple[str, int, int]] = field(default_factory=set)
    _keys: dict[str, PublicKey] = field(default_factory=dict)

    def take(self, seq: int, event: object, record: Mapping[str, object]) -> None:
        """Follow one entry.

        Raises:
            IntegrityError: `evidence.bad_entry`.
        """
        match event:
            case RunOpened():
                self.opened = event
            case SwarmOpened():
                self._opened(seq, event)
            case Dispatched():
                self._dispatched(seq, event, int(str(record["epoch"])))
            case SandboxSeen():
                self._described(seq, event)
            case Settled():
                self._settled(seq, event, int(str(record["time_us"])))
            case _:
                pass

    def close(self) -> None:
        """Check at the end of the log that nothing is left over.

        Raises:
            IntegrityError: `evidence.surplus_items`.
        """
        surplus = self.items.keys() - self.swarms.keys()
        if surplus:
            raise IntegrityError(
                "evidence.surplus_items", f"there are items of {min(surplus)}, which is no swarm"
            )

    def _opened(self, seq: int, event: SwarmOpened) -> None:
        if event.swarm in self.swarms:
            raise bad_entry("run", seq, "opens a swarm a second time")
        self.swarms[event.swarm] = event
        data = self.items.get(event.swarm)
        if data is None:
            return
        parts = [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
        if len(data) != event.items * HASH_BYTES or root(map(leaf_hash, parts)).hex() != event.root:
            raise bad_entry("run", seq, "names other items than those that are here")

    def _described(self, seq: int, event: SandboxSeen) -> None:
        if sha256(event.description.encode()) != event.digest:
            raise bad_entry("run", seq, "describes another sandbox than the one that it names")
        self.sandboxes.add(event.digest)

    def _dispatched(self, seq: int, event: Dispatched, epoch: int) -> None:
        swarm = self.swarms.get(event.swarm)
        if swarm is None or self.opened is None or len(event.items) != len(event.attempts):
            raise bad_entry("run", seq, "sends items of nothing")
        if (event.swarm, event.batch) in self.parcels:
            raise bad_entry("run", seq, "sends a batch a second time")
        if not all(0 <= item < swarm.items for item in event.items):
            raise bad_entry("run", seq, "sends an item that is not in the input set")
        data = self.items.get(event.swarm, b"")
        order = Order(
            self.opened.run,
            event.swarm,
            event.batch,
            epoch,
            event.lanes,
            event.items,
            event.attempts,
        )
        inputs = [data[item * HASH_BYTES : (item + 1) * HASH_BYTES].hex() for item in event.items]
        self.parcels[event.swarm, event.batch] = Parcel(
            order=order,
            host=event.host,
            envelope=b"",
            bundle=self.opened.bundle,
            task="",
            context=swarm.context,
            correlation="",
            nonce=event.nonce,
            inputs=tuple(inputs),
            payloads=(),
            memory=b"",
            reads={},
        )

    def _settled(self, seq: int, event: Settled, time_us: int) -> None:
        parcel = self.parcels.get((event.swarm, event.batch))
        if parcel is None or parcel.host != event.host:
            raise bad_entry("run", seq, f"holds results of {event.host} that nobody ordered there")
        ordered = dict(zip(parcel.order.items, parcel.order.attempts, strict=True))
        if any(ordered.get(row.item) != row.attempt for row in event.rows):
            raise bad_entry("run", seq, f"holds results of {event.host} for items it was not given")
        if len({row.item for row in event.rows}) < len(event.rows):
            raise bad_entry("run", seq, f"holds a result of {event.host} twice")
        if event.sandbox and not self.sandboxes.issuperset(event.sandbox.split(" ")):
            raise bad_entry("run", seq, "names a sandbox that no entry before it describes")
        if not event.envelope:
            if event.host in self._signing():
                raise bad_entry("run", seq, f"lacks the signature that {event.host} makes")
            self.unsigned += len(event.rows)
            return
        host = self._host(seq, event, time_us)
        if event.swarm not in self.items:
            self.unknown_inputs += len(event.rows)
            return
        outcome = Outcome(event.sequence, parcel.order.run, event.swarm, event.batch, event.rows)
        try:
            statements = result_statements(parcel, event.rows, host, event.isolation, event.sandbox)
            header = result_header(parcel, outcome, parcel.order.epoch)
            signature = bytes.fromhex(event.envelope)
            # Capitals would be a second spelling: then nothing is a signature.
            exact = signature if signature.hex() == event.envelope else b""
            verify_rows(self._keys[event.keyid], exact, header, statements)
        except (IntegrityError, UsageError, ValueError) as error:
            why = f"is not what {event.host} signed: a result or its signature was changed"
            raise bad_entry("run", seq, why) from error
        delivery = (event.swarm, event.batch, event.sequence)
        if delivery in self._seen:
            raise bad_entry("run", seq, f"repeats a delivery of {event.host}")
        self._seen.add(delivery)
        self.checked += 1
        self.rows += len(event.rows)

    def _signing(self) -> set[str]:
        """Return the names of the hosts that have certificates: those sign all that they deliver."""
        return {
            one.name
            for events in self.roster.enrolled.values()
            for _, one in events
            if one.role == "host"
        }

    def _host(self, seq: int, event: Settled, time_us: int) -> HostInfo:
        """Return who the roster says signed."""
        try:
            found = self.roster.signer(event.keyid, "host", time_us, self.trusted)
        except IntegrityError as error:
            raise bad_entry("run", seq, f"is signed with a bad key: {error.message}") from error
        if found.name != event.host:
            raise bad_entry("run", seq, f"is signed by {found.name} in the name of {event.host}")
        if event.keyid not in self._keys:
            self._keys[event.keyid] = PublicKey(bytes.fromhex(found.public_key))
        raw = self._keys[event.keyid].raw
        return HostInfo(
            found.name, found.site, found.organisation, found.slots, raw, found.isolation
        )
