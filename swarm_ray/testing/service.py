"""A real coordinator and ledger whose workers follow a script instead of running code.

Decides only what an attempt turns out to be and how long it takes; orders, lanes, signatures, log
and bodies are the real ones. For tests of everything that looks at runs from outside.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from swarm_ray.attestation.batch import sign_batch
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.config import Settings
from swarm_ray.core.events import Row, Status
from swarm_ray.core.host import Host, Key, Outcome, Start
from swarm_ray.engine.orders import result_header, result_statements
from swarm_ray.engine.sandboxes import named_sandboxes
from swarm_ray.engine.service import CoordinatorService
from swarm_ray.engine.verdicts import project
from swarm_ray.ports.hosts import Delivery, HostInfo, Parcel
from swarm_ray.ports.log import Body
from swarm_ray.values.codec import decode_json, encode_json
from swarm_ray.values.commitments import SALT_BYTES

SLOTS = 8
SANDBOXES = ('{"driver":"scripted"}',)


class Fault(Exception):
    """A scripted attempt fails: with this status class, code and text."""

    def __init__(self, status: Status, code: str, text: str = "") -> None:
        super().__init__(text or code)
        self.status: Status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Call:
    """What a script is asked: the task, its inputs, the item's ordinal and the attempt, and whose
    host it plays."""

    task: str
    inputs: Mapping[str, Any]
    item: int
    attempt: int
    organisation: str = ""


@dataclass(frozen=True, slots=True)
class Did:
    """What a script answers when the bare output is not enough: cost and time of the attempt, and
    which models it asked."""

    output: Any
    tokens: int = 0
    microusd: int = 0
    seconds: float = 0.0
    model: str = ""


Script = Callable[[Call], Any]


@dataclass(slots=True)
class _Seat:
    info: HostInfo
    key: SigningKey
    machine: Host
    parcels: dict[tuple[str, str, int], Parcel] = field(default_factory=dict)
    bodies: dict[Key, tuple[Body, ...]] = field(default_factory=dict)
    deliveries: dict[int, Delivery] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class ScriptedHosts:
    """Implements `ports.hosts.Hosts` with so many hosts that ask a script."""

    def __init__(
        self, settings: Settings, script: Script, count: int, organisations: Sequence[str] = ()
    ) -> None:
        self._script = script
        owners = organisations or (settings.organisation,)
        self._running: set[asyncio.Task[None]] = set()
        self._seats = {
            seat.info.name: seat
            for seat in (
                host_seat(settings, f"{settings.site}-{n}", owners[n % len(owners)])
                for n in range(1, count + 1)
            )
        }

    def seats(self) -> Sequence[HostInfo]:
        """See the port."""
        return [seat.info for seat in self._seats.values()]

    def give_up(self, host: str) -> None:
        """See the port."""
        self._seats.pop(host, None)

    def release(self) -> None:
        """See the port."""
        for task in self._running:
            task.cancel()
        self._seats.clear()

    async def adopt(self) -> None:
        """Nothing survives a process."""

    async def bundle(self, host: str, digest: str, data: bytes) -> None:
        """Scripts need no bundle."""

    async def submit(self, host: str, epoch: int, parcel: Parcel) -> None:
        """See the port."""
        seat = self._reached(host)
        seat.machine.lead(epoch, _now_us())
        order = parcel.order
        seat.parcels.setdefault((order.run, order.swarm, order.batch), parcel)
        self._begin(seat, seat.machine.accept(order))

    async def collect(
        self, host: str, epoch: int, acknowledged: Sequence[int], wait_us: int, *, again: bool
    ) -> Sequence[Delivery]:
        """See the port."""
        seat = self._reached(host)
        machine = seat.machine
        again = again or epoch > machine.epoch
        machine.lead(epoch, _now_us())
        machine.acknowledge(acknowledged)
        owed = machine.owed() if again else machine.collect()
        if not owed:
            seat.news.clear()
            try:
                async with asyncio.timeout(wait_us / 1e6):
                    await seat.news.wait()
            except TimeoutError:
                return []
            owed = machine.collect()
        return [_delivery(seat, outcome) for outcome in owed]

    async def withdraw(self, host: str, epoch: int, keys: Sequence[Key]) -> None:
        """See the port."""
        seat = self._reached(host)
        seat.machine.lead(epoch, _now_us())
        for kill in seat.machine.withdraw(keys):
            _, _, item, attempt = kill.key
            self._end(seat, kill.key, Row(item, attempt, "cancelled", code="attempt.withdrawn"))
        seat.news.set()

    def _reached(self, host: str) -> _Seat:
        if host not in self._seats:
            raise ConnectionError(f"host {host} is gone")
        return self._seats[host]

    # -- attempts ---------------------------------------------------------------------------

    def _begin(self, seat: _Seat, starts: Sequence[Start]) -> None:
        for start in starts:
            task = asyncio.get_running_loop().create_task(self._work(seat, start))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _said(
        self, organisation: str, parcel: Parcel, payload: bytes, item: int, attempt: int
    ) -> Any:
        """Return what the script answers; an item that does not fit its task never reaches it."""
        if item in parcel.misfits:
            raise Fault("input", "input.mismatch", parcel.misfits[item])
        call = Call(parcel.task, decode_json(payload), item, attempt, organisation)
        return self._script(call)

    async def _work(self, seat: _Seat, start: Start) -> None:
        run, swarm, item, attempt = start.key
        parcel = seat.parcels[run, swarm, start.batch]
        payload = parcel.payloads[parcel.order.items.index(item)]
        began_us = time.time_ns() // 1000
        try:
            said = self._said(seat.info.organisation, parcel, payload, item, attempt)
        except Fault as fault:
            body = _sealed("error", str(fault).encode(), run)
            seat.bodies[start.key] = (body,)
            row = Row(
                item,
                attempt,
                fault.status,
                code=fault.code,
                error=body.commitment,
                start_us=began_us,
                duration_us=_since(began_us),
            )
        else:
            did = said if isinstance(said, Did) else Did(said)
            await asyncio.sleep(did.seconds)
            body = _sealed("output", encode_json(did.output), run)
            seat.bodies[start.key] = (body,)
            label, confidence_ppm = project(did.output, parcel.projection)
            row = Row(
                item,
                attempt,
                "ok",
                body.commitment,
                label,
                confidence_ppm,
                tokens=did.tokens,
                microusd=did.microusd,
                model=did.model,
                start_us=began_us,
                duration_us=_since(began_us),
            )
        self._end(seat, start.key, row)

    def _end(self, seat: _Seat, key: Key, row: Row) -> None:
        if key in seat.machine.running:
            if row.status == "cancelled":
                seat.bodies.pop(key, None)
            self._begin(seat, seat.machine.finished(key, row))
            seat.news.set()


def host_seat(settings: Settings, name: str, organisation: str) -> _Seat:
    """Return a host of an organisation, with a key of its own."""
    key = SigningKey.generate()
    info = HostInfo(name, settings.site, organisation, SLOTS, key.public.raw, "scripted")
    # Other than a real one it bears the name of one before: it must not count anew for its batches.
    machine = Host(SLOTS, 10_000, settings.lease_s * 1_000_000, sequence=_now_us())
    return _Seat(info, key, machine)


def _delivery(seat: _Seat, outcome: Outcome) -> Delivery:
    known = seat.deliveries.get(outcome.sequence)
    if known is None:
        parcel = seat.parcels[outcome.run, outcome.swarm, outcome.batch]
        sandbox = named_sandboxes(SANDBOXES)
        statements = result_statements(
            parcel, outcome.rows, seat.info, seat.info.isolation, sandbox
        )
        header = result_header(parcel, outcome, parcel.order.epoch)
        envelope = sign_batch(seat.key, header, statements)
        bodies = tuple(
            body
            for row in outcome.rows
            for body in seat.bodies.pop((outcome.run, outcome.swarm, row.item, row.attempt), ())
        )
        known = Delivery(outcome, envelope, seat.info.isolation, bodies, SANDBOXES)
        seat.deliveries[outcome.sequence] = known
    return known


def _sealed(tag: str, data: bytes, run: str) -> Body:
    retention = "error" if tag == "error" else "output"
    return Body.seal(tag, os.urandom(SALT_BYTES), data, retention, run)  # type: ignore[arg-type]  # two of its words


def _since(began_us: int) -> int:
    return max(1, time.time_ns() // 1000 - began_us)


def _now_us() -> int:
    return time.monotonic_ns() // 1000


def scripted_service(
    settings: Settings, script: Script, *, hosts: int = 2, organisations: Sequence[str] = ()
) -> CoordinatorService:
    """Return a running coordinator whose workers follow a script; `shut_down` ends it. Its hosts
    belong to the organisations in turn.

    The script answers each call with an output or a `Did`, or raises `Fault`.
    """
    return CoordinatorService(
        settings, lambda found, _key, _epoch: ScriptedHosts(found, script, hosts, organisations)
    )
