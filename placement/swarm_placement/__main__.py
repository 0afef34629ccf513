"""`python -m swarm_placement FILE.json`: place the items of one instance and say how."""

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from swarm_placement.errors import PlacementError, UnitWarning, UsageError
from swarm_placement.forms.files import instance_from, plan_to
from swarm_placement.model import Instance, Plan
from swarm_placement.relief import advice
from swarm_placement.solve import solve
from swarm_placement.telling import plot, report
from swarm_placement.telling.explain import explain
from swarm_placement.telling.explanation import Explanation
from swarm_placement.validation import doubts, problems

FAILED, BAD_INPUT = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Solve a file and print the plan; return 0, 1 if the solver failed, 2 for bad input."""
    asked = _parser().parse_args(arguments)
    try:
        instance = instance_from(loaded(asked.file))
        for doubt in doubts(instance):
            _complain(f"warning: {doubt}")
        wrong = problems(instance)
        for problem in wrong:
            _complain(str(problem))
        if wrong:
            return BAD_INPUT
        _answer(instance, asked)
    except PlacementError as error:
        _complain(str(error))
        return BAD_INPUT if isinstance(error, UsageError) else FAILED
    return 0


def loaded(path: Path) -> Any:
    """Return the plain data in a JSON file.

    Raises:
        UsageError: if it cannot be read, is no JSON, or says a key twice.
    """
    try:
        return json.loads(path.read_text("utf-8"), object_pairs_hook=_object)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        hint = "Give a file that can be read."
        raise UsageError("file.unreadable", str(path), f"{reason}.", hint) from error
    except UnicodeDecodeError as error:
        raise UsageError("file.json", str(path), "It is not UTF-8.", "Save it as UTF-8.") from error
    except json.JSONDecodeError as error:
        place = f"{path}:{error.lineno}:{error.colno}"
        raise UsageError("file.json", place, f"{error.msg}.", "Write JSON there.") from error
    except RecursionError as error:
        hint = "Give an instance as its schema says; it is four levels deep."
        raise UsageError("file.json", str(path), "It is nested too deep.", hint) from error
    except ValueError as error:  # a number with thousands of digits
        hint = "Give numbers that a computer can hold."
        raise UsageError("file.json", str(path), "A number is too long.", hint) from error


def item_of(instance: Instance, words: str) -> tuple[str, int]:
    """Return class and ordinal of `CLASS[:ORDINAL]`; a class may have colons in its name."""
    name, colon, ordinal = words.rpartition(":")
    whole = any(one.name == words for one in instance.classes)
    return (words, 0) if whole or not colon or not ordinal.isdecimal() else (name, int(ordinal))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m swarm_placement", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE.json", help="an instance")
    parser.add_argument(
        "--explain", metavar="CLASS[:ORDINAL]", help="say why an item is where it is"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the plan (.png, .svg, .pdf)"
    )
    parser.add_argument("--json", action="store_true", help="print plain data instead of words")
    return parser


def _answer(instance: Instance, asked: argparse.Namespace) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnitWarning)  # said already
        plan = solve(instance)
    why = explain(instance, plan, *item_of(instance, asked.explain)) if asked.explain else None
    if asked.plot:
        plot.save(instance, plan, asked.plot)
    write = _plain if asked.json else _words
    sys.stdout.write(write(instance, plan, why) + "\n")


def _words(instance: Instance, plan: Plan, why: Explanation | None) -> str:
    said = "\n".join(
        (
            report.text(report.summary(instance, plan)),
            *(one.text() for one in advice(instance, plan)),
        )
    )
    return f"{said}\n\n{why.text()}" if why else said


def _plain(instance: Instance, plan: Plan, why: Explanation | None) -> str:
    found = {
        "summary": report.summary(instance, plan),
        "relief": [one.to_dict() for one in advice(instance, plan)],
        "plan": plan_to(instance, plan),
    }
    return json.dumps(found | ({"explanation": why.to_dict()} if why else {}), indent=1)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these pairs; JSON leaves open what a repeated key means."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise UsageError("form.key", twice, "The key stands twice.", "Remove one of them.")
    return found


def _complain(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
