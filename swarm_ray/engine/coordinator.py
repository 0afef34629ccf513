"""The coordinator's shell: feeds events to the engine and has its commands performed.

Decides nothing that a run's log could tell. One event loop, one engine; a command is performed only
after its event is durable.
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
from swarm_ray.engine.alarms import Alarms
from swarm_ray.engine.bundles import BundleShelf, Loaded
from swarm_ray.engine.dispatching import Dispatcher
from swarm_ray.engine.key_files import KeyRing
from swarm_ray.engine.loop import Engine, Happening, unknown_run
from swarm_ray.engine.performing import Performer
from swarm_ray.engine.questions import Questions
from swarm_ray.engine.values import RunValues
from swarm_ray.engine.vigil import Vigil
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.ports.clock import Clock
from swarm_ray.ports.hosts import Hosts
from swarm_ray.ports.log import Body, Ledger
from swarm_ray.ports.solver import Solver
from swarm_ray.ports.supervisor import Supervisor

LOGGER = logging.getLogger("swarm_ray.coordinator")
STEP_EVENTS = 512
POSTED_LOOK_S = 0.5


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
        self._inbox: list[tuple[Happening, Callable[[], None] | None]] = []
        self._wake = asyncio.Event()
        self._moved: dict[str, asyncio.Event] = {}
        self.alarms = Alarms(clock)
        self.questions = Questions(self)
        self._performer = Performer(self, solver, supervisor)
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
            self._performer.perform(run, command)

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
        self.alarms.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.dispatcher.judging.close()

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
            self._performer.perform(run, command)
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
        self.alarms.forget(run)
        self.questions.forget(run)
        self.engine.drop(run)
