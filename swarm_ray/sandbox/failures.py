"""The ways an attempt fails inside a worker, and how they are told to the host.

Decides the failure class of every exception a skill can raise. Runs inside the sandbox, so it
imports nothing but the standard library; it never decides whether to retry.
"""

from __future__ import annotations

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

MOST_DETAIL_BYTES = 4096


class Failure(Exception):
    """An attempt's failure with a class the host acts on.

    Args:
        message: what went wrong, for a person.
        code: stable dotted slug.
        retry_after_ms: for `rate_limited`, when to come back.
    """

    failure_class = "input"
    default_code = "skill.input"

    def __init__(self, message: str = "", *, code: str = "", retry_after_ms: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.retry_after_ms = retry_after_ms


class InputError(Failure):
    """The same input will fail again."""


class TransientError(Failure):
    """Another try may succeed."""

    failure_class = "transient"
    default_code = "skill.transient"


class RateLimited(Failure):
    """Something asked to be left alone for a while."""

    failure_class = "rate_limited"
    default_code = "skill.rate_limited"

    def __init__(self, retry_after_ms: int, message: str = "", *, code: str = "") -> None:
        super().__init__(message or "rate limited", code=code, retry_after_ms=retry_after_ms)


class StructuralError(Failure):
    """The bundle itself is wrong; nothing of it can succeed."""

    failure_class = "structural"
    default_code = "skill.structural"


class ContainmentError(Failure):
    """The worker reached for something outside its boundary."""

    failure_class = "containment"
    default_code = "containment.refused"


class BudgetError(Failure):
    """The attempt's budget slice does not cover what was asked."""

    failure_class = "budget"
    default_code = "budget.exhausted"


def refused(reply: dict[str, Any]) -> Failure:
    """Make the exception for a host's reply that is not ok."""
    message, code = str(reply.get("message", "")), str(reply.get("code", ""))
    match reply.get("class"):
        case "transient":
            return TransientError(message, code=code)
        case "rate_limited":
            return RateLimited(int(reply.get("retry_after_ms") or 0), message, code=code)
        case "structural":
            return StructuralError(message, code=code)
        case "containment":
            return ContainmentError(message, code=code)
        case "budget":
            return BudgetError(message, code=code)
        case _:
            return InputError(message, code=code)


def _classify(error: BaseException) -> tuple[str, str]:
    match error:
        case Failure():
            return error.failure_class, error.code
        case PermissionError():
            # The kernel's answer to a step over the boundary; trying again changes nothing.
            return "containment", "containment.refused"
        case OSError() | TimeoutError():
            return "transient", "skill.os_error"
        case MemoryError():
            return "input", "worker.out_of_memory"
        case SystemExit() | KeyboardInterrupt() | GeneratorExit():
            return "input", "skill.exited"
        case _:
            return "input", "skill.raised"


def _trace(trace: TracebackType | None, error: BaseException) -> str:
    lines = []
    while trace is not None:
        code = trace.tb_frame.f_code
        lines.append(f"{code.co_filename}:{trace.tb_lineno} in {code.co_name}")
        trace = trace.tb_next
    text = "\n".join([*lines, f"{type(error).__name__}: {_text(error)}"])
    return text.encode(errors="replace")[-MOST_DETAIL_BYTES:].decode(errors="replace")


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - a hostile __str__ must not hide the failure
        return f"(its text cannot be read: {type(broken).__name__})"


def failed(error: BaseException) -> dict[str, Any]:
    """Make the result frame of an attempt that ended with `error`."""
    failure_class, code = _classify(error)
    text = _text(error) or type(error).__name__
    if not isinstance(error, Failure):
        text = f"{type(error).__name__}: {text}"
    return {
        "frame": "result",
        "status": "failed",
        "class": failure_class,
        "code": code,
        "message": text.encode(errors="replace")[:MOST_DETAIL_BYTES].decode(errors="replace"),
        "detail": _trace(error.__traceback__, error),
        "retry_after_ms": error.retry_after_ms if isinstance(error, Failure) else 0,
    }
