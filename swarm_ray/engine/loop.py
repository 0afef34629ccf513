"""The engine: append events durably, let the runs decide, hand back what to do.

Decides nothing itself. `step` is synchronous: one group commit over all runs that had events,
then the commands. When the commit fails nothing was decided and the events may be stepped again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from swarm_ray.core.commands import Command
from swarm_ray.core.events import Event, RunClosed, RunOpened, RunResumed
from swarm_ray.core.plan import Plan
from swarm_ray.core.run import Run
from swarm_ray.core.tables import RunState
from swarm_ray.engine.history import Thread
from swarm_ray.engine.snapshots import TAIL_BYTES, Snapshots
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.ports.log import Append, Body, Log


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of a run with the small bodies that must be durable with its entry."""

    run: str
    event: Event
    bodies: tuple[Body, ...] = ()


def unknown_run(run: str) -> UsageError:
    """Return the error for a run that is not open."""
    return UsageError(
        "engine.unknown_run",
        f"no run {run} is open here",
        hint="list the runs with `swarm-ray runs`; a closed one is reopened by `swarm-ray resume`",
    )


class Engine:
    """All open runs of one coordinator over one log store.

    Args:
        log: where entries become durable.
        epoch: this coordinator's epoch; the log refuses an older one.
        plan_of: the plan that an opening entry names (plans travel in the bundle).
        tail_bytes: log behind a run's snapshot that makes the next one due.
    """

    def __init__(
        self,
        log: Log,
        epoch: int,
        plan_of: Callable[[RunOpened], Plan],
        tail_bytes: int = TAIL_BYTES,
    ) -> None:
        self.log = log
        self.epoch = epoch
        self._plan_of = plan_of
        self._snapshots = Snapshots(log, plan_of, tail_bytes)
        self.threads: dict[str, Thread] = {}

    def step(self, happenings: Sequence[Happening], now_us: int) -> list[tuple[str, Command]]:
        """Append and decide; returns (run, command) pairs in order.

        Durable on return. On an error nothing was appended and no run has moved. What a closed
        run would ignore is not appended.

        Raises:
            UsageError: `engine.unknown_run`, or `codec.*` for an event that cannot be an entry.
            IntegrityError: `ledger.stale_epoch` when another coordinator took over.
            StorageError: `ledger.write_failed`.
        """
        runs = dict.fromkeys(happening.run for happening in happenings)
        times = {run: self.threads[run].time_us for run in runs if run in self.threads}
        try:
            parts = self._parts(happenings)
            appends = [self._append(run, part, now_us) for run, part in parts.items()]
            if appends:
                self.log.commit(appends)
        except BaseException:
            self._rewind(runs, times)
            raise
        for append in appends:
            self._snapshots.appended(append.log_id, append.entries)
        return [
            (run, command)
            for run, part in parts.items()
            for command in self._decide(self.threads[run], part)
        ]

    def recover(self, runs: Iterable[str]) -> list[tuple[str, Command]]:
        """Rebuild runs from their logs; returns what each must be doing now.

        Raises:
            IntegrityError: `replay.other_run`, what `replay` raises, or a corrupt log.
        """
        commands: list[tuple[str, Command]] = []
        for run in runs:
            self.log.check(run)
            thread = self._snapshots.recover(run)
            opened = thread.run.opened
            if opened is None or opened.run != run:
                raise IntegrityError(
                    "replay.other_run",
                    f"the log of run {run} opens another one",
                    hint="restore the ledger from a copy; do not resume from this one",
                )
            self.threads[run] = thread
            commands += [(run, command) for command in self.threads[run].run.outstanding()]
        return commands

    def rest(self, *, leaving: bool = False) -> None:
        """Use a moment in which nothing is to be done: take the snapshots that are due. Call it
        with `leaving` before a successor takes over."""
        self._snapshots.take(self.threads, leaving=leaving)

    def drop(self, run: str) -> None:
        """Forget a closed run; its log stays."""
        thread = self.threads.pop(run, None)
        if thread is not None:
            self._snapshots.forget(run, thread)

    def _parts(self, happenings: Sequence[Happening]) -> dict[str, list[Happening]]:
        """Sort happenings by run, without what comes after the end of a run."""
        parts: dict[str, list[Happening]] = {}
        closed: dict[str, bool] = {}
        for happening in happenings:
            run, event = happening.run, happening.event
            if run not in closed:
                closed[run] = self._thread(run, event).run.state is RunState.CLOSED
            if closed[run] and not isinstance(event, RunResumed):
                continue
            closed[run] = isinstance(event, RunClosed)
            parts.setdefault(run, []).append(happening)
        return parts

    def _thread(self, run: str, first: Event) -> Thread:
        if run not in self.threads and isinstance(first, RunOpened):
            self.threads[run] = Thread(Run(self._plan_of(first)))
        if run not in self.threads:
            raise unknown_run(run)
        return self.threads[run]

    def _append(self, run: str, part: list[Happening], now_us: int) -> Append:
        thread = self.threads[run]
        entries = [
            thread.frame(happening.event, self.epoch, now_us, first=index == 0)
            for index, happening in enumerate(part)
        ]
        bodies = tuple(body for happening in part for body in happening.bodies)
        events = [happening.event for happening in part]
        return Append(
            run,
            self.epoch,
            thread.size,
            entries,
            bodies,
            closes=isinstance(events[-1], RunClosed),
            reopens=isinstance(events[0], RunResumed),
        )

    def _decide(self, thread: Thread, part: list[Happening]) -> list[Command]:
        commands: list[Command] = []
        for happening in part:
            thread.size += 1
            commands += thread.handle(happening.event, thread.time_us)
        return commands

    def _rewind(self, runs: Iterable[str], times: dict[str, int]) -> None:
        for run in runs:
            if run in times:
                self.threads[run].time_us = times[run]
            else:
                self.threads.pop(run, None)
