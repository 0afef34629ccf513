"""The host's shell: one thread that feeds children, reads their frames and owes results.

Decides nothing that the host machine decides (order, lanes, duplicates, leases); it verifies
what it is sent, keeps children within their deadlines and signs what they did. Its public
methods may be called from any thread.
"""

import heapq
import logging
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from swarm_ray.attestation.batch import verify_batch
from swarm_ray.attestation.keys import PublicKey, SigningKey
from swarm_ray.core.host import Host, Key, Kill, Outcome, Start
from swarm_ray.engine.attempt import Attempt
from swarm_ray.engine.delivering import Deliveries
from swarm_ray.engine.orders import order_header, order_statements
from swarm_ray.engine.verdicts import Ended
from swarm_ray.engine.workshop import Workshops
from swarm_ray.errors import Busy, SwarmError, UsageError
from swarm_ray.ports.hosts import Delivery, HostInfo, Parcel
from swarm_ray.ports.sandbox import Child, Exit, Zygote

LOGGER = logging.getLogger("swarm_ray.host")
FLUSH_US = 5_000
FLUSH_BUSY_US = 20_000
"""While enough is queued nobody waits for a result, and larger batches cost less."""
FLUSH_ROWS = 64
TICK_S = 0.25
OVERTIME_US = 3_600_000_000
"""No attempt runs longer than an hour, declared deadline or not."""
OUTLIVE_US = 1_000_000


@dataclass(slots=True)
class Bench:
    """What the shell keeps per batch until all of its rows are settled."""

    parcel: Parcel
    received_us: int
    index: dict[int, int] = field(default_factory=dict)
    left: int = 0


class HostShell:
    """Executes the attempts that a coordinator orders.

    Args:
        info: who this host is; `info.public_key` must belong to `key`.
        key: signs results.
        coordinator_key: raw public key whose orders are taken.
        workshops: sandboxes per bundle.
        lease_us: how long this host works without hearing from a coordinator.
        services: what workers may ask for besides files: model, tools (see `engine.attempt`).
    """

    def __init__(
        self,
        info: HostInfo,
        key: SigningKey,
        coordinator_key: bytes,
        workshops: Workshops,
        lease_us: int,
        services: Mapping[str, Callable[..., Any]],
    ) -> None:
        self.info = info
        public = PublicKey(coordinator_key)
        self._accepted: dict[str, PublicKey] = {public.keyid: public}
        self._workshops = workshops
        self._services = services
        self._machine = Host(info.slots, credit=info.slots * 64 + 1024, lease_us=lease_us)
        self._benches: dict[tuple[str, str, int], Bench] = {}
        self._attempts: dict[Key, Attempt] = {}
        self._deliveries = Deliveries(info, key)
        self._deadlines: list[tuple[int, Key]] = []
        self._held: deque[Start] = deque()
        self._zygotes: dict[Zygote, dict[int, Key]] = {}
        self._held_by: dict[Key, tuple[str, Zygote, int]] = {}
        self._leaving: dict[Key, tuple[Child, int]] = {}
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._selector = selectors.DefaultSelector()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._selector.register(self._reader, selectors.EVENT_READ, self._drain_wake)
        self._ready = threading.Condition()
        self._flush_at_us = 0
        self._due = False
        self._stopping = False
        self.finished = threading.Event()
        self._thread = threading.Thread(target=self._run, name="swarm-ray-host", daemon=True)
        self._thread.start()

    # -- called by the transport ------------------------------------------------------------

    def bundle(self, digest: str, data: bytes) -> None:
        """Keep a bundle; safe to repeat.

        Raises:
            IntegrityError: the bytes are not that bundle.
        """
        self._workshops.keep(digest, data)

    def submit(self, epoch: int, parcel: Parcel) -> None:
        """Take a batch; see `ports.hosts.Hosts.submit`."""
        if not self._workshops.has(parcel.bundle):
            raise UsageError(
                "host.no_bundle",
                f"{self.info.name} lacks {parcel.bundle[:12]}",
                hint="send the bundle, then the batch again",
            )
        statements = order_statements(parcel, self.info.site)
        verify_batch(parcel.envelope, self._accepted, order_header(parcel), statements)
        self._workshops.open(parcel.bundle)
        self._call(lambda: self._accept(epoch, parcel))

    def collect(
        self, epoch: int, acknowledged: Sequence[int], wait_us: int, *, again: bool
    ) -> list[Delivery]:
        """Acknowledge and wait for results; see `ports.hosts.Hosts.collect`."""
        fresh = self._call(lambda: self._lead(epoch, acknowledged, again=again))
        with self._ready:
            if not fresh and not self._due:
                self._ready.wait(wait_us / 1e6)
            self._due = False
        outcomes = fresh + self._call(self._collect)
        return [self._delivery(outcome) for outcome in outcomes]

    def withdraw(self, epoch: int, keys: Sequence[Key]) -> None:
        """Stop attempts."""
        self._call(lambda: self._withdraw(epoch, keys))

    def stop(self) -> None:
        """Kill every child and end the thread; safe to repeat."""
        if not self._stopping:
            self._stopping = True
            self._wake()
            self._thread.join(10)

    def _call(self, work: Callable[[], Any]) -> Any:
        done: Future[Any] = Future()

        def perform() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # noqa: BLE001  # handed to the caller
                done.set_exception(error)

        if self._stopping:
            raise SwarmError("host.stopped", f"{self.info.name} has stopped")
        self._calls.put(perform)
        self._wake()
        return done.result(30)

    def _wake(self) -> None:
        try:
            os.write(self._writer, b"x")
        except BlockingIOError:
            return  # the pipe is full of wake-ups already

    # -- the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopping:
                for ready, _ in self._selector.select(self._pause_s()):
                    ready.data()
                self._perform_calls()
                self._begin(())
                self._expire()
                self._flush()
        except BaseException:
            LOGGER.exception("host %s stopped", self.info.name)
            raise
        finally:
            self._stopping = True
            self._close()

    def _pause_s(self) -> float:
        now = _now_us()
        pause = TICK_S
        if self._deadlines:
            pause = min(pause, max(0, self._deadlines[0][0] - now) / 1e6)
        if self._flush_at_us:
            pause = min(pause, max(0, self._flush_at_us - now) / 1e6)
        return pause

    def _drain_wake(self) -> None:
        os.read(self._reader, 65536)

    def _perform_calls(self) -> None:
        while True:
            try:
                self._calls.get_nowait()()
            except Empty:
                return

    def _expire(self) -> None:
        now = _now_us()
        while self._deadlines and self._deadlines[0][0] <= now:
            _, key = heapq.heappop(self._deadlines)
            attempt = self._attempts.get(key)
            if key in self._leaving:
                self._leaving[key][0].kill()
            if attempt is not None:
                attempt.expire()
                heapq.heappush(self._deadlines, (now + OUTLIVE_US, key))
        if self._machine.expired(now):
            LOGGER.warning("host %s lost its lease", self.info.name)
            self._stopping = True

    def _flush(self) -> None:
        if not self._machine.done:
            self._flush_at_us = 0
            return
        now = _now_us()
        if not self._flush_at_us:
            busy = self._machine.queued >= len(self._machine.running)
            self._flush_at_us = now + (FLUSH_BUSY_US if busy else FLUSH_US)
        rows = sum(len(rows) for rows in self._machine.done.values())
        if now >= self._flush_at_us or rows >= FLUSH_ROWS or not self._attempts:
            with self._ready:
                self._due = True
                self._ready.notify_all()

    def _close(self) -> None:
        for attempt in self._attempts.values():
            attempt.abandon()
        self._workshops.close()
        self._selector.close()
        self.finished.set()

    # -- in the thread: orders --------------------------------------------------------------

    def _lead(self, epoch: int, acknowledged: Sequence[int], *, again: bool) -> list[Outcome]:
        again = again or epoch > self._machine.epoch
        self._machine.lead(epoch, _now_us())
        self._machine.acknowledge(acknowledged)
        self._deliveries.acknowledged(acknowledged)
        return self._machine.owed() if again else []

    def _collect(self) -> list[Outcome]:
        self._flush_at_us = 0
        return self._machine.collect()

    def _accept(self, epoch: int, parcel: Parcel) -> None:
        self._machine.lead(epoch, _now_us())
        order = parcel.order
        place = (order.run, order.swarm, order.batch)
        if place not in self._benches and not all(map(self._machine.knows, order.keys())):
            index = {item: at for at, item in enumerate(order.items)}
            self._benches[place] = Bench(parcel, _now_us(), index, len(order.items))
        self._begin(self._machine.accept(order))

    def _withdraw(self, epoch: int, keys: Sequence[Key]) -> None:
        self._machine.lead(epoch, _now_us())
        self._perform_kills(self._machine.withdraw(keys))

    def _perform_kills(self, kills: Sequence[Kill]) -> None:
        for kill in kills:
            attempt = self._attempts.get(kill.key)
            if attempt is not None:
                attempt.withdraw()

    # -- in the thread: attempts ------------------------------------------------------------

    def _begin(self, starts: Sequence[Start]) -> None:
        self._held.extend(starts)
        while self._held:
            start = self._held.popleft()
            try:
                self._start(start)
            except Busy:
                self._held.appendleft(start)
                return

    def _start(self, start: Start) -> None:
        key = start.key
        bench = self._benches[key[0], key[1], start.batch]
        parcel = bench.parcel
        workshop = self._workshops.get(parcel.bundle)
        attempt = Attempt(key, parcel, bench.index[key[2]], workshop, self._services)
        taken = attempt.begin(self._selector, self._later, self._reported)
        self._attempts[key] = attempt
        if taken is None:
            self._settle(key, attempt.ended())
            return
        zygote, child = taken
        self._deliveries.began(key, child)
        if zygote not in self._zygotes:
            self._zygotes[zygote] = {}
            self._selector.register(
                zygote.fileno(), selectors.EVENT_READ, lambda: self._exits(zygote)
            )
        self._zygotes[zygote][child.token] = key
        self._held_by[key] = (parcel.bundle, zygote, start.batch)
        limit_us = self._limit_us(bench)
        if limit_us:
            heapq.heappush(self._deadlines, (limit_us, key))

    def _exits(self, zygote: Zygote) -> None:
        children = self._zygotes[zygote]
        for exit_ in zygote.exits():
            key = children.pop(exit_.token, None)
            if key is None:
                self._workshops.child_ended(zygote, exit_.token)
            elif key in self._attempts:
                self._settle(key, self._attempts[key].ended(exit_))
            else:
                self._gone(key, exit_)
        if not zygote.alive and not children:
            self._selector.unregister(zygote.fileno())
            del self._zygotes[zygote]
        self._begin(())

    def _limit_us(self, bench: Bench) -> int:
        parcel, now = bench.parcel, _now_us()
        limits = [now + OVERTIME_US]
        if parcel.deadline_us:
            limits.append(bench.received_us + parcel.deadline_us)
        if parcel.item_deadline_us:
            limits.append(now + parcel.item_deadline_us)
        return min(limits)

    def _later(self, work: Callable[[], None]) -> None:
        """Run something in this thread; called from service threads."""
        self._calls.put(work)
        self._wake()

    def _reported(self, key: Key) -> None:
        """A child has given its result: its lane is free. It serves again where nothing is
        isolated, else it has a moment to end."""
        attempt = self._attempts[key]
        bundle, zygote, batch = self._held_by[key]
        workshop = self._workshops.get(bundle)
        child = attempt.release()
        if child is None:
            heapq.heappush(self._deadlines, (_now_us() + OUTLIVE_US, key))
            return
        if workshop.reuses:
            self._zygotes[zygote].pop(child.token)
            workshop.give_back(zygote, child)
        else:
            child.close()
            self._leaving[key] = (child, batch)
            heapq.heappush(self._deadlines, (_now_us() + OUTLIVE_US, key))
        self._settle(key, attempt.ended())

    def _gone(self, key: Key, exit_: Exit) -> None:
        """The child of a settled attempt has ended."""
        _, batch = self._leaving.pop(key)
        if not exit_.lost:
            self._machine.amend(key, batch, exit_.cpu_us)

    def _settle(self, key: Key, ended: Ended) -> None:
        del self._attempts[key]
        self._held_by.pop(key, None)
        self._deliveries.ended(key, ended.bodies)
        self._held.extend(self._machine.finished(key, ended.row))

    # -- results ----------------------------------------------------------------------------

    def _delivery(self, outcome: Outcome) -> Delivery:
        known = self._deliveries.known(outcome.sequence)
        if known is not None:
            return known
        bench = self._benches[outcome.run, outcome.swarm, outcome.batch]
        delivery = self._deliveries.make(outcome, bench.parcel)
        bench.left -= len(outcome.rows)
        if bench.left <= 0:
            del self._benches[outcome.run, outcome.swarm, outcome.batch]
        return delivery


def _now_us() -> int:
    return time.monotonic_ns() // 1000
