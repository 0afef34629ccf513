"""Gates: CEL expressions over `input`, `output` and `inputs` that a step's output must satisfy.

Decides when a gate holds. Expressions are compiled in the zygote, which sees no value, and evaluated
in the child. Something other than true or false, or an error, never counts as holding.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

from swarm_ray.sandbox.failures import InputError, StructuralError

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from typing import Any


class _Broken:
    """An expression that does not compile; it fails when its step runs."""

    def __init__(self, why: str) -> None:
        self._why = why

    def execute(self, values: dict[str, Any]) -> bool:
        raise StructuralError(self._why, code="gate.does_not_compile")


_programs: dict[str, Any] = {}


def _compiler(search: list[str]) -> Any:
    """Import the CEL extension alone: its package would pull a command line in, at 30 MB."""
    for folder in search:
        package = os.path.join(folder, "cel")
        if os.path.isdir(package):
            shell = ModuleType("cel")
            shell.__path__ = [package]
            sys.modules["cel"] = shell
            import cel.cel

            return cel.cel
    raise ModuleNotFoundError("the package common-expression-language is not installed")


def compile_gates(expressions: set[str], search: list[str]) -> None:
    """Compile the gates of a bundle ahead of the first fork.

    Args:
        expressions: all gate expressions.
        search: folders that may hold the CEL package.

    Raises:
        ModuleNotFoundError: there are gates and no CEL package.
    """
    if not expressions:
        return
    compiler = _compiler(search)
    for expression in expressions:
        try:
            program = compiler.compile(expression)
            # The first evaluation builds tables that every child would build again.
            _try_out(program)
            _programs[expression] = program
        except ValueError as error:
            _programs[expression] = _Broken(f"gate {expression!r}: {error}")


def _try_out(program: Any) -> None:
    try:
        program.execute({"input": {}, "output": {}, "inputs": {}})
    except (ValueError, KeyError, TypeError, RuntimeError, OverflowError):
        return  # empty values rarely fit; only the tables matter


def check(expression: str, step: str, values: dict[str, Any]) -> None:
    """Let the step's output pass, or fail the attempt.

    Raises:
        InputError: the gate is false (`gate.failed`) or cannot be evaluated (`gate.error`).
        StructuralError: it does not compile, or does not yield true or false (`gate.not_boolean`).
    """
    try:
        held = _programs[expression].execute(values)
    except StructuralError:
        raise
    except Exception as error:
        raise InputError(
            f"the gate of step {step!r} cannot be evaluated: {expression}: {error}",
            code="gate.error",
        ) from error
    if held is not True and held is not False:
        raise StructuralError(
            f"the gate of step {step!r} yields {type(held).__name__}: {expression}",
            code="gate.not_boolean",
        )
    if not held:
        raise InputError(
            f"the output of step {step!r} does not satisfy its gate: {expression}",
            code="gate.failed",
        )
