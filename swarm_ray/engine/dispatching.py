"""Getting attempts to hosts and results back.

Decides which host takes which attempts (through the pool machine) and sees to it that a batch is
sent only when it is durable, resent when a host did not take it, and that a delivery counts only
after it was verified. Hosts that fall silent are given up.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from swarm_ray.attestation.keys import SigningKey
from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.core.apart import Apart, Copies
from swarm_ray.core.patience import Patience
from swarm_ray.core.pool import Pool
from swarm_ray.core.swarm import Swarm
from swarm_ray.core.tables import SwarmState
from swarm_ray.engine.copying import domains_of, own_hosts
from swarm_ray.engine.desk import Desk
from swarm_ray.engine.history import entries_of, settled_of
from swarm_ray.engine.judging import Judging
from swarm_ray.engine.receiving import Receiving
from swarm_ray.errors import Busy, IntegrityError, UsageError
from swarm_ray.ports.hosts import HostInfo, Hosts, Parcel
from swarm_ray.values.visible import traceback_of

if TYPE_CHECKING:
    from swarm_ray.engine.coordinator import Coordinator

LOGGER = logging.getLogger("swarm_ray.dispatch")
COLLECT_WAIT_US = 500_000
ROSTER_PERIOD_S = 0.25
BUSY_PAUSE_S = 0.05
SILENCE_S = 5.0
STRANDED_S = 2.0
"""Items are reported as waiting for hosts of other trust domains when they have done so for so long."""


@dataclass(slots=True)
class Dispatcher:
    """Hosts, wants without a host, desks of working swarms."""

    coordinator: "Coordinator"
    hosts: Hosts
    key: SigningKey
    pool: Pool = field(default_factory=Pool)
    seats: dict[str, HostInfo] = field(default_factory=dict)
    desks: dict[str, Desk] = field(default_factory=dict)
    spare: dict[str, tuple[str, cmd.Want]] = field(default_factory=dict)
    batches: dict[str, int] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    copies: Copies = field(default_factory=Copies)
    stranded: dict[str, float] = field(default_factory=dict)
    telling: set[str] = field(default_factory=set)
    judging: Judging = field(init=False)
    receiving: Receiving = field(init=False)
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        self.judging = Judging(self.coordinator.ledger, self.coordinator.settings)
        self.receiving = Receiving(self)

    def start(self) -> None:
        """Begin to watch the hosts."""
        self._roll_call()
        self.coordinator.spawn(self._watch())

    def restore(self, run: str) -> None:
        """Rebuild desks and parcels of an open run after a restart."""
        machine = self.coordinator.thread_of(run)
        values = self.coordinator.values_of(run)
        loaded = self.coordinator.loaded(run)
        for name in (machine.main, machine.unit):
            swarm = machine.swarms.get(name)
            if swarm is not None and swarm.state is not SwarmState.CONVERGED:
                context = values.read(swarm.opened.context)
                manifest = values.manifest(swarm.opened)
                task = loaded.tasks[context["task"]]
                assert machine.opened is not None
                self.desks[name] = Desk(
                    run, machine.opened.bundle, swarm.opened, task, manifest, context
                )
        self._roll_call()
        self._restore_parcels(run)

    def _restore_parcels(self, run: str) -> None:
        ledger = self.coordinator.ledger
        out: dict[tuple[str, int], set[int]] = {}
        for swarm in self.coordinator.thread_of(run).swarms.values():
            for key, flight in swarm.flights.items():
                out.setdefault((swarm.id, flight.batch), set()).add(swarm.item_of(key))
        if not out:
            return
        came: dict[tuple[str, int], set[int]] = {}
        for settled in settled_of(ledger.entries(run), {batch for _, batch in out}):
            came.setdefault((settled.swarm, settled.batch), set()).add(settled.sequence)
        for event, record in entries_of(ledger.entries(run), ev.Dispatched):
            place = event.swarm, event.batch
            seat = self.seats.get(event.host)
            if place in out and seat is not None:
                desk = self.desks[event.swarm]
                desk.parcel(event, record["epoch"], seat, self.key)
                desk.recall(event.batch, out[place], came.get(place, ()))

    # -- out --------------------------------------------------------------------------------

    def want(self, run: str, want: cmd.Want) -> None:
        """Choose hosts for attempts; what finds no room waits for some."""
        swarm = self.swarm(run, want.swarm)
        if swarm is None:
            return
        items, attempts = want.items, want.attempts
        before = self.spare.pop(want.swarm, None)
        if before is not None:
            items, attempts = before[1].items + items, before[1].attempts + attempts
        self.pool.observe(want.swarm, swarm.held, swarm.lanes)
        taken: set[tuple[int, int]] = set()
        own = own_hosts(self.seats, self.coordinator.settings.organisation)
        apart = self.copies.apart(swarm, domains_of(self.seats, swarm), items, own)
        for choice in self.pool.choose(want.swarm, want.concurrency, items, attempts, apart=apart):
            taken.update(zip(choice.items, choice.attempts, strict=True))
            batch = max(self.batches.get(want.swarm, 0), swarm.last_batch) + 1
            self.batches[want.swarm] = batch
            event = ev.Dispatched(
                want.swarm,
                batch,
                choice.host,
                choice.lanes,
                choice.items,
                choice.attempts,
                self.coordinator.clock.random(16).hex(),
                apart.domains[choice.host] if apart is not None and swarm.panel else "",
            )
            self.copies.choose(event)
            self.coordinator.post(run, event)
        left = [
            pair
            for pair in zip(items, attempts, strict=True)
            if pair not in taken and (apart is None or swarm.awaits(*pair))
        ]
        self._strand(run, swarm, apart, [item for item, _ in left])
        if left:
            rest = cmd.Want(
                want.swarm,
                want.concurrency,
                tuple(item for item, _ in left),
                tuple(attempt for _, attempt in left),
            )
            self.spare[want.swarm] = (run, rest)

    def _strand(self, run: str, swarm: Swarm, apart: Apart | None, left: list[int]) -> None:
        """Report that items begin to wait for hosts that may take them, or do no longer; a host
        that comes back at once is not worth an entry."""
        items = apart.stranded(left) if apart is not None else 0
        now_s = asyncio.get_running_loop().time()
        since_s = self.stranded.setdefault(swarm.id, now_s) if items else 0.0
        if not items:
            self.stranded.pop(swarm.id, None)
        same = bool(items) == bool(swarm.stranding.items)
        if same or swarm.id in self.telling or now_s - since_s < STRANDED_S:
            return
        self.telling.add(swarm.id)
        domains = len(set(apart.domains.values())) if apart is not None else 0
        self.coordinator.post(run, ev.Stranded(swarm.id, items, domains))

    def durable(self, event: ev.Event) -> None:
        """An event is in the log: build the parcel of a dispatch, free what was settled."""
        if isinstance(event, ev.Dispatched):
            self.pool.logged(event.swarm, event.host, len(event.items))
            self.copies.logged(event)
            desk, seat = self.desks.get(event.swarm), self.seats.get(event.host)
            if desk is None or seat is None:
                return
            desk.parcel(event, self.coordinator.epoch, seat, self.key)
        elif isinstance(event, ev.Stranded):
            self.telling.discard(event.swarm)
        elif isinstance(event, ev.Settled):
            desk = self.desks.get(event.swarm)
            if desk is not None:
                desk.closed(event.batch, len(event.rows))
            self._retry_spare()

    def send(self, run: str, send: cmd.Send) -> None:
        """Send a durable batch; a host that is not there loses what it holds."""
        desk = self.desks.get(send.swarm)
        if send.host not in self.seats or desk is None or send.batch not in desk.parcels:
            self.coordinator.post(run, ev.HostLost(send.host, "unknown"))
            return
        now_us = self.coordinator.clock.now_us()
        parcel = desk.resent(send, now_us, self.seats[send.host].site, self.key)
        self.coordinator.spawn(self._submit(send.host, parcel))

    async def _submit(self, host: str, parcel: Parcel) -> None:
        bundle = self.coordinator.shelf.get(parcel.bundle)
        while host in self.seats:
            try:
                await self.hosts.submit(host, self.coordinator.epoch, parcel)
            except Busy:
                await asyncio.sleep(BUSY_PAUSE_S)
            except UsageError as error:
                if error.code != "host.no_bundle":
                    LOGGER.warning("host %s refuses a batch: %s", host, traceback_of(error))
                    self.lose(host, "host.refused_batch")
                    return
                await self._bring(host, parcel.bundle, bundle.data)
            except Exception as error:  # noqa: BLE001  # a host can raise whatever it likes
                LOGGER.warning("host %s did not take a batch: %.500r", host, error)
                await asyncio.sleep(BUSY_PAUSE_S)
            else:
                return

    async def _bring(self, host: str, digest: str, data: bytes) -> None:
        try:
            await self.hosts.bundle(host, digest, data)
        except Exception as error:  # noqa: BLE001  # a host can raise whatever it likes
            LOGGER.warning("host %s did not take a bundle: %.500r", host, error)
            await asyncio.sleep(BUSY_PAUSE_S)

    def withdraw(self, run: str, command: cmd.Withdraw) -> None:
        """Ask a host to stop attempts; one that is not there has lost them."""
        if command.host not in self.seats:
            self.coordinator.post(run, ev.HostLost(command.host, "unknown"))
            return
        keys = [
            (run, command.swarm, item, attempt)
            for item, attempt in zip(command.items, command.attempts, strict=True)
        ]
        self.coordinator.spawn(self._withdraw(command.host, keys))

    async def _withdraw(self, host: str, keys: list[tuple[str, str, int, int]]) -> None:
        while host in self.seats:
            try:
                await self.hosts.withdraw(host, self.coordinator.epoch, keys)
            except Exception as error:  # noqa: BLE001  # a host can raise whatever it likes
                LOGGER.warning("host %s did not withdraw: %.500r", host, error)
                await asyncio.sleep(BUSY_PAUSE_S)
            else:
                return

    # -- in ---------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            self._roll_call()
            self._remind()
            await asyncio.sleep(ROSTER_PERIOD_S)

    def _remind(self) -> None:
        """Give up hosts that hold attempts for longer than any of them may take."""
        holding: dict[str, list[int]] = {}
        for name, desk in self.desks.items():
            swarm = self.swarm(desk.run, name)
            if swarm is not None:
                for host in swarm.held:
                    holding.setdefault(host, []).append(swarm.spec.item_deadline_us)
        now_s = asyncio.get_running_loop().time()
        for host, _ in self.receiving.arriving:
            self.patience.came(host, now_s)  # what it said is still being judged
        for host in self.patience.overdue(holding, now_s):
            self.lose(host, "overdue")

    def _roll_call(self) -> None:
        present = {info.name: info for info in self.hosts.seats() if info.name not in self.refused}
        for name in [name for name in self.seats if name not in present]:
            self.lose(name, "gone")
        for name, info in present.items():
            if name not in self.seats:
                self.coordinator.admin.joined(info)
                self.seats[name] = info
                self.pool.join(name, info.site, info.slots)
                self.coordinator.spawn(self._collect(info))
        self._retry_spare()

    async def _collect(self, info: HostInfo) -> None:
        loop = asyncio.get_running_loop()
        heard = loop.time()
        again = True
        while self.seats.get(info.name) is info:
            acknowledged = self.receiving.acknowledged.pop(info.name, [])
            try:
                deliveries = await self.hosts.collect(
                    info.name,
                    self.coordinator.epoch,
                    acknowledged,
                    COLLECT_WAIT_US,
                    again=again,
                )
            except Exception as error:  # a host can raise whatever it likes
                if self._superseded(error):
                    raise
                LOGGER.debug("host %s gave no answer: %.500r", info.name, error)
                self.receiving.acknowledged.setdefault(info.name, []).extend(acknowledged)
                stale = _is_stale(error)  # if it were true the ledger would know of it
                if stale or loop.time() - heard > SILENCE_S:
                    self.lose(info.name, "host.stale_epoch" if stale else "silent")
                    return
                again = True
                await asyncio.sleep(BUSY_PAUSE_S)
                continue
            heard, again = loop.time(), False
            self.receiving.receive(info, deliveries)

    def lose(self, name: str, reason: str) -> None:
        """Give a host up for ever: what it held is dispatched anew, so it must not come back."""
        self.refused.add(name)
        if self.seats.pop(name, None) is not None:
            self.coordinator.admin.left(name, reason)
        self.hosts.give_up(name)
        self.pool.lose(name)
        self.receiving.lose(name)
        for run in list(self.coordinator.engine.threads):
            self.coordinator.post(run, ev.HostLost(name, reason))

    def _retry_spare(self) -> None:
        for swarm, (run, want) in list(self.spare.items()):
            del self.spare[swarm]
            self.want(run, want)

    def forget(self, run: str) -> None:
        """A run is closed: let go of its desks and lanes."""
        self.receiving.forget(run)
        for name in [name for name, desk in self.desks.items() if desk.run == run]:
            self.desks.pop(name).manifest.close()
            self.pool.forget(name)
            self.copies.forget(name)
            self.judging.forget(name)
            self.stranded.pop(name, None)
            self.telling.discard(name)
            self.spare.pop(name, None)
            self.batches.pop(name, None)

    def swarm(self, run: str, name: str) -> Swarm | None:
        """Return the machine of a swarm of an open run."""
        thread = self.coordinator.engine.threads.get(run)
        return thread.run.swarms.get(name) if thread is not None else None

    def _superseded(self, error: Exception) -> bool:
        """Say whether another coordinator has taken over. The word of a host is not enough: any of
        them could end this coordinator with it."""
        return _is_stale(error) and self.coordinator.ledger.epoch() != self.coordinator.epoch


def _is_stale(error: Exception) -> bool:
    return isinstance(error, IntegrityError) and error.code == "host.stale_epoch"
