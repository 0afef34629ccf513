"""What a host owes for finished attempts, as signed deliveries.

Decides what a delivery holds besides its rows: the bodies that they name, what the workers ran in,
and the host's signature over the statements. A delivery is made once and repeated as it was.
"""

from collections.abc import Iterable

from swarm_ray.attestation.batch import sign_batch
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.core.host import Key, Outcome
from swarm_ray.engine.orders import result_header, result_statements
from swarm_ray.engine.sandboxes import named_sandboxes
from swarm_ray.ports.hosts import Delivery, HostInfo, Parcel
from swarm_ray.ports.log import Body
from swarm_ray.ports.sandbox import Child
from swarm_ray.sandbox.description import described


class Deliveries:
    """Deliveries of one host that the coordinator has not acknowledged.

    Args:
        info: who the host is.
        key: signs; it belongs to `info.public_key`.
    """

    def __init__(self, info: HostInfo, key: SigningKey) -> None:
        self._info = info
        self._key = key
        self._bodies: dict[Key, tuple[Body, ...]] = {}
        self._workers: dict[Key, Child] = {}
        self._made: dict[int, Delivery] = {}

    def began(self, key: Key, worker: Child) -> None:
        """An attempt has got its worker."""
        self._workers[key] = worker

    def ended(self, key: Key, bodies: tuple[Body, ...]) -> None:
        """An attempt is over; its row names these bodies."""
        self._bodies[key] = bodies

    def known(self, sequence: int) -> Delivery | None:
        """Return a delivery that was made already."""
        return self._made.get(sequence)

    def make(self, outcome: Outcome, parcel: Parcel) -> Delivery:
        """Sign an outcome of a parcel and keep it until it is acknowledged."""
        keys = [(outcome.run, outcome.swarm, row.item, row.attempt) for row in outcome.rows]
        isolation, sandboxes = self._info.isolation, self._sandboxes(keys)
        statements = result_statements(
            parcel, outcome.rows, self._info, isolation, named_sandboxes(sandboxes)
        )
        header = result_header(parcel, outcome, parcel.order.epoch)
        bodies = tuple(body for key in keys for body in self._bodies.pop(key, ()))
        envelope = sign_batch(self._key, header, statements)
        self._made[outcome.sequence] = Delivery(outcome, envelope, isolation, bodies, sandboxes)
        return self._made[outcome.sequence]

    def acknowledged(self, sequences: Iterable[int]) -> None:
        """The coordinator has these for good."""
        for sequence in sequences:
            self._made.pop(sequence, None)

    def _sandboxes(self, keys: Iterable[Key]) -> tuple[str, ...]:
        """Return the descriptions of what attempts ran in; nothing is known of one that never had a
        worker, or whose zygote was gone before it said what holds."""
        kinds = {self._workers.pop(key).isolation for key in keys if key in self._workers}
        return tuple(sorted(described(kind) for kind in kinds if kind is not None))
