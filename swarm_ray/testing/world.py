"""A whole deployment in one thread and virtual time, from one seed.

Replaces transport, clock, process spawn and disk; runs the real codec, log, engine, run, pool
and host machines. Messages are lost, doubled and late, hosts die or are cut off, the coordinator
crashes after any append and loses what was not synced. Every failure names its seed.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.core.host import Host, Kill, Order, Outcome, Start
from swarm_ray.core.plan import Plan
from swarm_ray.core.pool import Pool
from swarm_ray.core.tables import RunState
from swarm_ray.engine.loop import Engine, Happening
from swarm_ray.errors import Busy, IntegrityError, InternalError, SwarmError
from swarm_ray.testing.faults import Faults
from swarm_ray.testing.memory_log import MemoryLog, SimulatedCrash

RUN = "run-of-the-world"
ZERO = "0" * 64
LATENCY_US = 2_000
POLL_US = 50_000
SILENCE_US = 1_000_000
LEASE_US = 800_000
LIMIT_US = 3_600_000_000


@dataclass(slots=True)
class Machine:
    """A simulated host: the real host machine and what its attempts will turn out to be."""

    name: str
    host: Host
    alive: bool = True
    cut_until_us: int = 0
    heard_us: int = 0
    running: dict[tuple[str, str, int, int], int] = field(default_factory=dict)


@dataclass(slots=True)
class Facts:
    """What the world saw, for the checks afterwards: attempts begun, tokens really spent,
    the greatest number of leases at once, crashes of the coordinator."""

    begun: int = 0
    tokens: int = 0
    widest: int = 0
    crashes: int = 0
    settled_ok: set[tuple[str, int]] = field(default_factory=set)


class World:
    """One run in one simulated deployment.

    Args:
        plan: the linked process; step tasks are simulated, nothing is executed.
        seed: everything that is drawn comes from it.
        items: how many items each fan-out has.
        hosts: how many hosts, each with `slots` slots.
        sites: the hosts are spread over so many sites.
    """

    def __init__(
        self,
        plan: Plan,
        seed: int,
        *,
        items: int = 20,
        hosts: int = 3,
        slots: int = 4,
        sites: int = 1,
        faults: Faults | None = None,
        slice_tokens: int = 0,
    ) -> None:
        self.plan = plan
        self.seed = seed
        self.items = items
        self.slots = slots
        self.sites = sites
        self.slice_tokens = slice_tokens
        self.faults = faults or Faults()
        self.random = random.Random(seed)  # noqa: S311  # a simulation, not a secret
        self.now_us = 0
        self.facts = Facts()
        self.log = MemoryLog(self.random.randbytes)
        self.machines: dict[str, Machine] = {}
        self.generation = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._ticket = 0
        self._inbox: list[Happening] = []
        self._spare: dict[str, cmd.Want] = {}
        self._stepping = False
        self._batch = 0
        for _ in range(hosts):
            self._new_machine()
        self._boot()

    # -- running ----------------------------------------------------------------------------

    def play(self) -> ev.RunClosed:
        """Open the run and let time pass until it is closed.

        Raises:
            InternalError: `world.stuck` when it does not close within an hour of virtual time.
        """
        opened = ev.RunOpened(RUN, "tenant", self.plan.process, ZERO, ZERO, ZERO)
        self._post(opened)
        self.later(0, self._poll)
        while self._queue and self.now_us < LIMIT_US:
            thread = self.engine.threads.get(RUN)
            if thread is not None and thread.run.closed is not None and not self._inbox:
                return thread.run.closed
            self.now_us, _, act = heapq.heappop(self._queue)
            act()
        raise InternalError("world.stuck", f"seed {self.seed}: the run did not close")

    def later(self, delay_us: int, act: Callable[[], None]) -> None:
        """Do something after a delay of virtual time."""
        self._ticket += 1
        heapq.heappush(self._queue, (self.now_us + delay_us, self._ticket, act))

    def chance(self, per_mille: int) -> bool:
        """Draw once."""
        return per_mille > 0 and self.random.randrange(1000) < per_mille

    # -- the coordinator --------------------------------------------------------------------

    def _boot(self) -> None:
        self.incarnation = getattr(self, "incarnation", 0) + 1
        epoch = self.log.acquire_epoch(f"coordinator-{self.incarnation}")
        self.engine = Engine(self.log, epoch, lambda _: self.plan)
        self.pool = Pool()
        self._inbox.clear()
        self._spare.clear()
        for machine in self.machines.values():
            if machine.alive:
                machine.heard_us = self.now_us
                self.pool.join(machine.name, self._site(machine.name), machine.host.slots)
        for dead in [name for name, machine in self.machines.items() if not machine.alive]:
            del self.machines[dead]
            self._new_machine()
        if self.log.logs("run"):
            self._recover()

    def _recover(self) -> None:
        commands = self.engine.recover([RUN])
        run = self.engine.threads[RUN].run
        for name in {flight.host for s in run.swarms.values() for flight in s.flights.values()}:
            if name not in self.pool.seats:
                self._post(ev.HostLost(name, "unknown"))
        for _, command in commands:
            self._perform(command)

    def _crash(self) -> None:
        self.facts.crashes += 1
        self.log = self.log.reopen()
        self._boot()
        if not self.log.logs("run"):
            opened = ev.RunOpened(RUN, "tenant", self.plan.process, ZERO, ZERO, ZERO)
            self._post(opened)

    def _post(self, event: ev.Event) -> None:
        self._inbox.append(Happening(RUN, event))
        if not self._stepping:
            self._stepping = True
            self.later(1, self._step)

    def _step(self) -> None:
        self._stepping = False
        batch, self._inbox = self._inbox, []
        if not batch:
            return
        batch = [one for one in batch if self._current(one.event)]
        if not batch:
            return
        after_sync = self._arm()
        try:
            commands = self.engine.step(batch, self.now_us)
        except SimulatedCrash:
            if after_sync:
                self._note(batch)
            self._crash()
            return
        except SwarmError:
            self._inbox = batch + self._inbox
            self._stepping = True
            self.later(POLL_US, self._step)
            return
        self._note(batch)
        for _, command in commands:
            self._perform(command)

    def _arm(self) -> bool:
        if self.chance(self.faults.crash_coordinator):
            after_sync = not self.chance(self.faults.lose_unsynced)
            self.log.arm("crash_after_sync" if after_sync else "crash_before_sync")
            return after_sync
        if self.chance(self.faults.write_error):
            self.log.arm("write_error")
        return False

    def _current(self, event: ev.Event) -> bool:
        return isinstance(event, ev.RunOpened) or RUN in self.engine.threads

    def _note(self, batch: list[Happening]) -> None:
        for happening in batch:
            event = happening.event
            if isinstance(event, ev.Dispatched):
                self.pool.logged(event.swarm, event.host, len(event.items))
                again = [item for item in event.items if (event.swarm, item) in self.facts.settled_ok]
                if again:
                    raise InternalError(
                        "world.repeated", f"seed {self.seed}: items {again} ran again"
                    )
            if isinstance(event, ev.Settled):
                for row in event.rows:
                    if row.status == "ok":
                        self.facts.settled_ok.add((event.swarm, row.item))

    def _perform(self, command: cmd.Command) -> None:
        incarnation = self.incarnation
        answer = self._answer(command)
        if answer is not None:
            delay_us, event = answer
            self.later(delay_us, lambda: self._answered(incarnation, event))
            return
        match command:
            case cmd.Want():
                self._want(command)
            case cmd.Send():
                self._send(command)
            case cmd.Withdraw():
                keys = [
                    (RUN, command.swarm, item, attempt)
                    for item, attempt in zip(command.items, command.attempts, strict=True)
                ]
                self._to_host(command.host, lambda m: self._kill(m, m.host.withdraw(keys)))
            case _:
                raise InternalError("world.command", f"nobody performs {command}")

    def _answered(self, incarnation: int, event: ev.Event) -> None:
        if incarnation == self.incarnation:
            self._post(event)

    def _answer(self, command: cmd.Command) -> tuple[int, ev.Event] | None:
        quick = self.random.randrange(100, 5_000)
        match command:
            case cmd.Prepare():
                items = self.items if command.kind == "fan_out" else 1
                name = f"swarm-{command.round}"
                return quick, ev.SwarmOpened(
                    name, command.kind, command.step, command.round, items, ZERO, ZERO,
                    self.slice_tokens,
                )
            case cmd.Place():
                return quick, ev.Placed(command.swarm, ZERO, ((command.items, ""),))
            case cmd.Converge():
                return quick, ev.Converged(command.swarm, ZERO, ZERO)
            case cmd.SetTimer():
                return max(0, command.at_us - self.now_us), ev.TimerFired(command.key)
            case cmd.Ask():
                choice = self.random.choice(command.choices)
                return quick * 100, ev.Decided(command.question, choice, "person", ZERO)
            case cmd.Propose():
                return quick, ev.EffectSettled(command.step, command.key, "done", ZERO)
            case cmd.Close():
                status = ev.RunClosed(command.status, command.output, command.code)  # type: ignore[arg-type]  # a word of the same set
                return quick, status
            case _:
                return None

    def _want(self, want: cmd.Want) -> None:
        swarm = self.engine.threads[RUN].run.swarms[want.swarm]
        self.pool.observe(want.swarm, swarm.held, swarm.lanes)
        choices = self.pool.choose(want.swarm, want.concurrency, want.items, want.attempts)
        taken: set[int] = set()
        for choice in choices:
            taken.update(choice.items)
            self._batch = max(self._batch, swarm.last_batch) + 1
            self._post(
                ev.Dispatched(
                    want.swarm, self._batch, choice.host, choice.lanes, choice.items,
                    choice.attempts,
                )
            )
        left = [
            (item, attempt)
            for item, attempt in zip(want.items, want.attempts, strict=True)
            if item not in taken
        ]
        if left:
            before = self._spare.get(want.swarm)
            items = tuple(item for item, _ in left)
            attempts = tuple(attempt for _, attempt in left)
            if before is not None:
                items, attempts = before.items + items, before.attempts + attempts
            self._spare[want.swarm] = cmd.Want(want.swarm, want.concurrency, items, attempts)

    def _send(self, send: cmd.Send) -> None:
        if send.host not in self.pool.seats:
            self._post(ev.HostLost(send.host, "unknown"))
            return
        order = Order(
            RUN, send.swarm, send.batch, self.engine.epoch, send.lanes, send.items, send.attempts
        )
        self._to_host(send.host, lambda machine: self._deliver(machine, order))

    # -- transport --------------------------------------------------------------------------

    def _to_host(self, name: str, act: Callable[[Machine], None]) -> None:
        machine = self.machines.get(name)
        if machine is None:
            return
        epoch = self.engine.epoch
        for delay_us in self._delays():
            self.later(delay_us, lambda: self._arrive(machine, epoch, act))

    def _arrive(self, machine: Machine, epoch: int, act: Callable[[Machine], None]) -> None:
        if not machine.alive or self.now_us < machine.cut_until_us:
            return
        try:
            machine.host.lead(epoch, self.now_us)
        except IntegrityError:
            return
        act(machine)

    def _delays(self) -> list[int]:
        if self.chance(self.faults.lose_message):
            return []
        delay = self.random.randrange(100, LATENCY_US)
        if self.chance(self.faults.slow_message):
            delay *= 100
        return [delay, delay * 3] if self.chance(self.faults.duplicate_message) else [delay]

    def _deliver(self, machine: Machine, order: Order) -> None:
        try:
            starts = machine.host.accept(order)
        except Busy:
            self.later(POLL_US, lambda: self._deliver(machine, order))
            return
        self._begin(machine, starts)

    def _poll(self) -> None:
        """The coordinator's heartbeat: call every host, resend what may have been lost."""
        self.later(POLL_US, self._poll)
        self._disasters()
        incarnation = self.incarnation
        for machine in list(self.machines.values()):
            if machine.name not in self.pool.seats:
                continue
            self._to_host(machine.name, lambda m: self._report(m, incarnation))
            if self.now_us - machine.heard_us > SILENCE_US:
                self._lose(machine.name)
        run = self.engine.threads.get(RUN)
        if run is not None and run.run.state is not RunState.CLOSED:
            for command in run.run.outstanding():
                if isinstance(command, cmd.Send | cmd.Withdraw):
                    self._perform(command)

    def _report(self, machine: Machine, incarnation: int) -> None:
        owed = machine.host.owed()
        for delay_us in self._delays():
            self.later(delay_us, lambda: self._reported(machine, incarnation, owed))

    def _reported(self, machine: Machine, incarnation: int, owed: list[Outcome]) -> None:
        if incarnation != self.incarnation or self.now_us < machine.cut_until_us:
            return
        machine.heard_us = self.now_us
        if machine.name not in self.pool.seats:
            return
        thread = self.engine.threads.get(RUN)
        for outcome in owed:
            if thread is not None:
                self._post(
                    ev.Settled(
                        outcome.swarm, outcome.batch, machine.name, outcome.rows, outcome.sequence
                    )
                )
        if owed:
            self.later(2, lambda: self._acknowledge(machine, incarnation, owed))
        for want in list(self._spare.values()):
            del self._spare[want.swarm]
            self._want(want)

    def _acknowledge(self, machine: Machine, incarnation: int, owed: list[Outcome]) -> None:
        if incarnation != self.incarnation:
            return
        done = [outcome.sequence for outcome in owed]
        self._to_host(machine.name, lambda m: m.host.acknowledge(done))

    # -- hosts ------------------------------------------------------------------------------

    def _site(self, name: str) -> str:
        return f"site-{int(name.rsplit('-', 1)[1]) % self.sites}"

    def _new_machine(self) -> None:
        self.generation += 1
        name = f"host-{self.generation}"
        host = Host(self.slots, 10_000, LEASE_US)
        self.machines[name] = Machine(name, host, heard_us=self.now_us)
        if hasattr(self, "pool"):
            self.pool.join(name, self._site(name), self.slots)

    def _lose(self, name: str) -> None:
        self.pool.lose(name)
        self._post(ev.HostLost(name, "silent"))
        self._new_machine()

    def _disasters(self) -> None:
        for machine in list(self.machines.values()):
            if machine.alive and self.chance(self.faults.crash_host):
                machine.alive = False
            if machine.alive and self.chance(self.faults.partition_host):
                machine.cut_until_us = self.now_us + self.random.randrange(3_000_000)
            if machine.alive and machine.host.expired(self.now_us):
                machine.alive = False
                machine.running.clear()

    def _begin(self, machine: Machine, starts: list[Start]) -> None:
        for start in starts:
            self.facts.begun += 1
            machine.running[start.key] = start.batch
            duration = self.random.randrange(1_000, 200_000)
            if self.chance(self.faults.hang):
                duration = 30_000_000
            row = self._fate(start.key, duration)
            self.later(duration, lambda key=start.key, row=row: self._end(machine, key, row))  # type: ignore[misc]  # bound defaults
        self._count()

    def _fate(self, key: tuple[str, str, int, int], duration_us: int) -> ev.Row:
        item, attempt = key[2], key[3]
        tokens = self.random.randrange(self.slice_tokens + 1)
        odds = self.faults
        for status, per_mille in (
            ("transient", odds.transient),
            ("rate_limited", odds.rate_limited),
            ("input", odds.bad_input),
            ("structural", odds.structural),
        ):
            if self.chance(per_mille):
                code = f"world.{status}"
                return ev.Row(
                    item, attempt, status, code=code, tokens=tokens, duration_us=duration_us  # type: ignore[arg-type]  # words of the same set
                )
        label = self.random.choice(("yes", "no", "proceed"))
        return ev.Row(
            item, attempt, "ok", ZERO, label, 600_000, tokens=tokens, duration_us=duration_us
        )

    def _end(self, machine: Machine, key: tuple[str, str, int, int], row: ev.Row) -> None:
        if not machine.alive or key not in machine.running:
            return
        del machine.running[key]
        self.facts.tokens += row.tokens
        self._begin(machine, machine.host.finished(key, row))

    def _kill(self, machine: Machine, kills: list[Kill]) -> None:
        for kill in kills:
            row = ev.Row(kill.key[2], kill.key[3], "cancelled", code="attempt.withdrawn")
            self._end(machine, kill.key, row)

    def _count(self) -> None:
        leases: dict[str, int] = {}
        for machine in self.machines.values():
            if machine.alive and machine.name in self.pool.seats:
                for key in machine.running:
                    leases[key[1]] = leases.get(key[1], 0) + 1
        self.facts.widest = max(self.facts.widest, *leases.values(), 0)
