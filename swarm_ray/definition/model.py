"""The YAML files of a definition as typed models: what may be written, key by key.

Decides the keys, their types and their ranges, nothing about references between them; linking
does that. A key that is not here is refused. The published JSON Schemas are made from this.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from swarm_ray.definition.quantities import (
    DurationUs,
    FactorPpm,
    KnowledgeName,
    MicroUsd,
    Millionths,
    MinSuccess,
    Name,
    Names,
    RatioPpm,
    Sentence,
    SharePpm,
    unless_none,
)

Version = Annotated[int, Field(ge=1, le=1_000_000)]
Tokens = Annotated[int, Field(ge=0, le=1_000_000_000)]
TypeName = Literal["string", "integer", "number", "boolean", "list", "object", "path", "any"]
InputType = TypeName | dict[str, Any]
Uses = Annotated[str, Field(min_length=1, max_length=200)]


class Strict(BaseModel):
    """Refuses unknown keys and silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Budget(Strict):
    """A ceiling in tokens and US dollars; 0 is no ceiling."""

    tokens: Tokens = 0
    usd: MicroUsd = 0


class Slice(Strict):
    """What one model call may take at most: the bound of its input and of its answer."""

    input: Annotated[int, Field(ge=1, le=10_000_000)] = 16_000
    output: Annotated[int, Field(ge=1, le=1_000_000)] = 2_000
    usd: MicroUsd = 0


class Retry(Strict):
    """How often and how fast a transient failure is tried again."""

    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    initial_interval: DurationUs = 500_000
    backoff_factor: FactorPpm = 2_000_000
    max_interval: DurationUs = 30_000_000
    jitter: RatioPpm = 250_000
    max_identical: Annotated[int, Field(ge=1, le=100)] = 3


class VoteFields(Strict):
    """Which fields of an output are the vote and its weight."""

    label: Name
    confidence: Name | None = None


class Convergence(Strict):
    """How the results of a swarm become one."""

    strategy: Literal["collect", "merge", "vote", "reduce", "custom"] = "collect"
    min_success_ratio: MinSuccess = 1.0
    failure_action: Literal["retry", "skip", "abort", "review"] = "retry"
    uses: Uses | None = None
    task: Name | None = None
    vote: VoteFields | None = None
    quorum: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    reserve: RatioPpm = 100_000
    gate: str | None = None
    output_schema: dict[str, Any] | None = None


class ModelRequirements(Strict):
    """What a model must be good at."""

    reasoning_depth: Literal["shallow", "moderate", "deep"] | None = None
    code_generation: bool = False
    context_tokens: Tokens = 0
    structured_output: bool = False


class Requires(Strict):
    """Hard conditions on where an item may run."""

    residency: list[Name] = Field(default_factory=list)
    hardware: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    deadline_probability: RatioPpm | None = None
    model: ModelRequirements | None = None


class Tolerance(Strict):
    """How far two numbers may differ and still be equal; `field` of the output, or all of it."""

    field: Name | None = None
    absolute: Millionths = 0
    relative: RatioPpm = 0


class NumericOf(Strict):
    """Answers are numbers."""

    numeric: Tolerance


class CustomOf(Strict):
    """Answers are compared by a function."""

    custom: Uses


class Adaptive(Strict):
    """As few copies as keep the expected share of wrong results below `target`, if at most a share
    `liars` of the hosts lies."""

    target: Annotated[RatioPpm, Field(ge=1, le=500_000)]
    liars: Annotated[RatioPpm, Field(ge=1, le=400_000)] = 200_000


class Redundancy(Strict):
    """Independent copies of one item; with `adaptive` at most so many."""

    copies: Annotated[int, Field(ge=1, le=9)] = 1
    across: Literal["organisation", "region", "site", "node"] = "node"
    agree: Literal["exact", "label"] | VoteFields | NumericOf | CustomOf = "exact"
    tiebreak: Literal["third", "human", "conservative"] = "third"
    default: Any = None
    adaptive: Adaptive | None = None


Consequence = Literal["exclude", "retry_trusted", "escalate"]


class Rule(Strict):
    """A CEL expression that must hold of every output, or of all results together."""

    cel: Annotated[str, Field(min_length=1, max_length=2_000)]
    consequence: Consequence | None = None


class Validate(Strict):
    """What outputs are checked for: their schema, rules, and last a function with a consequence."""

    schema_: bool = Field(default=False, alias="schema")
    rules: Annotated[list[Rule], Field(max_length=50)] = Field(default_factory=list)
    function: Uses | None = None
    consequence: Consequence | None = None


class Verification(Strict):
    """What must hold before a result counts."""

    attestation: Literal["required", "none"] = "required"
    validate_: Literal["schema"] | Validate | None = Field(default=None, alias="validate")
    redundancy: Redundancy | None = None


class FanOut(Strict):
    """One swarm: the collection, the blueprint, the limits and the rule of convergence."""

    over: Name
    task: Name
    concurrency: Annotated[int, Field(ge=1, le=10_000)]
    deadline: DurationUs | None = None
    item_deadline: DurationUs | None = None
    budget: Budget = Budget()
    retry: Retry = Retry()
    adaptive: bool = True
    requires: Requires = Requires()
    verification: Annotated[Verification, BeforeValidator(unless_none)] = Verification()
    convergence: Convergence = Convergence()


class When(Strict):
    """When a clause of `on_error:` applies."""

    min_success_ratio: SharePpm = 0


class Clause(Strict):
    """One reaction to an aborted swarm; clauses are tried in order."""

    when: When = When()
    reaction: Literal["retry", "proceed", "sequential", "escalate"]
    uses: Uses | None = None
    name: Name | None = None
    max_times: Annotated[int, Field(ge=1, le=100)] = 1


class Ask(Strict):
    """A decision by a person."""

    question: Sentence
    choices: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=80)]], Field(min_length=2)
    ]
    default: str
    expires: DurationUs | None = None
    holds_deadline: bool = False


class DelegateLimits(Strict):
    """How deep and how often a worker may use sub-agents within its own boundary."""

    depth: Annotated[int, Field(ge=0, le=8)] = 0
    count: Annotated[int, Field(ge=0, le=1_000)] = 0


class DelegateTo(Strict):
    """A step done by a fresh sub-agent that runs another task."""

    task: Name


class Example(Strict):
    """One input and the output that is expected for it."""

    input: Any
    output: Any


class Behavior(Strict):
    """Advice to the runtime; deleting it changes no output."""

    swarm_eligible: bool | None = None
    containment: Literal["strict", "sealed"] | None = None
    event_topics: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        default_factory=list
    )
    estimated_duration: Literal["short", "medium", "long"] | None = None
    model_requirements: ModelRequirements | None = None


class Served(Strict):
    """How a sentence is carried out; on a step itself or in the bindings beside the process."""

    uses: Uses | None = None
    effect: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$")] | None = None
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    input: Names | None = None
    reads: Names = Field(default_factory=list)
    processes: Annotated[int, Field(ge=0, le=256)] = 0
    knowledge: list[KnowledgeName] = Field(default_factory=list)
    memory: Names = Field(default_factory=list)
    output_schema: dict[str, Any] | None = None
    examples: list[Example] = Field(default_factory=list)
    memory_bytes: Annotated[int, Field(ge=16_777_216, le=1_099_511_627_776)] | None = None
    tokens: Slice | None = None
    requires: Requires | None = None


class Step(Served):
    """One step of a process or of a task."""

    name: Name
    action: Sentence | None = None
    output: Name | None = None
    fan_out: FanOut | None = None
    ask: Ask | None = None
    delegate: DelegateTo | None = None
    gate: str | None = None
    retry: Retry | None = None
    deadline: DurationUs | None = None
    on_error: list[Clause] = Field(default_factory=list)


class ProcessFile(Strict):
    """`process.yaml`: ordered steps."""

    process: Name
    version: Version
    description: str = ""
    knowledge: list[KnowledgeName] = Field(default_factory=list)
    inputs: dict[Name, InputType] = Field(default_factory=dict)
    steps: Annotated[list[Step], Field(min_length=1, max_length=200)]
    output: Name | None = None
    deadline: DurationUs | None = None
    budget: Budget = Budget()
    behavior: Behavior | None = None


class TaskFile(Strict):
    """A task blueprint: one input item in, one output out."""

    task: Name
    version: Version
    description: str = ""
    knowledge: list[KnowledgeName] = Field(default_factory=list)
    memory: Names = Field(default_factory=list)
    input: dict[Name, InputType] = Field(default_factory=dict)
    steps: Annotated[list[Step], Field(min_length=1, max_length=200)]
    output: Name
    output_schema: dict[str, Any] | None = None
    delegate: DelegateLimits | None = None
    behavior: Behavior | None = None


class BindingsFile(Strict):
    """`bindings.yaml`: how a deployment carries out the sentences of a process."""

    bindings: Name
    version: Version
    inputs: dict[Name, InputType] = Field(default_factory=dict)
    deadline: DurationUs | None = None
    budget: Budget | None = None
    preload: list[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$")]] = Field(
        default_factory=list
    )
    actions: dict[Sentence, Served] = Field(default_factory=dict)
