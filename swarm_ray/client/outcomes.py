"""How a run that did not end well reaches its caller: a typed error with the partial result.

Decides which error a closed run becomes. Codes are the client's own and stable; the code that the
run's log gives stands in `fields["cause"]`. Results travel with the error, also through pickle.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from swarm_ray.client.headline import first_line
from swarm_ray.engine.views import RunView
from swarm_ray.errors import SwarmError, UsageError, WorkerError

if TYPE_CHECKING:
    from swarm_ray.client.results import RunResult


_INHERENT: Final = frozenset({"input", "containment", "structural", "budget"})
"""Fates of an attempt that another attempt at the same item would share."""


class Unfinished(SwarmError):
    """A run ended without its output; `result` holds what there is, results of items included.

    Args:
        code: stable slug.
        message: what ended the run.
        hint: the remedy.
        result: the partial result; None when it could not be read.
        **fields: `run`, `cause` (the code in the run's log) and `step`.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        result: "RunResult | None" = None,
        **fields: Any,
    ) -> None:
        super().__init__(code, message, hint=hint, **fields)
        self.result = result

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return (
            _rebuild,
            (type(self), self.code, self.message, self.hint, self.result, self.fields),
        )


class RunFailed(Unfinished, WorkerError):
    """A step failed and no reaction saved it."""


class MinSuccessNotMet(RunFailed):
    """Fewer items succeeded than the convergence rule demands."""


class BudgetExceeded(Unfinished, UsageError):
    """The declared tokens or money did not suffice; nothing above them was spent."""


class DeadlineExceeded(Unfinished, UsageError):
    """The declared deadline of the run or of a swarm passed."""


class RunCancelled(Unfinished, UsageError):
    """Somebody cancelled the run."""


class DecisionNeeded(Unfinished, UsageError):
    """The run waits for a person; answer with `decide` and ask for the result again."""


def _rebuild(
    kind: type[Unfinished],
    code: str,
    message: str,
    hint: str,
    result: "RunResult | None",
    fields: dict[str, Any],
) -> Unfinished:
    return kind(code, message, hint=hint, result=result, **fields)


def remedy_of(view: RunView) -> str:
    """Return what must be done about a run that ended badly because resuming it would end the
    same way; empty when resuming may help."""
    if view.status == "budget":
        return "raise the budget in the definition and run it anew; resuming gives time, not money"
    if view.status != "failed" or view.code.startswith("effect."):
        return ""
    last = {(one.swarm, one.item): one for swarm in view.swarms for one in swarm.attempts}
    fates = {one.status for one in last.values() if one.status != "ok"}
    if fates - _INHERENT or not (fates or view.refusals):
        return ""
    return "correct the input or the definition and run it anew; resuming would fail the same way"


def outcome_error(view: RunView, result: "RunResult") -> Unfinished | None:
    """Return the error that the end of a run means, None when it ended well or goes on."""
    if view.waiting:
        return _waiting(view, result)
    if not view.closed or view.status == "done":
        return None
    where: dict[str, Any] = {"run": view.run, "cause": view.code, "step": view.step}
    named = f"run {view.run[-8:]} of {view.process}"
    at = f"in step {view.step!r}" if view.step else "at its end"
    match view.status:
        case "deadline":
            return DeadlineExceeded(
                "run.deadline_exceeded",
                f"{named} ran out of time {at} ({view.code})",
                hint="allow more time, or let fewer items suffice with min_success_ratio",
                result=result,
                **where,
            )
        case "budget":
            return BudgetExceeded(
                "run.budget_exceeded",
                f"{named} used up its budget {at}",
                hint=remedy_of(view),
                result=result,
                **where,
            )
        case "cancelled":
            return RunCancelled(
                "run.was_cancelled",
                f"{named} was cancelled {at}",
                hint="resume it to go on where it stopped",
                result=result,
                **where,
            )
        case _:
            return _failed(view, result, named, at, where)


def _failed(
    view: RunView, result: "RunResult", named: str, at: str, where: dict[str, Any]
) -> Unfinished:
    detail = f": {first_line(result.cause)}" if result.cause else ""
    if view.code == "swarm.min_success":
        return MinSuccessNotMet(
            "run.min_success_not_met",
            f"{named}: {len(result.ok)} of {len(result.items)} items succeeded {at},"
            f" fewer than demanded{detail}",
            hint=remedy_of(view)
            or "look at `.result.failed`, then resume with failed=True, or lower the ratio",
            result=result,
            **where,
        )
    return RunFailed(
        "run.failed",
        f"{named} failed {at} ({view.code}){detail}",
        hint=remedy_of(view) or "read its story, correct the cause, and resume it",
        result=result,
        **where,
    )


def _waiting(view: RunView, result: "RunResult") -> Unfinished:
    asked = "; ".join(f"{one.key}: {one.text}" for one in view.questions)
    return DecisionNeeded(
        "run.decision_needed",
        f"run {view.run[-8:]} of {view.process} waits for a decision ({asked})",
        hint="answer with decide(question, choice), then ask for the result again",
        result=result,
        run=view.run,
        questions=[asdict(one) for one in view.questions],
    )
