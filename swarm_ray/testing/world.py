"""A whole deployment in one thread and virtual time, from one seed.

Replaces transport, clock, process spawn and disk; runs the real codec, log, engine, run, pool
and host machines. Messages are lost, doubled and late, hosts die or are cut off, the coordinator
crashes after any append, loses what was not synced, or goes on beside its successor. Every
failure names its seed.
"""

import heapq
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.core.plan import Plan
from swarm_ray.core.run import Run
from swarm_ray.engine.history import read_entry, replay
from swarm_ray.engine.loop import Happening
from swarm_ray.errors import InternalError
from swarm_ray.testing.faults import Faults
from swarm_ray.testing.machines import ZERO, Ledgers, Machine
from swarm_ray.testing.memory_log import MemoryLog
from swarm_ray.testing.office import RUN, Office

LATENCY_US = 2_000
LATE_US = 120_000_000
LIMIT_US = 3_600_000_000
MOST_HOSTS = 12


@dataclass(slots=True)
class Facts(Ledgers):
    """What the world saw besides: offices opened, calls that hosts refused to older ones, items
    with a durable result, and items that were dispatched although they had one; the same of
    copies, each for itself.
    """

    offices: int = 0
    refused: int = 0
    settled_ok: dict[str, set[int]] = field(default_factory=dict)
    settled_copies: set[tuple[str, int, int]] = field(default_factory=set)
    repeats: list[tuple[str, int]] = field(default_factory=list)


class World:
    """One run in one simulated deployment.

    Args:
        plan: the linked process; step tasks are simulated, nothing is executed.
        seed: everything that is drawn comes from it.
        items: how many items each fan-out has.
        hosts: how many hosts, each with `slots` slots.
        sites: the hosts are spread over so many sites.
        faults: what goes wrong, and how often.
        slice_tokens: what one attempt reserves and at most spends.
        resumes: how often somebody resumes the run when it did not end well.
        liars: the sites whose hosts lie; None where there is no right answer.
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
        resumes: int = 0,
        liars: Collection[str] | None = None,
    ) -> None:
        self.plan = plan
        self.liars = liars
        self.seed = seed
        self.items = items
        self.slots = slots
        self.sites = sites
        self.slice_tokens = slice_tokens
        self.resumes = resumes
        self.faults = faults or Faults()
        self.random = random.Random(seed)  # noqa: S311  # a simulation, not a secret
        self.now_us = 0
        self.facts = Facts()
        self.log = MemoryLog(self.random.randbytes)
        self.machines: dict[str, Machine] = {}
        self._generation = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._ticket = 0
        self._reopened: ev.RunClosed | None = None
        for _ in range(hosts):
            self._new_machine(slots)
        self._open_office()

    # -- running ----------------------------------------------------------------------------

    def play(self) -> ev.RunClosed:
        """Open the run and let time pass until it is closed for good.

        Raises:
            InternalError: `world.stuck` when it does not close within an hour of virtual time.
        """
        while self._queue and self.now_us < LIMIT_US:
            run = self.office.run
            closed = run.closed if run is not None else None
            if closed is not None and not self._reopen(closed):
                return closed
            self.now_us, _, act = heapq.heappop(self._queue)
            act()
        raise InternalError("world.stuck", f"seed {self.seed}: the run did not close")

    def _reopen(self, closed: ev.RunClosed) -> bool:
        """Resume a run that did not end well, once per end; False when nobody does."""
        if closed is not self._reopened:
            if closed.status == "done" or not self.resumes:
                return False
            self.resumes -= 1
            self._reopened = closed
            self.office.post(ev.RunResumed("person"))
        return True

    def check(self) -> None:
        """Compare what happened with what must hold in every world.

        Raises:
            InternalError: `world.broken` naming the seed and the promise.
            IntegrityError: the log is not what was written, or replays to another run.
        """
        self.log.check(RUN)
        thread = self.office.engine.threads[RUN]
        again = replay(self.log.entries(RUN), lambda _: self.plan)
        promises = {
            "a replay gives another run": again.run == thread.run,
            "a replay gives other commands": again.digest == thread.digest,
            "a settled item was dispatched again": not self.facts.repeats,
            "an attempt began twice": not self.facts.repeated,
            "more ran at once than allowed": self._narrow(thread.run),
            "a budget was overshot": self._within_budgets(thread.run),
            "a sandbox is described twice, or too late": self._described(),
            "a closed run holds budget": thread.run.purse.held_tokens == 0,
        }
        broken = [promise for promise, kept in promises.items() if not kept]
        if broken:
            raise InternalError("world.broken", f"seed {self.seed}: {'; '.join(broken)}")

    def _narrow(self, run: Run) -> bool:
        return all(
            most <= run.swarms[swarm].spec.concurrency for swarm, most in self.facts.widest.items()
        )

    def _within_budgets(self, run: Run) -> bool:
        limits = [(self.plan.budget.tokens, sum(self.facts.tokens.values()))]
        limits += [
            (run.swarms[swarm].spec.budget.tokens, tokens)
            for swarm, tokens in self.facts.tokens.items()
        ]
        return all(not limit or spent <= limit for limit, spent in limits)

    def _described(self) -> bool:
        """Say whether every sandbox is described once, before the first results that name it."""
        known: list[str] = []
        for entry in self.log.entries(RUN):
            match read_entry(entry)[0]:
                case ev.SandboxSeen(digest=digest):
                    known.append(digest)
                case ev.Settled(sandbox=sandbox) if sandbox not in known:
                    return False
                case _:
                    pass
        return len(known) == len(set(known))

    def later(self, delay_us: int, act: Callable[[], None]) -> None:
        """Do something after a delay of virtual time."""
        self._ticket += 1
        heapq.heappush(self._queue, (self.now_us + delay_us, self._ticket, act))

    def chance(self, per_mille: int) -> bool:
        """Draw once."""
        return per_mille > 0 and self.random.randrange(1000) < per_mille

    def send(self, act: Callable[[], None]) -> None:
        """Carry one message: it may be lost, late, or arrive twice."""
        if self.chance(self.faults.lose_message):
            return
        delay_us = self.random.randrange(100, LATENCY_US)
        if self.chance(self.faults.slow_message):
            delay_us *= 100
        self.later(delay_us, act)
        if self.chance(self.faults.duplicate_message):
            self.later(delay_us * 3, act)

    # -- offices ----------------------------------------------------------------------------

    def _open_office(self) -> None:
        for dead in [name for name, machine in self.machines.items() if not machine.alive]:
            self._new_machine(self.slots, self.machines.pop(dead).site)
        self.facts.offices += 1
        self.office = Office(self, self.log, self.facts.offices)
        self.office.start()

    def replace(self, gone: Office) -> None:
        """A coordinator crashed; if it was the acting one, start the next."""
        if gone is self.office:
            self.log = self.log.reopen()
            self._open_office()

    def arm(self, log: MemoryLog) -> bool:
        """Let the coming commit fail if the seed says so; True when it crashes after the sync."""
        if self.chance(self.faults.crash_coordinator):
            synced = not self.chance(self.faults.lose_unsynced)
            log.arm("crash_after_sync" if synced else "crash_before_sync")
            return synced
        if self.chance(self.faults.write_error):
            log.arm("write_error")
        return False

    def note(self, batch: list[Happening]) -> None:
        """Events became durable."""
        for happening in batch:
            event = happening.event
            if isinstance(event, ev.Dispatched):
                self.facts.repeats += self._repeated(event)
            if isinstance(event, ev.Settled):
                done = self.facts.settled_ok.setdefault(event.swarm, set())
                done.update(row.item for row in event.rows if row.status == "ok")
                self.facts.settled_copies.update(
                    (event.swarm, row.item, row.attempt) for row in event.rows
                )

    def _repeated(self, event: ev.Dispatched) -> list[tuple[str, int]]:
        if not event.domain:
            done = self.facts.settled_ok.get(event.swarm, set())
            return [(event.swarm, item) for item in event.items if item in done]
        return [
            (event.swarm, item)
            for item, attempt in zip(event.items, event.attempts, strict=True)
            if (event.swarm, item, attempt) in self.facts.settled_copies
        ]

    # -- answers ----------------------------------------------------------------------------

    def answer(self, command: cmd.Command) -> tuple[int, ev.Event] | None:
        """Return the event that answers a command and after how long; None for host calls."""
        quick = self.random.randrange(100, 5_000)
        match command:
            case cmd.Prepare():
                return quick, self._prepared(command)
            case cmd.Place():
                return quick, ev.Placed(command.swarm, ZERO, ((command.items, ""),))
            case cmd.Converge():
                if self.chance(self.faults.refuse_convergence):
                    return quick, ev.ConvergeRefused(command.swarm, "world.gate")
                return quick, ev.Converged(command.swarm, ZERO, ZERO)
            case cmd.SetTimer():
                return max(0, command.at_us - self.now_us), ev.TimerFired(command.key)
            case cmd.Ask():
                return self._decided(command, quick * 100)
            case cmd.Propose():
                failed = self.chance(self.faults.refuse_effect)
                status = "failed" if failed else "done"
                return quick, ev.EffectSettled(command.step, command.key, status, ZERO)  # type: ignore[arg-type]  # words of the same set
            case cmd.Close():
                return quick, ev.RunClosed(command.status, command.output, command.code)  # type: ignore[arg-type]  # words of the same set
            case cmd.Want() | cmd.Send() | cmd.Withdraw():
                return None

    def _prepared(self, command: cmd.Prepare) -> ev.Event:
        if self.chance(self.faults.refuse_step):
            return ev.StepRefused(command.step, command.round, "world.refused", kind=command.kind)
        items = self.items if command.kind == "fan_out" else 1
        return ev.SwarmOpened(
            f"swarm-{command.round}",
            command.kind,
            command.step,
            command.round,
            items,
            ZERO,
            ZERO,
            self.slice_tokens,
            domains=self.sites if self.liars is not None else 0,
        )

    def _decided(self, ask: cmd.Ask, delay_us: int) -> tuple[int, ev.Event]:
        if ask.until_us and self.chance(500):
            wait_us = max(0, ask.until_us - self.now_us)
            return wait_us, ev.Decided(ask.question, ask.default, "default", ZERO)
        choice = self.random.choice(ask.choices)
        return delay_us, ev.Decided(ask.question, choice, "person", ZERO)

    # -- hosts ------------------------------------------------------------------------------

    def given_up(self, office: Office, name: str) -> None:
        """A coordinator gave a host up; the acting one gets another in its place."""
        if office is self.office:
            machine = self.machines.pop(name)
            machine.give_up()
            late_us = self.random.randrange(LATE_US) if self.chance(self.faults.late_host) else 0
            if late_us:
                self.later(late_us, lambda: self._succeed(machine.site))
            else:
                office.join(self._new_machine(self.slots, machine.site))

    def _succeed(self, site: str) -> None:
        self.office.join(self._new_machine(self.slots, site))

    def _new_machine(self, slots: int, site: str = "") -> Machine:
        self._generation += 1
        name = f"host-{self._generation}"
        site = site or f"site-{self._generation % self.sites}"
        self.machines[name] = Machine(
            name,
            site,
            slots,
            self.random,
            self.faults,
            self.slice_tokens,
            self.later,
            self.facts,
            lies=None if self.liars is None else site in self.liars,
        )
        return self.machines[name]

    def disasters(self) -> None:
        """Draw what breaks in this heartbeat."""
        if self.chance(self.faults.rival_coordinator):
            self.log = self.log.reopen()
            self._open_office()
        if len(self.machines) < MOST_HOSTS and self.chance(self.faults.new_host):
            self.office.join(self._new_machine(self.random.randrange(1, 2 * self.slots + 1)))
        for machine in list(self.machines.values()):
            if machine.alive and self.chance(self.faults.crash_host):
                machine.die()
            if machine.alive and self.chance(self.faults.partition_host):
                machine.cut_until_us = self.now_us + self.random.randrange(3_000_000)
            if machine.alive and machine.host.expired(self.now_us):
                machine.die()
        run = self.office.run
        if run is not None and run.main and self.chance(self.faults.cancel_item):
            item = self.random.randrange(self.items)
            self.office.post(ev.CancelAsked("person", run.main, item))
        if run is not None and self.chance(self.faults.cancel_run):
            self.office.post(ev.CancelAsked("person"))
