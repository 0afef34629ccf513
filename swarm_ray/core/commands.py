"""What a run wants done, as frozen values; a shell performs them, never the core.

Commands follow from state: after a crash `Run.outstanding` derives them anew, so each must be
safe to perform twice. The shell answers a command with an event.
"""

from dataclasses import dataclass
from typing import Any

from swarm_ray.core.events import SwarmKind
from swarm_ray.values.records import to_record


@dataclass(frozen=True, slots=True)
class Prepare:
    """Fix the input set of a step's swarm and compile its context -> `SwarmOpened`."""

    step: int
    round: int
    kind: SwarmKind
    swarm: str = ""
    clause: int = -1


@dataclass(frozen=True, slots=True)
class Place:
    """Ask the solver where the items run -> `Placed`."""

    swarm: str
    items: int


@dataclass(frozen=True, slots=True)
class Want:
    """Find hosts for these attempts, at most `concurrency` running at once -> `Dispatched`."""

    swarm: str
    concurrency: int
    items: tuple[int, ...]
    attempts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Send:
    """Send a batch that is durable as `Dispatched`; remaining time counts from receipt.

    `deadline_us` is log time, 0 for none; `item_deadline_us` a duration per attempt.
    """

    swarm: str
    batch: int
    host: str
    lanes: int
    items: tuple[int, ...]
    attempts: tuple[int, ...]
    deadline_us: int = 0
    item_deadline_us: int = 0


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Stop these attempts at their host; what already ended still counts."""

    swarm: str
    host: str
    items: tuple[int, ...]
    attempts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Converge:
    """Merge by a built-in strategy, or wrap `result` of a user's one -> `Converged`.

    `accepted` are the ordinals in input order; `winner` is the item whose output a vote took.
    """

    swarm: str
    accepted: tuple[int, ...]
    result: str = ""
    winner: int = -1
    partial: bool = False


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Fire `TimerFired(key)` at this log time."""

    key: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Put a question to a person -> `Decided`; at `until_us` (0: never) the default is taken."""

    question: str
    text: str
    choices: tuple[str, ...]
    default: str
    until_us: int = 0


@dataclass(frozen=True, slots=True)
class Propose:
    """Propose a step's effect to the supervisor under this idempotency key."""

    step: int
    key: str


@dataclass(frozen=True, slots=True)
class Close:
    """Append `RunClosed` and let go of everything the run held."""

    status: str
    output: str = ""
    code: str = ""


Command = Prepare | Place | Want | Send | Withdraw | Converge | SetTimer | Ask | Propose | Close


def command_to_record(command: Command) -> dict[str, Any]:
    """Return a command as a plain record; its digest is compared when a log is replayed."""
    return {"command": type(command).__name__.lower(), **to_record(command)}
