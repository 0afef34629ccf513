"""What the solver refuses, and what it warns of; every error names the field and the remedy."""

from typing_extensions import override


class PlacementError(Exception):
    """Root of everything this package raises on purpose.

    Args:
        code: stable dotted slug, safe to match on.
        field: path of the field at fault, `sites[3].slots`; empty when it is no single field.
        message: what is wrong, one sentence.
        hint: the remedy, one sentence.
    """

    def __init__(self, code: str, field: str, message: str, hint: str) -> None:
        super().__init__(code, field, message, hint)
        self.code = code
        self.field = field
        self.message = message
        self.hint = hint

    @override
    def __str__(self) -> str:
        place = f"{self.field}: " if self.field else ""
        return f"[{self.code}] {place}{self.message} Remedy: {self.hint}"


class UsageError(PlacementError):
    """The instance is wrong or beyond a stated limit."""


class SolverError(PlacementError):
    """HiGHS ended without an answer although one exists: a bug or a numerical breakdown."""


class UnitWarning(UserWarning):
    """A number looks as if it were given in another unit than its field's name says."""
