"""What is stated about one attempt: the order that was given and the execution that happened.

Decides the exact bytes of both statements as pure functions of plain fields, so that whoever holds
the rows of a batch can rebuild them. It never signs and never carries a body.
"""

from dataclasses import dataclass
from typing import Any, Final

from swarm_ray.errors import UsageError
from swarm_ray.values.codec import encode, encode_standard
from swarm_ray.values.digests import is_digest

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
EXECUTION_PREDICATE: Final = "https://swarm-ray.dev/attestation/execution/v1"
COMMITMENT_ALGORITHM: Final = "swarmRayCommitment"
"""Key of the in-toto digest set: the value is a salted commitment, not a plain SHA-256."""


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """Which attempt, over what: the dispatch half of a statement.

    `bundle` is a digest, `context` and `input` are commitments; `nonce` is fresh per attempt.
    """

    run: str
    swarm: str
    item: int
    attempt: int
    nonce: str
    bundle: str
    context: str
    input: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What the order allows: placement, remaining time at sending, durable budget slice, scope.

    `scope` is the digest of the attempt's scope token, empty when it has none.
    """

    site: str
    model: str
    deadline_us: int
    slice_tokens: int
    slice_microusd: int
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Execution:
    """What the executing host says about the attempt: the result half of a statement.

    `output` commits to the output, or to the error text when `status` is not `ok`; `label`, `code`
    and `confidence_ppm` are the fields that decisions are taken on; `artifacts` are commitments.
    `started_us` and `ended_us` are the host's own clock, a claim. `isolation` labels what the
    worker ran in, `sandbox` are the digests of its description, empty when no worker ran; `model`
    names the models that were asked.
    """

    status: str
    output: str
    host: str
    site: str
    organisation: str
    isolation: str
    model: str
    started_us: int
    ended_us: int
    tokens: int = 0
    cost_microusd: int = 0
    cpu_us: int = 0
    label: str = ""
    code: str = ""
    confidence_ppm: int = 0
    artifacts: tuple[str, ...] = ()
    sandbox: str = ""


def order_statement(order: WorkOrder, terms: Terms) -> bytes:
    """Return the bytes that a dispatch batch commits to for one attempt.

    Raises:
        UsageError: `statement.bad_digest`, or a codec error for a field outside the profile.
    """
    _need_digests(order.bundle, order.context, order.input)
    return encode(
        {
            "attempt": order.attempt,
            "bundle": order.bundle,
            "context": order.context,
            "deadline_us": terms.deadline_us,
            "input": order.input,
            "item": order.item,
            "model": terms.model,
            "nonce": order.nonce,
            "run": order.run,
            "scope": terms.scope,
            "site": terms.site,
            "slice_microusd": terms.slice_microusd,
            "slice_tokens": terms.slice_tokens,
            "swarm": order.swarm,
        }
    )


def execution_statement(order: WorkOrder, execution: Execution) -> bytes:
    """Return the in-toto statement of one attempt as canonical JSON bytes.

    Raises:
        UsageError: `statement.bad_digest`, or a codec error for a field outside the profile.

    Source: in-toto Statement v1; the predicate is our own, see `docs/formats/attestation.md`.
    """
    _need_digests(order.bundle, order.context, order.input, execution.output, *execution.artifacts)
    name = "output" if execution.status == "ok" else "error"
    subject = [_subject(name, execution.output)]
    for ordinal, artifact in enumerate(execution.artifacts):
        subject.append(_subject(f"artifact-{ordinal}", artifact))
    seen = {"sandbox": execution.sandbox} if execution.sandbox else {}
    return encode_standard(
        {
            "_type": STATEMENT_TYPE,
            "predicate": {
                "attempt": order.attempt,
                "bundle": order.bundle,
                "code": execution.code,
                "confidencePpm": execution.confidence_ppm,
                "context": order.context,
                "endedUs": execution.ended_us,
                "host": execution.host,
                "input": order.input,
                "isolation": execution.isolation,
                "item": order.item,
                "label": execution.label,
                "model": execution.model,
                "nonce": order.nonce,
                "organisation": execution.organisation,
                "run": order.run,
                "site": execution.site,
                "startedUs": execution.started_us,
                "status": execution.status,
                "swarm": order.swarm,
                "usage": {
                    "costMicrousd": execution.cost_microusd,
                    "cpuUs": execution.cpu_us,
                    "tokens": execution.tokens,
                },
                **seen,
            },
            "predicateType": EXECUTION_PREDICATE,
            "subject": subject,
        }
    )


def _subject(name: str, commitment: str) -> dict[str, Any]:
    return {"digest": {COMMITMENT_ALGORITHM: commitment}, "name": name}


def _need_digests(*texts: str) -> None:
    for text in texts:
        if not is_digest(text):
            raise UsageError(
                "statement.bad_digest",
                f"{text!r} is neither a digest nor a commitment",
                hint="store the body first; its commitment has 64 hexadecimal digits",
            )
