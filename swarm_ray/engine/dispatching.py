"""Getting attempts to hosts and results back.

Decides which host takes which attempts (through the pool machine) and sees to it that a batch is
sent only when it is durable, resent when a host did not take it, and that a delivery counts only
after it was verified. Hosts that fall silent are given up.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from swarm_ray.attestation.keys import SigningKey
from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.core.apart import Apart, Copies
from swarm_ray.core.host import Outcome
from swarm_ray.core.pool import Pool
from swarm_ray.core.swarm import Swarm
from swarm_ray.core.tables import SwarmState
from swarm_ray.engine.copying import domains_of, own_hosts
from swarm_ray.engine.desk import Desk
from swarm_ray.engine.history import entries_of
from swarm_ray.engine.judging import Case, Judging
from swarm_ray.engine.sandboxes import unseen
from swarm_ray.errors import Busy, IntegrityError, SwarmError, UsageError
from swarm_ray.ports.hosts import Delivery, HostInfo, Hosts, Parcel

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
    acknowledged: dict[str, list[int]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    arriving: set[tuple[str, int]] = field(default_factory=set)
    copies: Copies = field(default_factory=Copies)
    stranded: dict[str, float] = field(default_factory=dict)
    telling: set[str] = field(default_factory=set)
    described: dict[str, set[str]] = field(default_factory=dict)
    judging: Judging = field(init=False)

    def __post_init__(self) -> None:
        self.judging = Judging(self.coordinator.ledger, self.coordinator.settings)

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
        machine = self.coordinator.thread_of(run)
        out = {
            (swarm.id, flight.batch)
            for swarm in machine.swarms.values()
            for flight in swarm.flights.values()
        }
        if not out:
            return
        for event, record in entries_of(self.coordinator.ledger.entries(run), ev.Dispatched):
            if (event.swarm, event.batch) in out:
                seat = self.seats.get(event.host)
                if seat is not None:
                    self.desks[event.swarm].parcel(event, record["epoch"], seat, self.key)

    # -- out --------------------------------------------------------------------------------

    def want(self, run: str, want: cmd.Want) -> None:
        """Choose hosts for attempts; what finds no room waits for some."""
        swarm = self._swarm(run, want.swarm)
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
        while host in self.seats:
            try:
                await self.hosts.submit(host, self.coordinator.epoch, parcel)
            except Busy:
                await asyncio.sleep(BUSY_PAUSE_S)
            except UsageError as error:
                if error.code != "host.no_bundle":
                    raise
                bundle = self.coordinator.shelf.get(parcel.bundle)
                await self.hosts.bundle(host, parcel.bundle, bundle.data)
            except (SwarmError, OSError) as error:
                LOGGER.warning("host %s did not take a batch: %s", host, error)
                await asyncio.sleep(BUSY_PAUSE_S)
            else:
                return

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
            except (SwarmError, OSError) as error:
                LOGGER.warning("host %s did not withdraw: %s", host, error)
                await asyncio.sleep(BUSY_PAUSE_S)
            else:
                return

    # -- in ---------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            self._roll_call()
            await asyncio.sleep(ROSTER_PERIOD_S)

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
            acknowledged = self.acknowledged.pop(info.name, [])
            try:
                deliveries = await self.hosts.collect(
                    info.name,
                    self.coordinator.epoch,
                    acknowledged,
                    COLLECT_WAIT_US,
                    again=again,
                )
            except (SwarmError, OSError) as error:
                if _superseded(error):
                    raise
                self.acknowledged.setdefault(info.name, []).extend(acknowledged)
                if loop.time() - heard > SILENCE_S:
                    self.lose(info.name, "silent")
                    return
                again = True
                await asyncio.sleep(BUSY_PAUSE_S)
                continue
            heard, again = loop.time(), False
            for delivery in deliveries:
                self._deliver(info, delivery)

    def _deliver(self, info: HostInfo, delivery: Delivery) -> None:
        outcome = delivery.outcome
        arrival = (info.name, outcome.sequence)

        def acknowledge() -> None:
            self.arriving.discard(arrival)
            self.acknowledged.setdefault(info.name, []).append(outcome.sequence)

        desk = self.desks.get(outcome.swarm)
        swarm = self._swarm(outcome.run, outcome.swarm)
        if arrival in self.arriving:
            return  # delivered twice; the first is about to become durable
        if desk is None or swarm is None or outcome.batch not in desk.parcels:
            acknowledge()
            return
        try:
            event = desk.verified(delivery, info)
        except IntegrityError as error:
            self._refuse(info, error)
            return
        if not _awaited(swarm, outcome):
            acknowledge()
            return
        self.arriving.add(arrival)
        self._describe(outcome.run, delivery.sandboxes)
        parcel, loaded = desk.parcels[outcome.batch], self.coordinator.loaded(outcome.run)
        case = Case(swarm, desk, parcel, loaded, event, delivery.bodies)
        if self.judging.asks(swarm):
            self.coordinator.spawn(self._judge(info, case, acknowledge))
            return
        try:
            judged = self.judging.judged(case)
        except IntegrityError as error:
            self._refuse(info, error)
            return
        self.coordinator.post_with_bodies(outcome.run, judged.event, judged.bodies, acknowledge)

    def _describe(self, run: str, sandboxes: Sequence[str]) -> None:
        """Say in the log what workers ran in before results name it, once per run."""
        known = self.described.setdefault(run, set(self.coordinator.thread_of(run).sandboxes))
        for event in unseen(known, sandboxes):
            self.coordinator.post(run, event)

    async def _judge(self, info: HostInfo, case: Case, acknowledge: Callable[[], None]) -> None:
        """Let functions of the definition judge a delivery."""
        run = case.desk.run
        async with self.judging.turn:
            if self._swarm(run, case.swarm.id) is None:
                acknowledge()  # the run was closed meanwhile
                return
            try:
                judged = await self.judging.judged_beside(case)
            except IntegrityError as error:
                self._refuse(info, error)
                return
        self.coordinator.post_with_bodies(run, judged.event, judged.bodies, acknowledge)

    def _refuse(self, info: HostInfo, error: IntegrityError) -> None:
        LOGGER.error("refused a delivery of %s", info.name, exc_info=error)
        self.lose(info.name, error.code)

    def lose(self, name: str, reason: str) -> None:
        """Give a host up for ever: what it held is dispatched anew, so it must not come back."""
        self.refused.add(name)
        if self.seats.pop(name, None) is not None:
            self.coordinator.admin.left(name, reason)
        self.hosts.give_up(name)
        self.pool.lose(name)
        for run in list(self.coordinator.engine.threads):
            self.coordinator.post(run, ev.HostLost(name, reason))

    def _retry_spare(self) -> None:
        for swarm, (run, want) in list(self.spare.items()):
            del self.spare[swarm]
            self.want(run, want)

    def forget(self, run: str) -> None:
        """A run is closed: let go of its desks and lanes."""
        self.described.pop(run, None)
        for name in [name for name, desk in self.desks.items() if desk.run == run]:
            self.desks.pop(name).manifest.close()
            self.pool.forget(name)
            self.copies.forget(name)
            self.judging.forget(name)
            self.stranded.pop(name, None)
            self.telling.discard(name)
            self.spare.pop(name, None)
            self.batches.pop(name, None)

    def _swarm(self, run: str, name: str) -> Swarm | None:
        thread = self.coordinator.engine.threads.get(run)
        return thread.run.swarms.get(name) if thread is not None else None


def _awaited(swarm: Swarm, outcome: Outcome) -> bool:
    """Say whether an attempt of an outcome is out; otherwise all of it is in the log already."""
    return any(swarm.find(row.item, row.attempt) >= 0 for row in outcome.rows)


def _superseded(error: BaseException) -> bool:
    return isinstance(error, IntegrityError) and error.code == "host.stale_epoch"
