"""What a command prints, and where: results on stdout, progress and errors on stderr.

Decides the exit code of every error class and that with `--json` stdout holds nothing but JSON
lines. A traceback is shown only for bugs of ours.
"""

import functools
import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ParamSpec

import typer

from swarm_ray.errors import IntegrityError, InternalError, SwarmError, UsageError
from swarm_ray.values.visible import visible

P = ParamSpec("P")


class ExitCode(IntEnum):
    """What the exit code of a command says; 130 is an interrupt, as everywhere."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    WAITING = 3
    DEADLINE = 4
    BUDGET = 5
    UNVERIFIED = 6
    INTERRUPTED = 130


STATUS_CODES = {
    "done": ExitCode.DONE,
    "waiting": ExitCode.WAITING,
    "deadline": ExitCode.DEADLINE,
    "budget": ExitCode.BUDGET,
}


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command's words go; `as_json` silences all but data on stdout."""

    as_json: bool = False

    def data(self, value: Any) -> None:
        """Print one line of JSON on stdout, if JSON was asked for."""
        if self.as_json:
            _write(visible(json.dumps(value, ensure_ascii=False, default=str)))

    def say(self, text: str = "") -> None:
        """Print text for people on stdout, unless JSON was asked for."""
        if not self.as_json:
            _write(text)

    def note(self, text: str) -> None:
        """Print what happens meanwhile on stderr."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    @property
    def rich(self) -> bool:
        """True when stdout is a terminal and text for people is wanted."""
        return not self.as_json and sys.stdout.isatty()


def _write(line: str) -> None:
    """Write a line to stdout. A reader that has seen enough, like `head`, is no error: the rest
    goes nowhere and the exit code stays what it is."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def exit_code_of(error: BaseException) -> ExitCode:
    """Return the exit code of an error by its class, or by its code where that says more."""
    match error:
        case SwarmError(code="run.budget_exceeded"):
            return ExitCode.BUDGET
        case SwarmError(code="run.deadline_exceeded"):
            return ExitCode.DEADLINE
        case SwarmError(code="run.decision_needed"):
            return ExitCode.WAITING
        case IntegrityError():
            return ExitCode.UNVERIFIED
        case UsageError():
            return ExitCode.USAGE
        case KeyboardInterrupt():
            return ExitCode.INTERRUPTED
        case _:
            return ExitCode.FAILED


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Return a command that renders errors instead of raising them.

    The command's own `json_output` parameter decides the form.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        output = Output(bool(kwargs.get("json_output", False)))
        try:
            command(*args, **kwargs)
        except SwarmError as error:
            show_error(error, output)
            raise typer.Exit(exit_code_of(error)) from None
        except (OSError, RecursionError) as error:
            refused = UsageError(
                "cli.system",
                f"the system refused: {error}",
                hint="check the path, its permissions and the space that is left",
            )
            show_error(refused, output)
            raise typer.Exit(exit_code_of(refused)) from None
        except KeyboardInterrupt:
            output.note("interrupted")
            raise typer.Exit(ExitCode.INTERRUPTED) from None

    return run


def show_error(error: SwarmError, output: Output) -> None:
    """Show an error: code, place, sentence and remedy; a traceback only for a bug."""
    output.data(error.to_dict())
    if isinstance(error, InternalError):
        traceback.print_exception(error, file=sys.stderr)
        output.note("this is a bug of swarm_ray; please report it with the lines above")
    place = ":".join(str(error.fields[key]) for key in ("file", "line") if key in error.fields)
    head = f"{place}: " if place and place not in error.message else ""
    # What does not hold may be a stranger's: it gets no line of its own.
    keep = "" if isinstance(error, IntegrityError) else "\n"
    output.note(visible(f"error [{error.code}]: {head}{error.message}", keep))
    if error.hint:
        output.note(visible(f"  remedy: {error.hint}", keep))
