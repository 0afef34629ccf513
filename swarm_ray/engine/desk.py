"""What the coordinator keeps at hand for one working swarm: input set, context, parcels.

Decides how a dispatched batch becomes a signed parcel, and whether a delivery is what was
ordered. Everything here can be rebuilt from the log and the bodies.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from swarm_ray.attestation.batch import batch_signature, sign_batch, verify_batch
from swarm_ray.attestation.keys import PublicKey, SigningKey
from swarm_ray.core.commands import Send
from swarm_ray.core.events import Dispatched, Row, Settled, SwarmOpened
from swarm_ray.core.host import Order, Outcome
from swarm_ray.definition.items import ItemInputs
from swarm_ray.engine.orders import (
    order_header,
    order_statements,
    result_header,
    result_statements,
)
from swarm_ray.engine.sandboxes import named_sandboxes
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.ports.hosts import Delivery, HostInfo, Parcel
from swarm_ray.values.codec import decode_json, encode_json
from swarm_ray.values.ids import short
from swarm_ray.values.manifest import Manifest


@dataclass(slots=True)
class Answers:
    """What is still to come of a batch: `items` that nobody has answered, the number of `rows` that
    are not durable; and the `sequences` of the deliveries that have come."""

    items: set[int]
    rows: int
    sequences: set[int] = field(default_factory=set)

    def take(self, outcome: Outcome) -> None:
        """Let rows count, each once: neither they nor their sequence may come again.

        Raises:
            IntegrityError: `desk.repeated`. An honest host says everything once, and what comes
                twice as it was never gets here; in the log a repetition would spoil the evidence.
        """
        items = {row.item for row in outcome.rows}
        if outcome.sequence in self.sequences or not items <= self.items:
            raise IntegrityError(
                "desk.repeated", f"batch {outcome.batch} is answered again, and otherwise"
            )
        self.items -= items
        self.sequences.add(outcome.sequence)


@dataclass(slots=True)
class Desk:
    """One swarm at work. `context` is the body that `SwarmOpened.context` commits to."""

    run: str
    bundle: str
    opened: SwarmOpened
    task: Mapping[str, Any]
    manifest: Manifest
    context: Mapping[str, Any]
    parcels: dict[int, Parcel] = field(default_factory=dict)
    open: dict[int, Answers] = field(default_factory=dict)
    _inputs: ItemInputs = field(init=False)

    def __post_init__(self) -> None:
        self._inputs = ItemInputs(self.task)

    def parcel(self, dispatched: Dispatched, epoch: int, host: HostInfo, key: SigningKey) -> Parcel:
        """Build and sign the parcel of a batch; an item that does not fit the task has an empty
        payload and the reason beside it, which the host answers as an input failure.

        The same entry gives the same parcel, byte for byte, however often it is built.
        """
        misfits: dict[int, str] = {}
        order = Order(
            self.run,
            self.opened.swarm,
            dispatched.batch,
            epoch,
            dispatched.lanes,
            dispatched.items,
            dispatched.attempts,
        )
        parcel = Parcel(
            order=order,
            host=host.name,
            envelope=b"",
            bundle=self.bundle,
            task=str(self.task["name"]),
            context=self.opened.context,
            correlation=short("swarm", self.opened.swarm),
            nonce=dispatched.nonce,
            inputs=tuple(self.manifest.item_commitment(item) for item in dispatched.items),
            payloads=tuple(self._payload(item, misfits) for item in dispatched.items),
            misfits=misfits,
            memory=encode_json(self.context.get("memory", [])),
            reads=dict(self.context.get("reads", {})),
            item_deadline_us=0,
            slice_tokens=self.opened.slice_tokens,
            slice_microusd=self.opened.slice_microusd,
            projection=dict(self.context.get("projection", {})),
        )
        statements = order_statements(parcel, host.site)
        signed = replace(parcel, envelope=sign_batch(key, order_header(parcel), statements))
        self.parcels[dispatched.batch] = signed
        self.open[dispatched.batch] = Answers(set(dispatched.items), len(dispatched.items))
        return signed

    def resent(self, send: Send, now_us: int, site: str, key: SigningKey) -> Parcel:
        """Return the parcel of a batch with the time that is left for it, without the attempts
        that are over."""
        parcel = self.parcels[send.batch]
        if send.items != parcel.order.items:
            parcel = _only(parcel, send.items)
            signed = sign_batch(key, order_header(parcel), order_statements(parcel, site))
            parcel = replace(parcel, envelope=signed)
        left = max(1, send.deadline_us - now_us) if send.deadline_us else 0
        return replace(
            parcel,
            order=replace(parcel.order, lanes=send.lanes),
            deadline_us=left,
            item_deadline_us=send.item_deadline_us,
        )

    def verified(self, delivery: Delivery, host: HostInfo) -> Settled:
        """Check a delivery, which is one in form, against the order and return it as an event.

        Raises:
            IntegrityError: `desk.unknown_batch`, `desk.unordered_row`, `desk.over_slice`,
                `desk.over_delegates`, or what `verify_batch` raises.
        """
        outcome = delivery.outcome
        parcel = self.parcels.get(outcome.batch)
        if parcel is None or parcel.host != host.name:
            raise IntegrityError(
                "desk.unknown_batch", f"{host.name} answers batch {outcome.batch} of nobody"
            )
        ordered = dict(zip(parcel.order.items, parcel.order.attempts, strict=True))
        if any(ordered.get(row.item) != row.attempt for row in outcome.rows):
            raise IntegrityError(
                "desk.unordered_row", f"{host.name} answers for an item that it was not given"
            )
        most = int((self.task.get("delegate") or {}).get("count", 0))
        if any(row.sub_agents > most for row in outcome.rows):
            raise IntegrityError(
                "desk.over_delegates", f"{host.name} says a worker had more than {most} sub-agents"
            )
        sandbox = named_sandboxes(delivery.sandboxes)
        public = PublicKey(host.public_key)
        header = result_header(parcel, outcome, parcel.order.epoch)
        statements = result_statements(parcel, outcome.rows, host, delivery.isolation, sandbox)
        verify_batch(delivery.envelope, {public.keyid: public}, header, statements)
        if any(_over(row, parcel) for row in outcome.rows):
            raise IntegrityError(
                "desk.over_slice", f"{host.name} says an attempt spent more than its slice"
            )
        signature = batch_signature(delivery.envelope)
        return Settled(
            self.opened.swarm,
            outcome.batch,
            host.name,
            outcome.rows,
            outcome.sequence,
            signature.sig.hex(),
            signature.keyid,
            delivery.isolation,
            sandbox,
        )

    def closed(self, batch: int, rows: int) -> None:
        """So many rows of a batch are durable; a finished batch is let go."""
        left = self.open.get(batch)
        if left is None:
            return
        left.rows -= rows
        if left.rows <= 0:
            del self.open[batch], self.parcels[batch]

    def recall(self, batch: int, items: Iterable[int], sequences: Iterable[int]) -> None:
        """A batch was dispatched by an earlier coordinator.

        Args:
            batch: its parcel was built again.
            items: those whose attempts are still out.
            sequences: of the deliveries of this batch that are in the log.
        """
        open_items = set(items)
        self.open[batch] = Answers(open_items, len(open_items), set(sequences))

    def _payload(self, item: int, misfits: dict[int, str]) -> bytes:
        data = self.manifest.item(item)
        if self.opened.kind != "fan_out":
            return data
        try:
            return encode_json(self._inputs.of(decode_json(data)))
        except UsageError as error:
            misfits[item] = f"item {item} for task {self.task['name']!r}: {error.message}"
            return b""


def _only(parcel: Parcel, items: tuple[int, ...]) -> Parcel:
    """Return a parcel with some of its attempts, in their order."""
    order = parcel.order
    rows = [index for index, item in enumerate(order.items) if item in set(items)]
    kept = replace(
        order,
        items=tuple(order.items[index] for index in rows),
        attempts=tuple(order.attempts[index] for index in rows),
    )
    return replace(
        parcel,
        order=kept,
        inputs=tuple(parcel.inputs[index] for index in rows),
        payloads=tuple(parcel.payloads[index] for index in rows),
    )


def _over(row: Row, parcel: Parcel) -> bool:
    """Say whether a row spent more than was reserved; without a slice nothing was reserved."""
    return 0 < parcel.slice_tokens < row.tokens or 0 < parcel.slice_microusd < row.microusd
