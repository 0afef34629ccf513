"""The coordinator's shell: feeds events to the engine and performs its commands over ports.

Decides nothing that a run's log could tell: it turns commands into calls and answers into
events. One event loop, one engine; a command is performed only after its event is durable.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from swarm_ray.config import Settings
from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.core.run import Run
from swarm_ray.core.tables import RunState
from swarm_ray.engine.admin import AdminLog
from swarm_ray.engine.bundles import BundleShelf, Loaded
from swarm_ray.engine.converging import converge
from swarm_ray.engine.copying import lacks_domains, rule_of
from swarm_ray.engine.desk import Desk
from swarm_ray.engine.dispatching import Dispatcher
from swarm_ray.engine.key_files import KeyRing
from swarm_ray.engine.loop import Engine, Happening, unknown_run
from swarm_ray.engine.preparing import Prepared, prepare
from swarm_ray.engine.proposing import proposal_of
from swarm_ray.engine.values import RunValues
from swarm_ray.engine.vigil import Vigil
from swarm_ray.errors import IntegrityError, StorageError, SwarmError, UsageError
from swarm_ray.ports.clock import Clock
from swarm_ray.ports.hosts import Hosts
from swarm_ray.ports.log import Body, Ledger
from swarm_ray.ports.solver import Solver
from swarm_ray.ports.supervisor import Supervisor
from swarm_ray.values.codec import encode_json

LOGGER = logging.getLogger("swarm_ray.coordinator")
STEP_EVENTS = 512
POSTED_LOOK_S = 0.5
DOMAIN_LOOK_S, DOMAIN_LOOKS = 0.25, 40
"""Hosts of enough trust domains for copies are waited for so long and so often, ten seconds."""


class Coordinator:
    """All runs of one tenant.

    Args:
        ledger: logs and bodies; its epoch is acquired here.
        hosts: transport to the hosts.
        solver: places swarms.
        supervisor: grants and executes effects.
        clock: time and chance.
        ring: keys; they sign dispatches, certificates and the index log.
        shelf: bundles.
        settings: of the tenant.
        name: owner of the epoch.
    """

    def __init__(
        self,
        ledger: Ledger,
        hosts: Hosts,
        solver: Solver,
        supervisor: Supervisor,
        clock: Clock,
        ring: KeyRing,
        shelf: BundleShelf,
        settings: Settings,
        name: str,
    ) -> None:
        self.settings = settings
        self.ledger = ledger
        self.clock = clock
        self.shelf = shelf
        self.epoch = ledger.acquire_epoch(name)
        self.engine = Engine(ledger, self.epoch, shelf.plan_of)
        self.questions: dict[tuple[str, str], cmd.Ask] = {}
        self._solver = solver
        self._supervisor = supervisor
        self._inbox: list[tuple[Happening, Callable[[], None] | None]] = []
        self._wake = asyncio.Event()
        self._moved: dict[str, asyncio.Event] = {}
        self._timers: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.failure: BaseException | None = None
        self.refused: dict[str, IntegrityError | UsageError] = {}
        self.admin = AdminLog(ledger, self.epoch, clock, ring)
        self.dispatcher = Dispatcher(self, hosts, ring.coordinator_key)
        self.vigil = Vigil(ledger, self.epoch, clock, self.admin, settings, self.dispatcher.lose)

    # -- life -------------------------------------------------------------------------------

    async def start(self) -> None:
        """Recover every open run from its log and go on; `refused` says which cannot be."""
        await self.dispatcher.hosts.adopt()
        self.vigil.begin()
        open_runs = [head.log_id for head in self.ledger.logs("run") if head.state == "open"]
        commands = [found for run in open_runs for found in self._recover(run)]
        self.spawn(self._pump())
        self.spawn(self.vigil.watch())
        self.dispatcher.start()
        for run, command in commands:
            self._perform(run, command)

    def _recover(self, run: str) -> list[tuple[str, cmd.Command]]:
        """Recover one run. A log that cannot be trusted, or a bundle that is gone, stops this run,
        not the others."""
        try:
            commands = self.engine.recover([run])
        except (IntegrityError, UsageError) as error:
            LOGGER.exception("run %s is not recovered", run)
            self.refused[run] = error
            return []
        self.dispatcher.restore(run)
        return commands

    async def stop(self) -> None:
        """Stop without touching any run; a new coordinator goes on from the log."""
        if self.failure is None:
            self.engine.rest(leaving=True)
            await self.vigil.end()
        for handle in self._timers.values():
            handle.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.dispatcher.equivalence.close()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the loop; its failure stops the coordinator visibly."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            LOGGER.error("coordinator stopped", exc_info=error)
            self.failure = self.failure or error
            self._wake.set()
            for moved in self._moved.values():
                moved.set()

    # -- what people and clients ask --------------------------------------------------------

    def reopen(self, run: str) -> None:
        """Load a closed run from its log, so that it can be resumed.

        Raises:
            UsageError: `resume.ended_well` when there is nothing to resume.
        """
        self.engine.recover([run])
        closed = self.thread_of(run).closed
        if closed is None or closed.status == "done":
            self.engine.drop(run)
            raise UsageError(
                "resume.ended_well",
                f"run {run} is done; nothing is left to do",
                hint="start a new run to do it again",
            )
        self.dispatcher.restore(run)

    def thread_of(self, run: str) -> Run:
        """Return the machine of an open run.

        Raises:
            UsageError: `engine.unknown_run`.
            IntegrityError: why its log was refused; UsageError when its bundle is gone.
        """
        self.trust(run)
        thread = self.engine.threads.get(run)
        if thread is None:
            raise unknown_run(run)
        return thread.run

    def trust(self, run: str) -> None:
        """Raise the error for which a run was refused, if it was."""
        if run in self.refused:
            raise self.refused[run]

    def values_of(self, run: str) -> RunValues:
        """Return the bodies of a run by name."""
        return RunValues(run, lambda: self.engine.threads[run].run, self.ledger)

    def loaded(self, run: str) -> Loaded:
        """Return the bundle of a run."""
        opened = self.thread_of(run).opened
        assert opened is not None
        return self.shelf.get(opened.bundle)

    def decision(self, run: str, question: str, choice: str, by: str, reason: str) -> ev.Decided:
        """Return the event that answers a question.

        Raises:
            UsageError: `decide.unknown_question`, `decide.unknown_choice`.
        """
        asked = self.questions.get((run, question))
        if asked is None or question not in self.thread_of(run).questions:
            open_keys = sorted(self.thread_of(run).questions)
            raise UsageError(
                "decide.unknown_question",
                f"run {run} does not ask {question!r}",
                hint=f"it asks: {', '.join(open_keys)}" if open_keys else "nothing is asked now",
            )
        if choice not in asked.choices:
            raise UsageError(
                "decide.unknown_choice",
                f"{choice!r} is not a choice",
                hint=f"choose one of: {', '.join(asked.choices)}",
            )
        values = self.values_of(run)
        outcome = values.put("choice", encode_json(choice), "output")
        words = values.put("reason", reason.encode(), "reason") if reason else ""
        return ev.Decided(question, choice, by, outcome, words)

    async def posted(self, run: str, event: ev.Event) -> None:
        """Post an event and wait until it is durable.

        Raises:
            BaseException: what stopped the coordinator before that.
        """
        durable = asyncio.Event()
        self.post(run, event, durable.set)
        while not durable.is_set():
            await self.moved(run, POSTED_LOOK_S)
            if self.failure is not None:
                raise self.failure

    async def moved(self, run: str, timeout_s: float) -> None:
        """Wait until something new of a run is durable, at most so long."""
        event = self._moved.setdefault(run, asyncio.Event())
        event.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return

    # -- the loop ---------------------------------------------------------------------------

    def post(self, run: str, event: ev.Event, after: Callable[[], None] | None = None) -> None:
        """Queue an event; `after` is called when it is durable, or nobody wants it any more."""
        self._inbox.append((Happening(run, event), after))
        self._wake.set()

    def post_with_bodies(
        self, run: str, event: ev.Event, bodies: tuple[Body, ...], after: Callable[[], None]
    ) -> None:
        """Queue an event with the bodies that must be durable with it."""
        owned = tuple(replace(body, run=run) for body in bodies)
        self._inbox.append((Happening(run, event, owned), after))
        self._wake.set()

    async def _pump(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._inbox:
                batch, self._inbox = self._inbox[:STEP_EVENTS], self._inbox[STEP_EVENTS:]
                self._step(batch)
                await asyncio.sleep(0)
            self.engine.rest()

    def _wanted(self, happening: Happening) -> bool:
        return happening.run in self.engine.threads or isinstance(
            happening.event, ev.RunOpened | ev.RunResumed
        )

    def _step(self, batch: list[tuple[Happening, Callable[[], None] | None]]) -> None:
        wanted = [happening for happening, _ in batch if self._wanted(happening)]
        commands = self.engine.step(wanted, self.clock.now_us())
        for happening, after in batch:
            self.dispatcher.durable(happening.event)
            if after is not None:
                after()
        for run, command in commands:
            self._perform(run, command)
        for run in {happening.run for happening, _ in batch}:
            self._after(run)

    def _after(self, run: str) -> None:
        if run in self._moved:
            self._moved[run].set()
        thread = self.engine.threads.get(run)
        if thread is not None and thread.run.state is RunState.CLOSED:
            self._let_go(run)
            self._moved.pop(run, None)

    def _let_go(self, run: str) -> None:
        self.vigil.seal([run])
        self.dispatcher.forget(run)
        for key in [key for key in self._timers if key[0] == run]:
            self._timers.pop(key).cancel()
        for key in [key for key in self.questions if key[0] == run]:
            del self.questions[key]
        self.engine.drop(run)

    # -- commands ---------------------------------------------------------------------------

    def _perform(self, run: str, command: cmd.Command) -> None:
        match command:
            case cmd.Prepare():
                self._prepare(run, command)
            case cmd.Place():
                self._place(run, command)
            case cmd.Want():
                self.dispatcher.want(run, command)
            case cmd.Send():
                self.dispatcher.send(run, command)
            case cmd.Withdraw():
                self.dispatcher.withdraw(run, command)
            case cmd.Converge():
                self._converge(run, command)
            case cmd.SetTimer():
                self._set_timer(run, command.key, command.at_us)
            case cmd.Ask():
                self._ask(run, command)
            case cmd.Propose():
                self.spawn(self._propose(run, command))
            case cmd.Close():
                self.post(run, ev.RunClosed(command.status, command.output, command.code))  # type: ignore[arg-type]  # core uses the same words

    def _prepare(self, run: str, command: cmd.Prepare, looks: int = DOMAIN_LOOKS) -> None:
        if run not in self.engine.threads:
            return  # it was closed while hosts of other domains were waited for
        machine = self.thread_of(run)
        seats, values = self.dispatcher.seats, self.values_of(run)
        if looks and lacks_domains(rule_of(command, machine), seats):
            loop = asyncio.get_running_loop()
            loop.call_later(DOMAIN_LOOK_S, self._prepare, run, command, looks - 1)
            return
        found = prepare(command, machine, self.loaded(run), values, self.clock, seats)
        if isinstance(found, Prepared):
            task = self.loaded(run).tasks[str(found.context["task"])]
            assert machine.opened is not None
            desk = Desk(
                run, machine.opened.bundle, found.event, task, found.manifest, found.context
            )
            self.dispatcher.desks[found.event.swarm] = desk
            self.post(run, found.event)
        else:
            self.post(run, found)

    def _place(self, run: str, command: cmd.Place) -> None:
        sites = sorted({seat.site for seat in self.dispatcher.seats.values()})
        answer = self._solver.solve(command.items, sites, 0)
        body = encode_json({"assignments": answer.assignments, "solver": answer.solver})
        self.post(
            run,
            ev.Placed(
                command.swarm,
                self.values_of(run).put("placement", body, "context"),
                answer.assignments,
                answer.cost_microusd,
                answer.bound_microusd,
                answer.probability_ppm,
                answer.solver,
            ),
        )

    def _converge(self, run: str, command: cmd.Converge) -> None:
        swarm = self.thread_of(run).swarms[command.swarm]
        try:
            event: ev.Event = converge(command, swarm, self.values_of(run), self.clock.now_us())
        except StorageError:
            raise
        except SwarmError as error:
            detail = self.values_of(run).put("error", str(error).encode(), "error")
            event = ev.ConvergeRefused(command.swarm, error.code, detail)
        self.post(run, event)

    def _set_timer(self, run: str, key: str, at_us: int) -> None:
        before = self._timers.pop((run, key), None)
        if before is not None:
            before.cancel()
        delay_s = max(0, at_us - self.clock.now_us()) / 1e6
        loop = asyncio.get_running_loop()
        self._timers[run, key] = loop.call_later(delay_s, self._fire, run, key)

    def _fire(self, run: str, key: str) -> None:
        del self._timers[run, key]
        self.post(run, ev.TimerFired(key))

    def _ask(self, run: str, command: cmd.Ask) -> None:
        self.questions[run, command.question] = command
        if command.until_us:
            delay_s = max(0, command.until_us - self.clock.now_us()) / 1e6
            key = (run, f"question:{command.question}")
            if key in self._timers:
                self._timers.pop(key).cancel()
            loop = asyncio.get_running_loop()
            self._timers[key] = loop.call_later(delay_s, self._expire, run, command)

    def _expire(self, run: str, command: cmd.Ask) -> None:
        thread = self.engine.threads.get(run)
        if thread is not None and command.question in thread.run.questions:
            self.post(run, self.decision(run, command.question, command.default, "default", ""))

    async def _propose(self, run: str, command: cmd.Propose) -> None:
        values = self.values_of(run)
        try:
            proposal = proposal_of(command, self.thread_of(run), values)
        except SwarmError as error:
            failed = ev.EffectSettled(command.step, command.key, "failed", code=error.code)
            self.post(run, failed)
            return
        settled = await self._supervisor.settle(proposal)
        outcome = ""
        if settled.outcome is not None:
            outcome = values.put("outcome", encode_json(settled.outcome), "output")
        self.post(
            run,
            ev.EffectSettled(command.step, command.key, settled.status, outcome, settled.code),
        )
