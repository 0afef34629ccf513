"""How the results of a mapped function become one, as values that a program writes down.

Decides the words of the five strategies that a function can have; the definition checks whether
they fit. `min_success_ratio` is a share as a float (0.9) or a number of items as an int (9);
`failure_action` says what becomes of an item that was given up; `quorum` ends the swarm when that
many items succeeded and cancels the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from swarm_ray.definition.python_api import Convergence
from swarm_ray.errors import UsageError

FailureAction = Literal["retry", "skip", "abort", "review"]


@dataclass(frozen=True, slots=True)
class Collect:
    """All results as a list in input order."""

    min_success_ratio: float | int = 1.0
    failure_action: FailureAction = "retry"
    quorum: int = 0


@dataclass(frozen=True, slots=True)
class Merge:
    """One value from all results: `function(results, ctx)`, run in a sandbox."""

    function: Callable[..., Any]
    min_success_ratio: float | int = 1.0
    failure_action: FailureAction = "retry"
    quorum: int = 0


@dataclass(frozen=True, slots=True)
class Reduce:
    """Results folded one by one: `function(accumulator, result, ctx)`, run in a sandbox."""

    function: Callable[..., Any]
    min_success_ratio: float | int = 1.0
    failure_action: FailureAction = "retry"
    quorum: int = 0


@dataclass(frozen=True, slots=True)
class Custom:
    """A task of its own: the first function takes all results, each next one what the one before
    returned; `function(value)` or `function(value, ctx)`, all run in one sandbox."""

    steps: tuple[Callable[..., Any], ...]
    min_success_ratio: float | int = 1.0
    failure_action: FailureAction = "retry"
    quorum: int = 0


@dataclass(frozen=True, slots=True)
class Vote:
    """The output that most items gave, weighed by confidence.

    `label` and `confidence` name fields of the output; without `label` the output is the vote.
    """

    label: str = ""
    confidence: str = ""
    min_success_ratio: float | int = 1.0
    failure_action: FailureAction = "retry"
    quorum: int = 0


Rule = Collect | Merge | Reduce | Vote | Custom


def as_definition(rule: Rule) -> Convergence:
    """Return the rule as the definition writes it down.

    Raises:
        UsageError: `map.bad_convergence` for anything that is no rule.
    """
    if not isinstance(rule, Rule):
        kinds = {kind.__name__.lower(): kind.__name__ for kind in get_args(Rule)}
        raise UsageError(
            "map.bad_convergence",
            f"`convergence={rule!r}` is no rule",
            hint=f"give an object like `swarm.{kinds.get(str(rule).lower(), 'Collect')}(...)`;"
            f" there are {', '.join(kinds.values())}",
        )
    shared: dict[str, Any] = {
        "min_success_ratio": rule.min_success_ratio,
        "failure_action": rule.failure_action,
        "quorum": rule.quorum,
    }
    match rule:
        case Collect():
            return Convergence("collect", **shared)
        case Merge():
            return Convergence("merge", function=rule.function, **shared)
        case Reduce():
            return Convergence("reduce", function=rule.function, **shared)
        case Custom():
            return Convergence("custom", steps=tuple(rule.steps), **shared)
        case Vote():
            return Convergence("vote", label=rule.label, confidence=rule.confidence, **shared)
