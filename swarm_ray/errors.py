"""The whole error tree: whose fault it is, a stable code, and the remedy.

Decides how an error is named, shown and carried between processes; it never logs and never
exits. Every error survives pickling with its code, message, hint and fields.
"""

from typing import Any

from typing_extensions import override


class SwarmError(Exception):
    """Root of everything that swarm_ray raises on purpose.

    Args:
        code: stable dotted slug, `area.slug`; documented, safe to match on.
        message: what is wrong and where, one sentence.
        hint: the remedy, one sentence; empty when there is none.
        **fields: plain values that locate the fault (`file`, `line`, `step`, ...).
    """

    def __init__(self, code: str, message: str, *, hint: str = "", **fields: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.fields = fields

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.code, self.message, self.hint, self.fields))

    @override
    def __str__(self) -> str:
        place = ":".join(str(self.fields[k]) for k in ("file", "line") if k in self.fields)
        head = f"{place}: {self.message}" if place else self.message
        tail = f" Remedy: {self.hint}" if self.hint else ""
        return f"[{self.code}] {head}{tail}"

    def to_dict(self) -> dict[str, Any]:
        """Return the error as plain data for `--json` output."""
        return {
            "error": type(self).__name__,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            **self.fields,
        }


class UsageError(SwarmError):
    """The caller's input is wrong: a definition, an argument, a file, a limit."""


class StructuralError(UsageError):
    """A process definition is flawed; found at link time; always aborts, never retried."""


class WorkerError(SwarmError):
    """A worker, model or tool failed while doing its attempt."""


class ContainmentError(WorkerError):
    """A worker tried to leave its boundary: start or join a swarm, or reach a sibling."""


class IntegrityError(SwarmError):
    """Evidence does not check out: a signature, a commitment, a log entry, a digest."""


class StorageError(SwarmError):
    """A disk or a server that keeps our logs and bodies fails: a run stops where it is and can be
    resumed when there is room again."""


class InternalError(SwarmError):
    """A bug of ours: an invariant does not hold."""


class Busy(SwarmError):
    """A bounded queue is full; the caller should try again later."""


def _rebuild(
    kind: type[SwarmError], code: str, message: str, hint: str, fields: dict[str, Any]
) -> SwarmError:
    return kind(code, message, hint=hint, **fields)
