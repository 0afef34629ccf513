"""The linked process as the core sees it: names, limits and rules, nothing to execute.

Decides nothing. `definition` compiles YAML into these frozen values, the first entry of a run
names their digest, and the machines read only what stands here. Ratios are parts per million,
times microseconds, money micro-USD, so that every value survives the event profile unchanged.
A limit of 0 means "not limited" for deadlines and budgets.
"""

from dataclasses import dataclass
from typing import Literal

FULL_PPM = 1_000_000

Strategy = Literal["collect", "merge", "vote", "reduce", "custom"]
FailureAction = Literal["retry", "skip", "abort", "review"]
Reaction = Literal["retry", "proceed", "sequential", "escalate"]
Across = Literal["node", "site", "region", "organisation"]
AgreeRule = Literal["exact", "label", "numeric", "custom"]
Tiebreak = Literal["third", "human", "conservative"]


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how fast a failed attempt is tried again.

    `backoff_ppm` multiplies the interval after each attempt (2_000_000 doubles it); `jitter_ppm`
    is the share of the interval that is drawn at random; `max_identical` ends the retries when
    so many consecutive failures carry the same error code.
    """

    max_attempts: int = 3
    initial_interval_us: int = 500_000
    backoff_ppm: int = 2_000_000
    max_interval_us: int = 30_000_000
    jitter_ppm: int = 250_000
    max_identical: int = 3


@dataclass(frozen=True, slots=True)
class Budget:
    """A ceiling in tokens and money; 0 is "not limited"."""

    tokens: int = 0
    microusd: int = 0


@dataclass(frozen=True, slots=True)
class Convergence:
    """How the results of a swarm become one.

    Exactly one of `min_success_ppm` (share of the items) and `min_success_count` is above 0.
    `task` names the bundle task that runs a user's merge, reduce or custom convergence.
    `quorum` > 0 ends the swarm when that many items succeeded and cancels the rest.
    `reserve_ppm` is the share of the swarm's deadline kept for convergence.
    """

    strategy: Strategy = "collect"
    task: str = ""
    min_success_ppm: int = FULL_PPM
    min_success_count: int = 0
    failure_action: FailureAction = "retry"
    quorum: int = 0
    reserve_ppm: int = 100_000


@dataclass(frozen=True, slots=True)
class Agree:
    """When two answers to one item are equal: the same bytes, the same label, numbers that differ
    by no more than a tolerance, or whatever a function of the user says is alike.

    `absolute_millionths` is in millionths of the number's unit; a numeric rule has either or both.
    """

    rule: AgreeRule = "exact"
    absolute_millionths: int = 0
    relative_ppm: int = 0


@dataclass(frozen=True, slots=True)
class Redundancy:
    """Copies of every item in distinct trust domains, `copies` of them at most before a tiebreak.

    With `target_ppm` > 0 their number follows from what is known about the hosts, so that the
    expected share of wrong results stays below the target if at most `liars_ppm` of them lie.
    """

    copies: int
    across: Across = "node"
    agree: Agree = Agree()
    tiebreak: Tiebreak = "third"
    target_ppm: int = 0
    liars_ppm: int = 200_000


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL expression that an output must satisfy, and what follows where it does not: the item is
    excluded, tried again on hosts of our own organisation, or put to a person. Without a
    consequence the rule is about all results together, and convergence is refused. In place of an
    expression `task` names the bundle task that runs a user's function."""

    cel: str
    consequence: Literal["exclude", "retry_trusted", "escalate", ""] = ""
    task: str = ""


@dataclass(frozen=True, slots=True)
class FanOut:
    """Limits and rules of one swarm: the input name, the blueprint, how many at once, how they
    converge. `slice` is the budget one attempt reserves; `adaptive` lets rate limits shrink the
    concurrency (additive increase, multiplicative decrease) below the declared cap.
    """

    over: str
    task: str
    concurrency: int
    convergence: Convergence
    retry: Retry = Retry()
    deadline_us: int = 0
    item_deadline_us: int = 0
    budget: Budget = Budget()
    slice: Budget = Budget()
    adaptive: bool = True
    redundancy: Redundancy | None = None
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Clause:
    """One `on_error:` reaction, tried in order, each at most `max_times` times.

    It applies when at least `min_success_ppm` of the items succeeded. A clause with `task` runs
    that task over partial results, errors and metadata first; the label of its result, one of
    the reaction words, replaces `reaction`.
    """

    reaction: Reaction
    name: str = ""
    task: str = ""
    min_success_ppm: int = 0
    max_times: int = 1


@dataclass(frozen=True, slots=True)
class Question:
    """A decision by a person: text, choices, default and expiry (0: waits for ever).

    `holds_deadline` says that the run's deadline waits for the person.
    """

    text: str
    choices: tuple[str, ...]
    default: str
    expires_us: int = 0
    holds_deadline: bool = False


@dataclass(frozen=True, slots=True)
class Effect:
    """A declared change of the outside world that a step proposes: the tool and its fixed
    arguments as canonical JSON; `input` names are added when it is proposed."""

    tool: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a process. Exactly one of `task`, `fan_out`, `effect`, `question` is set."""

    name: str
    inputs: tuple[str, ...] = ()
    output: str = ""
    task: str = ""
    fan_out: FanOut | None = None
    effect: Effect | None = None
    question: Question | None = None
    retry: Retry = Retry()
    deadline_us: int = 0
    slice: Budget = Budget()
    on_error: tuple[Clause, ...] = ()
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A linked process: what a run executes, step by step."""

    process: str
    version: int
    steps: tuple[Step, ...]
    output: str = ""
    deadline_us: int = 0
    budget: Budget = Budget()
