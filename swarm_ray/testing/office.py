"""A simulated coordinator: the real engine, log and pool, with answers that only take time.

Decides nothing that the machines decide. It performs commands by posting the event that answers
them after a while, calls hosts over the world's lossy transport, repeats what was not answered,
and stops when the log or a host says that another one took over.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.core.apart import Apart, Copies
from swarm_ray.core.host import Key, Order, Outcome
from swarm_ray.core.pool import Pool
from swarm_ray.core.run import Run
from swarm_ray.core.swarm import Swarm
from swarm_ray.core.tables import RunState
from swarm_ray.engine.history import read_entry
from swarm_ray.engine.loop import Engine, Happening
from swarm_ray.engine.sandboxes import named_sandboxes, unseen
from swarm_ray.errors import Busy, IntegrityError, InternalError, SwarmError
from swarm_ray.testing.machines import ZERO, Machine
from swarm_ray.testing.memory_log import MemoryLog, SimulatedCrash

if TYPE_CHECKING:
    from swarm_ray.testing.world import World

RUN = "run-of-the-world"
STEP_US = 200
POLL_US = 50_000
REPEAT_US = 100_000
SILENCE_US = 1_000_000
TAIL_BYTES = 3_000
"""So little that the short runs of the world are recovered from snapshots as well."""


class Office:
    """One incarnation of the coordinator, over what the last one left in the log."""

    def __init__(self, world: "World", log: MemoryLog, number: int) -> None:
        self.world = world
        self.log = log
        self.open = True
        self.pool = Pool()
        epoch = log.acquire_epoch(f"office-{number}")
        self.engine = Engine(log, epoch, lambda _: world.plan, TAIL_BYTES)
        self._heard: dict[str, int] = {}
        self._durable: dict[str, list[int]] = {}
        self._given_up: set[str] = set()
        self._inbox: list[Happening] = []
        self._spare: dict[str, cmd.Want] = {}
        self._copies = Copies()
        self._described: set[str] = set()
        self._stepping = False
        self._batch = 0

    # -- life -------------------------------------------------------------------------------

    @property
    def run(self) -> Run | None:
        """The run, once it is open here."""
        thread = self.engine.threads.get(RUN)
        return thread.run if thread is not None else None

    def start(self) -> None:
        """Recover the run, or open it when the log has none; then watch the hosts."""
        commands = self._recover() if self.log.logs("run") else []
        for machine in list(self.world.machines.values()):
            self.join(machine)
        for _, command in commands:
            self._perform(command)
        self._lose_absent()
        if not self.log.logs("run"):
            self.post(ev.RunOpened(RUN, "tenant", self.world.plan.process, ZERO, ZERO, ZERO))
        self._assign()
        self._later(STEP_US, self._poll)

    def close(self) -> None:
        """Stop; nothing of this incarnation acts any more."""
        self.open = False

    def _recover(self) -> list[tuple[str, cmd.Command]]:
        commands = self.engine.recover([RUN])
        self._described = set(self.engine.threads[RUN].run.sandboxes)
        for entry in self.log.entries(RUN):
            event, _ = read_entry(entry)
            if isinstance(event, ev.HostLost):
                self._given_up.add(event.host)
        return commands

    def _lose_absent(self) -> None:
        run = self.run
        for swarm in run.swarms.values() if run else ():
            for name in swarm.held:
                if name not in self.pool.seats:
                    self.post(ev.HostLost(name, "unknown"))

    def join(self, machine: Machine) -> None:
        """A host came; one that was given up once is never spoken to again."""
        if machine.alive and machine.name not in self._given_up:
            self._heard[machine.name] = self.world.now_us
            self.pool.join(machine.name, machine.site, machine.slots)

    # -- the loop ---------------------------------------------------------------------------

    def post(self, event: ev.Event) -> None:
        """Queue an event for the next step."""
        self._inbox.append(Happening(RUN, event))
        if not self._stepping:
            self._stepping = True
            self._later(STEP_US, self._step)

    def _later(self, delay_us: int, act: Callable[[], None]) -> None:
        def once_open() -> None:
            if self.open:
                act()

        self.world.later(delay_us, once_open)

    def _step(self) -> None:
        self._stepping = False
        batch, self._inbox = self._inbox, []
        synced = self.world.arm(self.log)
        try:
            commands = self.engine.step(batch, self.world.now_us)
        except SimulatedCrash:
            if synced:
                self.world.note(batch)
            self._crash()
            return
        except SwarmError as error:
            self._refused(error, batch)
            return
        self.world.note(batch)
        for happening in batch:
            match happening.event:
                case ev.Dispatched(swarm=swarm, host=host, items=items) as event:
                    self.pool.logged(swarm, host, len(items))
                    self._copies.logged(event)
                case ev.Settled(host=host, sequence=sequence):
                    self._durable.setdefault(host, []).append(sequence)
                case _:
                    pass
        for _, command in commands:
            self._perform(command)
        self._assign()
        try:
            self.engine.rest()
        except SimulatedCrash:
            self._crash()

    def _crash(self) -> None:
        self.close()
        self.world.replace(self)

    def _refused(self, error: SwarmError, batch: list[Happening]) -> None:
        if error.code == "ledger.stale_epoch":
            self.close()
        elif error.code == "ledger.write_failed":
            self._inbox = batch + self._inbox
            self._stepping = True
            self._later(POLL_US, self._step)
        else:
            raise error

    # -- commands ---------------------------------------------------------------------------

    def _perform(self, command: cmd.Command) -> None:
        answer = self.world.answer(command)
        if answer is not None:
            delay_us, event = answer
            self._later(delay_us, lambda: self.post(event))
            return
        match command:
            case cmd.Want():
                self._want(command)
            case cmd.Send():
                self._send(command)
            case cmd.Withdraw():
                self._withdraw(command)
            case _:
                raise InternalError("world.command", f"nobody performs {command}")

    def _want(self, want: cmd.Want) -> None:
        before = self._spare.get(want.swarm)
        if before is not None:
            want = cmd.Want(
                want.swarm,
                want.concurrency,
                before.items + want.items,
                before.attempts + want.attempts,
            )
        self._spare[want.swarm] = want

    def _assign(self) -> None:
        """Find hosts for all that is wanted; what finds none stays wanted."""
        run = self.run
        for want in list(self._spare.values()) if run else []:
            assert run is not None
            del self._spare[want.swarm]
            swarm = run.swarms[want.swarm]
            self.pool.observe(want.swarm, swarm.held, swarm.lanes)
            apart = self._copies.apart(swarm, self._domains(), want.items)
            taken: set[tuple[int, int]] = set()
            for choice in self.pool.choose(
                want.swarm, want.concurrency, want.items, want.attempts, apart=apart
            ):
                taken.update(zip(choice.items, choice.attempts, strict=True))
                self._batch = max(self._batch, swarm.last_batch) + 1
                event = ev.Dispatched(
                    want.swarm,
                    self._batch,
                    choice.host,
                    choice.lanes,
                    choice.items,
                    choice.attempts,
                    domain=apart.domains[choice.host] if apart is not None else "",
                )
                self._copies.choose(event)
                self.post(event)
            if apart is not None:
                pairs = zip(want.items, want.attempts, strict=True)
                taken.update(pair for pair in pairs if not swarm.awaits(*pair))
                self._strand(want, swarm, apart, taken)
            self._keep(want, taken)

    def _strand(
        self, want: cmd.Want, swarm: Swarm, apart: Apart, taken: set[tuple[int, int]]
    ) -> None:
        """Report that items begin to wait for hosts that may take them, or do no longer."""
        pairs = zip(want.items, want.attempts, strict=True)
        items = apart.stranded([pair[0] for pair in pairs if pair not in taken])
        if bool(items) != bool(swarm.stranding.items) and not self._stepping:
            self.post(ev.Stranded(want.swarm, items, len(set(apart.domains.values()))))

    def _domains(self) -> dict[str, str]:
        """Return the organisation of every host: in the world, that is its site."""
        return {name: seat.site for name, seat in self.pool.seats.items()}

    def _keep(self, want: cmd.Want, taken: set[tuple[int, int]]) -> None:
        pairs = zip(want.items, want.attempts, strict=True)
        left = [pair for pair in pairs if pair not in taken]
        if left:
            items, attempts = zip(*left, strict=True)
            self._spare[want.swarm] = cmd.Want(want.swarm, want.concurrency, items, attempts)

    def _send(self, send: cmd.Send) -> None:
        order = Order(
            RUN, send.swarm, send.batch, self.engine.epoch, send.lanes, send.items, send.attempts
        )
        self._call(send.host, lambda machine: machine.accept(order))

    def _withdraw(self, command: cmd.Withdraw) -> None:
        pairs = zip(command.items, command.attempts, strict=True)
        keys: list[Key] = [(RUN, command.swarm, item, attempt) for item, attempt in pairs]
        self._call(command.host, lambda machine: machine.withdraw(keys))

    # -- hosts ------------------------------------------------------------------------------

    def _call(self, name: str, act: Callable[[Machine], None]) -> None:
        """Call a host until it answers or is given up."""
        if name not in self.pool.seats:
            self.post(ev.HostLost(name, "unknown"))
            return
        answered: list[bool] = []

        def again() -> None:
            if not answered and name in self.pool.seats:
                self._try(name, act, lambda _: answered.append(True))
                self._later(REPEAT_US, again)

        again()

    def _try(
        self,
        name: str,
        act: Callable[[Machine], list[Outcome] | None],
        answer: Callable[[list[Outcome]], None],
    ) -> None:
        machine = self.world.machines.get(name)
        if machine is None:
            return

        def arrive() -> None:
            if not machine.alive or self.world.now_us < machine.cut_until_us:
                return
            try:
                machine.host.lead(self.engine.epoch, self.world.now_us)
                result = act(machine) or []
            except IntegrityError:
                self.world.facts.refused += 1
                self.world.send(self.close)
                return
            except Busy:
                return
            self.world.send(lambda: self._answered(machine, lambda: answer(result)))

        self.world.send(arrive)

    def _answered(self, machine: Machine, act: Callable[[], None]) -> None:
        if self.open and self.world.now_us >= machine.cut_until_us:
            self._heard[machine.name] = self.world.now_us
            act()

    def _poll(self) -> None:
        self._later(POLL_US, self._poll)
        if self is self.world.office:
            self.world.disasters()
        if self.run is None or self.run.state is RunState.CLOSED:
            return
        for name in list(self.pool.seats):
            if self.world.now_us - self._heard[name] > SILENCE_US:
                self._lose(name)
            else:
                self._collect(name)
        self._assign()

    def _collect(self, name: str) -> None:
        settled = self._durable.pop(name, [])

        def report(machine: Machine) -> list[Outcome]:
            machine.host.acknowledge(settled)
            return machine.host.owed()

        self._try(name, report, lambda owed: self._reported(name, owed))

    def _reported(self, name: str, owed: list[Outcome]) -> None:
        if name not in self.pool.seats:
            return
        seen = (f'{{"site":"{self.pool.seats[name].site}"}}',)
        for outcome in owed:
            for event in unseen(self._described, seen):
                self.post(event)
            self.post(
                ev.Settled(
                    outcome.swarm,
                    outcome.batch,
                    name,
                    outcome.rows,
                    outcome.sequence,
                    sandbox=named_sandboxes(seen),
                )
            )

    def _lose(self, name: str) -> None:
        self.pool.lose(name)
        self._given_up.add(name)
        self.post(ev.HostLost(name, "silent"))
        self.world.given_up(self, name)
