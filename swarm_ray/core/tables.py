"""Every state and every move of the machines, as data.

These tables are the whole truth about what may follow what: a machine asks `advance` and an
illegal move is a bug of ours, reported at once. The diagrams in `docs/states.md` are generated
from the tables. Triggers are words for causes, not the events themselves; several events may
cause the same trigger.
"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import TypeVar

from swarm_ray.errors import InternalError


class RunState(StrEnum):
    """A run works, waits for a person, or is closed."""

    RUNNING = "running"
    WAITING = "waiting"
    CLOSING = "closing"
    CLOSED = "closed"


class StepState(StrEnum):
    """A step is suspended (`SWARMING`) from fan-out until convergence."""

    PENDING = "pending"
    PREPARING = "preparing"
    SWARMING = "swarming"
    REACTING = "reacting"
    ASKING = "asking"
    PROPOSING = "proposing"
    DONE = "done"
    FAILED = "failed"


class SwarmState(StrEnum):
    """A swarm is placed, works, drains what runs, converges, and ends."""

    PLACING = "placing"
    WORKING = "working"
    DRAINING = "draining"
    CONVERGING = "converging"
    CONVERGED = "converged"
    ABORTED = "aborted"


class ItemState(IntEnum):
    """One element of the input set; a byte in the swarm's table."""

    WAITING = 0
    WANTED = 1
    RUNNING = 2
    BACKOFF = 3
    DONE = 4
    FAILED = 5
    SKIPPED = 6
    CANCELLED = 7
    REVIEW = 8


class AttemptState(StrEnum):
    """One try at an item, from the coordinator's side."""

    WANTED = "wanted"
    DISPATCHED = "dispatched"
    SETTLED = "settled"
    LOST = "lost"


class HostState(StrEnum):
    """A host serves while its lease holds, drains when told to, and is gone after that."""

    SERVING = "serving"
    DRAINING = "draining"
    LOST = "lost"


S = TypeVar("S")
Table = Mapping[tuple[S, str], S]

RUN: Table[RunState] = {
    (RunState.RUNNING, "ask"): RunState.WAITING,
    (RunState.WAITING, "decide"): RunState.RUNNING,
    (RunState.RUNNING, "finish"): RunState.CLOSING,
    (RunState.WAITING, "finish"): RunState.CLOSING,
    (RunState.CLOSING, "close"): RunState.CLOSED,
    (RunState.CLOSED, "resume"): RunState.RUNNING,
}

STEP: Table[StepState] = {
    (StepState.PENDING, "start"): StepState.PREPARING,
    (StepState.PENDING, "ask"): StepState.ASKING,
    (StepState.PENDING, "propose"): StepState.PROPOSING,
    (StepState.PREPARING, "open"): StepState.SWARMING,
    (StepState.PREPARING, "fail"): StepState.FAILED,
    (StepState.PREPARING, "react"): StepState.REACTING,
    (StepState.SWARMING, "done"): StepState.DONE,
    (StepState.SWARMING, "fail"): StepState.FAILED,
    (StepState.SWARMING, "react"): StepState.REACTING,
    (StepState.REACTING, "start"): StepState.PREPARING,
    (StepState.REACTING, "continue"): StepState.SWARMING,
    (StepState.REACTING, "fail"): StepState.FAILED,
    (StepState.ASKING, "done"): StepState.DONE,
    (StepState.ASKING, "fail"): StepState.FAILED,
    (StepState.PROPOSING, "done"): StepState.DONE,
    (StepState.PROPOSING, "fail"): StepState.FAILED,
    (StepState.FAILED, "start"): StepState.PREPARING,
    (StepState.FAILED, "continue"): StepState.SWARMING,
    (StepState.FAILED, "propose"): StepState.PROPOSING,
    (StepState.FAILED, "ask"): StepState.ASKING,
}

SWARM: Table[SwarmState] = {
    (SwarmState.PLACING, "place"): SwarmState.WORKING,
    (SwarmState.PLACING, "abort"): SwarmState.ABORTED,
    (SwarmState.WORKING, "drain"): SwarmState.DRAINING,
    (SwarmState.WORKING, "converge"): SwarmState.CONVERGING,
    (SwarmState.WORKING, "abort"): SwarmState.ABORTED,
    (SwarmState.DRAINING, "converge"): SwarmState.CONVERGING,
    (SwarmState.DRAINING, "abort"): SwarmState.ABORTED,
    (SwarmState.CONVERGING, "converged"): SwarmState.CONVERGED,
    (SwarmState.CONVERGING, "abort"): SwarmState.ABORTED,
    (SwarmState.ABORTED, "proceed"): SwarmState.CONVERGING,
    (SwarmState.ABORTED, "again"): SwarmState.WORKING,
}

ITEM: Table[ItemState] = {
    (ItemState.WAITING, "want"): ItemState.WANTED,
    (ItemState.WANTED, "dispatch"): ItemState.RUNNING,
    (ItemState.RUNNING, "accept"): ItemState.DONE,
    (ItemState.RUNNING, "back_off"): ItemState.BACKOFF,
    (ItemState.RUNNING, "fail"): ItemState.FAILED,
    (ItemState.RUNNING, "skip"): ItemState.SKIPPED,
    (ItemState.RUNNING, "review"): ItemState.REVIEW,
    (ItemState.RUNNING, "again"): ItemState.WAITING,
    (ItemState.BACKOFF, "again"): ItemState.WAITING,
    (ItemState.REVIEW, "again"): ItemState.WAITING,
    (ItemState.REVIEW, "skip"): ItemState.SKIPPED,
    (ItemState.REVIEW, "accept"): ItemState.DONE,
    (ItemState.DONE, "doubt"): ItemState.WAITING,
    (ItemState.FAILED, "again"): ItemState.WAITING,
    (ItemState.SKIPPED, "again"): ItemState.WAITING,
    (ItemState.CANCELLED, "again"): ItemState.WAITING,
    (ItemState.WAITING, "cancel"): ItemState.CANCELLED,
    (ItemState.WANTED, "cancel"): ItemState.CANCELLED,
    (ItemState.RUNNING, "cancel"): ItemState.CANCELLED,
    (ItemState.BACKOFF, "cancel"): ItemState.CANCELLED,
    (ItemState.REVIEW, "cancel"): ItemState.CANCELLED,
}

ATTEMPT: Table[AttemptState] = {
    (AttemptState.WANTED, "dispatch"): AttemptState.DISPATCHED,
    (AttemptState.DISPATCHED, "settle"): AttemptState.SETTLED,
    (AttemptState.DISPATCHED, "lose"): AttemptState.LOST,
}

HOST: Table[HostState] = {
    (HostState.SERVING, "drain"): HostState.DRAINING,
    (HostState.SERVING, "lose"): HostState.LOST,
    (HostState.DRAINING, "lose"): HostState.LOST,
}

TABLES: dict[str, Mapping[tuple[IntEnum | StrEnum, str], IntEnum | StrEnum]] = {
    "run": RUN,  # type: ignore[dict-item]  # Mapping is invariant in its key type
    "step": STEP,  # type: ignore[dict-item]  # as above
    "swarm": SWARM,  # type: ignore[dict-item]  # as above
    "item": ITEM,  # type: ignore[dict-item]  # as above
    "attempt": ATTEMPT,  # type: ignore[dict-item]  # as above
    "host": HOST,  # type: ignore[dict-item]  # as above
}


def advance(table: Table[S], state: S, trigger: str) -> S:
    """Return the state after `trigger`.

    Raises:
        InternalError: `core.illegal_move` when the table has no such move.
    """
    try:
        return table[state, trigger]
    except KeyError:
        raise InternalError("core.illegal_move", f"{state!r} has no move for {trigger!r}") from None
