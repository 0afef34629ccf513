"""The one handle of a run: ask, wait, stream, steer, look; with or without an event loop.

Decides how the service's answers become results, errors and texts. Plain methods block; `await
handle` and `async for` over `stream()` do the same waiting in threads, so a notebook needs nothing
else.
"""

import asyncio
import time
from collections.abc import Callable, Generator, Mapping
from getpass import getuser
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from swarm_ray.client.artifacts import read_artifact
from swarm_ray.client.costs import Cost, cost_of
from swarm_ray.client.following import Bodies, Follower
from swarm_ray.client.outcomes import outcome_error
from swarm_ray.client.results import RunResult, collect_result
from swarm_ray.client.streaming import Stream
from swarm_ray.engine.views import RunView
from swarm_ray.errors import UsageError
from swarm_ray.ports.service import Service
from swarm_ray.values.ids import short

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

WAIT_S = 1.0


class RunHandle:
    """One run. Made by `swarm_ray.run`, `map` and `attach`.

    `await handle` is `handle.result()` without blocking the event loop.
    """

    def __init__(self, run: str, service: Callable[[], Service]) -> None:
        self._run = run
        self._service = service
        self._follower: Follower | None = None

    @property
    def id(self) -> str:
        """The run's id, 32 hexadecimal digits; its last eight are enough for every command."""
        return self._run

    @override
    def __repr__(self) -> str:
        return f"RunHandle({short('run', self._run)})"

    # -- looking ----------------------------------------------------------------------------

    def status(self) -> str:
        """Return `running`, `waiting` (for a person), `closing`, `done`, `failed`, `cancelled`,
        `deadline` or `budget`."""
        return self.view().status

    def view(self) -> RunView:
        """Return everything that the run's log says now: steps, swarms, attempts, questions."""
        return self._following().catch_up()

    def look(self) -> "tuple[RunView, Bodies]":
        """Return the view as of now and the bodies that it names, for displays."""
        follower = self._following()
        return follower.catch_up(), follower.bodies

    def result(self, timeout: float | None = None) -> RunResult:
        """Wait for the end and return the result.

        Args:
            timeout: seconds to wait; None waits for ever.

        Raises:
            TimeoutError: it is not over yet; the run goes on.
            Unfinished: it did not end well; the error's `result` holds what there is. One of
                `RunFailed`, `MinSuccessNotMet`, `BudgetExceeded`, `DeadlineExceeded`,
                `RunCancelled`, or `DecisionNeeded` when only a person can move it, on a private
                cluster also when the question expires: nobody but this program can answer.
        """
        until = None if timeout is None else time.monotonic() + timeout
        follower = self._following()
        while not follower.rests(private=self._service().private):
            left = WAIT_S if until is None else min(WAIT_S, until - time.monotonic())
            if left <= 0:
                raise TimeoutError(f"{short('run', self._run)} is not over after {timeout} s")
            follower.pull(left)
        return self._outcome(follower)

    def __await__(self) -> Generator[Any, None, RunResult]:
        return self._awaited().__await__()

    async def _awaited(self) -> RunResult:
        follower = await asyncio.to_thread(self._following)
        while not follower.rests(private=self._service().private):
            await asyncio.to_thread(follower.pull, WAIT_S)
        return await asyncio.to_thread(self._outcome, follower)

    def partial(self) -> RunResult:
        """Return what there is now, however the run stands; never raises for a failed run."""
        return collect_result(*self.look())

    def stream(self, topic: str = "") -> Stream:
        """Return the lifecycle records from the first one on, results as they complete; iterate
        with `for` or `async for`. Ends when the run is closed or waits for a person.

        Args:
            topic: one of the declared `event_topics`: only what is published under it; all
                records when empty.

        Raises:
            UsageError: `stream.unknown_topic`.
        """
        return Stream(Follower(self._service(), self._run), topic)

    def artifact(self, reference: str) -> bytes:
        """Return the bytes of a file that a worker made; the reference stands in
        `ItemResult.artifacts` and in `artifact.produced` records.

        Raises:
            UsageError: `artifact.unknown`.
            IntegrityError: `ledger.body_deleted`.
        """
        return read_artifact(self._service(), reference)

    def report(self) -> dict[str, Any]:
        """Return the convergence report of each fan-out by step name: who succeeded, who did not
        and why, votes, usage, and the cost model in microseconds."""
        from swarm_ray.client.reports import reports_of

        return reports_of(*self.look())

    def cost(self) -> Cost:
        """Return tokens, money, processor time and attempts, in total and per step."""
        return cost_of(self.view())

    def story(self, item: int | None = None) -> str:
        """Return what happened in plain English, in order; with `item` that of one item."""
        from swarm_ray.client.story import tell

        return tell(self._service(), self._run, item=item)

    def to_arrow(self) -> "pa.Table":
        """Return one row per item as an Arrow table; waits for the end like `result`."""
        return self.result().to_arrow()

    def to_pandas(self) -> "pd.DataFrame":
        """Return one row per item as a data frame; waits for the end like `result`."""
        return self.result().to_pandas()

    # -- steering ---------------------------------------------------------------------------

    def cancel(self, item: int | None = None, *, step: str = "") -> None:
        """Cancel the run, or one item of the fan-out that is working (or of `step`).

        Raises:
            UsageError: `run.not_open`, `run.no_fan_out`, `run.unknown_item`.
        """
        if item is None:
            self._service().cancel(self._run, _person(), "", -1)
            return
        swarm, count = self._working(step)
        if not 0 <= item < count:
            raise UsageError(
                "run.unknown_item",
                f"the fan-out has items 0 to {count - 1}, not {item}",
                hint="count items from 0, in input order",
            )
        self._service().cancel(self._run, _person(), swarm, item)

    def _working(self, step: str) -> tuple[str, int]:
        view = self.view()
        if view.closed:
            raise UsageError(
                "run.not_open",
                f"{short('run', self._run)} is closed already",
                hint="nothing of it runs any more; resume it to go on",
            )
        for swarm in reversed(view.fan_outs()):
            if step in ("", swarm.step):
                return swarm.id, swarm.items
        raise UsageError(
            "run.no_fan_out",
            f"{short('run', self._run)} has no fan-out {step!r} yet",
            hint="cancel the run itself, or wait until the step has started",
        )

    def decide(self, question: str, choice: str, *, reason: str = "", by: str = "") -> None:
        """Answer a question of the run; durable on return.

        Args:
            question: key of the question; empty when there is only one.
            choice: one of its choices.
            reason: the person's words, kept beside the log.
            by: who decides; the operating system's user by default.

        Raises:
            UsageError: `decide.nothing_asked`, `decide.several_asked`,
                `decide.unknown_question`, `decide.unknown_choice`.
        """
        follower = self._following()
        before = follower.catch_up()
        key = question or _only_question(before)
        self._service().decide(self._run, key, choice, by or _person(), reason)
        follower.wait_beyond(before.entries)

    def resume(self, *, failed: bool = False) -> "RunHandle":
        """Reopen the run if it did not end well, `failed` tries its failed items again; returns
        this handle. Nothing that is settled is repeated."""
        follower = self._following()
        before = follower.catch_up()
        self._service().resume(self._run, _person(), failed=failed)
        follower.wait_beyond(before.entries)
        return self

    # -- display ----------------------------------------------------------------------------

    def _repr_html_(self) -> str:
        from swarm_ray.client.card import card

        return card(*self.look())

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, str]:
        from swarm_ray.client.headline import headline

        return {"text/plain": headline(self.view()), "text/html": self._repr_html_()}

    # -- inside -----------------------------------------------------------------------------

    def _following(self) -> Follower:
        if self._follower is None:
            self._follower = Follower(self._service(), self._run)
            self._follower.pull(0)
        return self._follower

    def _outcome(self, follower: Follower) -> RunResult:
        view = follower.view()
        result = collect_result(view, follower.bodies)
        error = outcome_error(view, result)
        if error is not None:
            raise error
        return result


def _person() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # no name for this user id, as in many containers
        return "somebody"


def _only_question(view: RunView) -> str:
    asked = view.questions
    if len(asked) != 1:
        raise UsageError(
            "decide.nothing_asked" if not asked else "decide.several_asked",
            f"{short('run', view.run)} asks {len(asked) or 'no'} questions",
            hint="name one of: " + ", ".join(one.key for one in asked)
            if asked
            else "go on waiting; only a run that waits for a person asks",
        )
    return asked[0].key
