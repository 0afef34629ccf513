"""What can happen to a run, as frozen values; each becomes one entry of the run log.

Decides the fields of every entry kind and nothing else. All numbers are integers and all texts
are ids, digests, commitments or short words (what a sandbox is, is said in full); bodies (inputs,
outputs, error texts) stay beside the log and are named here by their commitment. `docs/formats/events.md` lists the same table.
"""

from dataclasses import dataclass
from typing import Any, Literal

from swarm_ray.errors import IntegrityError
from swarm_ray.values.records import from_record, to_record

SEMANTICS = 1

SwarmKind = Literal["fan_out", "step", "converge", "on_error"]
Status = Literal[
    "ok",
    "transient",
    "rate_limited",
    "input",
    "structural",
    "containment",
    "budget",
    "cancelled",
    "lost",
]


@dataclass(frozen=True, slots=True)
class RunOpened:
    """First entry: which linked plan, which bundle, which inputs. `plan` and `bundle` are plain
    digests (code), `inputs` a commitment (a body)."""

    run: str
    tenant: str
    process: str
    bundle: str
    plan: str
    inputs: str
    semantics: int = SEMANTICS
    isolation: str = ""


@dataclass(frozen=True, slots=True)
class SwarmOpened:
    """The input set of a swarm is fixed. `manifest` commits to the blob, `root` to its items,
    `context` to what all workers may know beside their item; `slice_tokens` and
    `slice_microusd` are what one attempt reserves of the budget. Of redundant items `domains` is
    how many trust domains the hosts are in, `default` commits to the answer of a lost vote."""

    swarm: str
    kind: SwarmKind
    step: int
    round: int
    items: int
    manifest: str
    root: str
    slice_tokens: int = 0
    slice_microusd: int = 0
    context: str = ""
    domains: int = 0
    default: str = ""


@dataclass(frozen=True, slots=True)
class StepRefused:
    """A step could not be prepared: its input does not fit. `detail` commits to the text."""

    step: int
    round: int
    code: str
    detail: str = ""
    kind: SwarmKind = "fan_out"


@dataclass(frozen=True, slots=True)
class Placed:
    """The solver's answer: consecutive runs of items per site, and its proof of quality."""

    swarm: str
    answer: str
    assignments: tuple[tuple[int, str], ...]
    cost_microusd: int = 0
    bound_microusd: int = 0
    probability_ppm: int = 0
    solver: str = ""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """A batch of attempts is about to be sent to a host; `attempts` runs beside `items`.
    Every attempt's nonce is derived from the batch's. `domain` is the trust domain of the host
    where items have copies."""

    swarm: str
    batch: int
    host: str
    lanes: int
    items: tuple[int, ...]
    attempts: tuple[int, ...]
    nonce: str = ""
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """How one attempt ended. `label` is the declared projection of the output (vote class,
    reaction word); `output`, `error` are commitments; times are the host's claims. `alike` is the
    first attempt at the item that gave an equal output, as the coordinator compared them, `rule`
    the number, from 1, of the first rule of the swarm that the output does not satisfy, `model`
    names the models that were asked."""

    item: int
    attempt: int
    status: Status
    output: str = ""
    label: str = ""
    confidence_ppm: int = 0
    code: str = ""
    error: str = ""
    retry_after_us: int = 0
    tokens: int = 0
    microusd: int = 0
    cpu_us: int = 0
    start_us: int = 0
    duration_us: int = 0
    sub_agents: int = 0
    extras: str = ""
    alike: int = 0
    rule: int = 0
    model: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """Verified results of one batch, or a part of it; `envelope` is the host's signature over
    the statements of these rows (hexadecimal), `sequence` the host's counter, `sandbox` the digests
    of what the workers ran in."""

    swarm: str
    batch: int
    host: str
    rows: tuple[Row, ...]
    sequence: int = 0
    envelope: str = ""
    keyid: str = ""
    isolation: str = ""
    sandbox: str = ""


@dataclass(frozen=True, slots=True)
class SandboxSeen:
    """What workers run in, before the first results that name it: `digest` is the SHA-256 of
    `description`, which is canonical JSON."""

    digest: str
    description: str


@dataclass(frozen=True, slots=True)
class HostLost:
    """A host is gone, or has refused a batch; what it held will not be settled by it."""

    host: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Stranded:
    """So many items of a swarm wait for a host that may take them, since the connected ones are in
    `domains` trust domains of which none is left for them; 0: none waits any more."""

    swarm: str
    items: int
    domains: int = 0


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer that the run had set came due."""

    key: str


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """Somebody cancels the run, or one item of a swarm (`item` >= 0)."""

    by: str
    swarm: str = ""
    item: int = -1


@dataclass(frozen=True, slots=True)
class Decided:
    """A person answered a question, or its default was taken (`by` is then "default");
    `outcome` commits to the choice as a step's output, `reason` to the person's words."""

    question: str
    choice: str
    by: str
    outcome: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Converged:
    """The results of a swarm became one: commitments of the merged result and the report."""

    swarm: str
    result: str
    report: str


@dataclass(frozen=True, slots=True)
class ConvergeRefused:
    """Convergence failed: a gate, a tie that nothing decides, a fault of the function."""

    swarm: str
    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EffectSettled:
    """The supervisor's word on a proposed effect; the effects log has the whole story."""

    step: int
    key: str
    status: Literal["done", "refused", "failed", "unknown"]
    outcome: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class RunResumed:
    """Somebody reopened a closed run; `failed` asks for another try at what failed."""

    by: str
    failed: bool = True


@dataclass(frozen=True, slots=True)
class RunClosed:
    """Last entry: how it ended, and the commitment of the run's output."""

    status: Literal["done", "failed", "cancelled", "deadline", "budget"]
    output: str = ""
    code: str = ""


Event = (
    RunOpened
    | SwarmOpened
    | StepRefused
    | Placed
    | Dispatched
    | Settled
    | SandboxSeen
    | HostLost
    | Stranded
    | TimerFired
    | CancelAsked
    | Decided
    | Converged
    | ConvergeRefused
    | EffectSettled
    | RunResumed
    | RunClosed
)

KINDS: dict[str, type[Event]] = {
    "run.opened": RunOpened,
    "swarm.opened": SwarmOpened,
    "step.refused": StepRefused,
    "placed": Placed,
    "dispatched": Dispatched,
    "attempts.settled": Settled,
    "sandbox.seen": SandboxSeen,
    "host.lost": HostLost,
    "items.stranded": Stranded,
    "timer": TimerFired,
    "cancel.asked": CancelAsked,
    "decided": Decided,
    "swarm.converged": Converged,
    "converge.refused": ConvergeRefused,
    "effect.settled": EffectSettled,
    "run.resumed": RunResumed,
    "run.closed": RunClosed,
}
_NAMES: dict[type[Any], str] = {kind: name for name, kind in KINDS.items()}


def name_of(kind: type[Any]) -> str:
    """Return the wire name of an event class."""
    return _NAMES[kind]


def kind_of(event: Event) -> str:
    """Return the wire name of an event."""
    return name_of(type(event))


def event_to_record(event: Event) -> dict[str, Any]:
    """Return the event as a plain record of the event profile, its wire name under `kind`."""
    return {"kind": kind_of(event), "event": to_record(event)}


def event_from_record(record: dict[str, Any]) -> Event:
    """Build an event from a decoded record.

    Raises:
        IntegrityError: `event.unknown_kind`, or what `from_record` raises.
    """
    kind = KINDS.get(record.get("kind", ""))
    if kind is None:
        raise IntegrityError(
            "event.unknown_kind",
            f"no event is called {record.get('kind')!r}",
            hint="a newer swarm_ray wrote this log; use that version",
        )
    return from_record(kind, record.get("event"))
