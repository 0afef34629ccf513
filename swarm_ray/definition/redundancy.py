"""Copies of items as the core sees them.

Decides whether the rule of agreement fits the output of the task, and compiles it. Never decides
which hosts there are; that is known when the swarm starts.
"""

from collections.abc import Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator

from swarm_ray.core import plan
from swarm_ray.definition.convergence import function_task
from swarm_ray.definition.linking import Linking, Path
from swarm_ray.definition.model import CustomOf, FanOut, NumericOf, Redundancy, Step, VoteFields
from swarm_ray.definition.shapes import Schema, conflict, fields_of, is_scalar, read_input

CODE: Final = "definition.redundancy_rule"
_PAIR: Final = {"left": read_input("any"), "right": read_input("any")}


def check_redundancy(
    linking: Linking, step: Step, fan_out: FanOut, output: Schema | None, path: Path
) -> None:
    """Report what is wrong with the copies that a swarm asks for, and link the function that
    compares them; `output` is the task's schema."""
    asked = fan_out.verification.redundancy
    if asked is None or asked.copies == 1:
        return
    at = (*path, "verification", "redundancy")
    problems = (
        _agreement(asked, output),
        _vote(asked, fan_out),
        _default(asked, output),
    )
    for problem, key, hint in [found for found in problems if found is not None]:
        linking.flaw(linking.source.process, CODE, problem, *at, key, hint=hint)
    if isinstance(asked.agree, CustomOf):
        uses = asked.agree.custom
        linking.skill(linking.source.process, uses, "skill", *at, "agree", "custom")
        linked = function_task(linking, step, comparing_task(step.name), "skill", uses, _PAIR)
        linked["output_schema"] = {"type": "boolean"}


def comparing_task(step: str) -> str:
    """Return the name of the task that compares two outputs of a step's swarm."""
    return f"agree:{step}"


def projection_of(asked: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the fields of an output that its host reports beside it for the copies to be compared;
    "" is the whole output. `asked` is the redundancy as the bundle keeps it."""
    agree = asked["agree"] if asked and asked["copies"] > 1 else "exact"
    if agree == "label":
        return {"label": ""}
    if isinstance(agree, Mapping) and "numeric" in agree:
        return {"label": agree["numeric"]["field"] or ""}
    if isinstance(agree, Mapping) and "label" in agree:
        return {key: value for key, value in agree.items() if value is not None}
    return {}


def compiled_redundancy(asked: Redundancy | None) -> plan.Redundancy | None:
    """Return the rule of the core; None for items that are done once."""
    if asked is None or asked.copies == 1:
        return None
    adaptive = asked.adaptive
    return plan.Redundancy(
        copies=asked.copies,
        across=asked.across,
        agree=_agree(asked),
        tiebreak=asked.tiebreak,
        target_ppm=adaptive.target if adaptive else 0,
        liars_ppm=adaptive.liars if adaptive else plan.Redundancy(0).liars_ppm,
    )


def least_copies(asked: Redundancy | None) -> int:
    """Return how many copies an item needs at least before it can have a result."""
    if asked is None or asked.adaptive is not None:
        return 1
    return asked.copies // 2 + 1


def _agree(asked: Redundancy) -> plan.Agree:
    match asked.agree:
        case NumericOf(numeric=tolerance):
            return plan.Agree("numeric", tolerance.absolute, tolerance.relative)
        case VoteFields() | "label":
            return plan.Agree("label")
        case CustomOf():
            return plan.Agree("custom")
        case _:
            return plan.Agree()


Problem = tuple[str, str, str]


def _agreement(asked: Redundancy, output: Schema | None) -> Problem | None:
    match asked.agree:
        case NumericOf(numeric=tolerance) if not (tolerance.absolute or tolerance.relative):
            return "a numeric agreement has no tolerance", "agree", "add `absolute:` or `relative:`"
        case NumericOf(numeric=tolerance):
            return _field(output, tolerance.field, "number")
        case VoteFields(label=label, confidence=confidence):
            return _field(output, label, "") or (
                _field(output, confidence, "number") if confidence else None
            )
        case "label":
            return _field(output, None, "")
        case _:
            return None


def _field(output: Schema | None, name: str | None, kind: str) -> Problem | None:
    """Say why a field of the output cannot be compared; without a name it is the whole output."""
    hint = "declare `output_schema:` of the task and name its fields under `agree:`"
    if name is None:
        if output is None or not is_scalar(output) or (kind and conflict(output, {"type": kind})):
            return f"the output of the task is not one {kind or 'value'}", "agree", hint
        return None
    schema = fields_of(output).get(name)
    if schema is None:
        return f"the output schema of the task has no field {name!r}", "agree", hint
    if kind and conflict(schema, {"type": kind}):
        return f"the field {name!r} is no {kind} in the output schema", "agree", hint
    return None


def _vote(asked: Redundancy, fan_out: FanOut) -> Problem | None:
    """A host reports one projection of an output: a vote over items must be on the same."""
    rule = fan_out.convergence
    compared = projection_of(asked.model_dump())
    voted = rule.vote.model_dump(exclude_none=True) if rule.vote else {"label": ""}
    if rule.strategy != "vote" or not compared or compared == voted:
        return None
    hint = "name the same fields under `agree:` as under `vote:`, or agree on exact outputs"
    return "copies agree on other fields than the items vote on", "agree", hint


def _default(asked: Redundancy, output: Schema | None) -> Problem | None:
    conservative = asked.tiebreak == "conservative"
    if conservative != ("default" in asked.model_fields_set):
        hint = "add the answer that is safe to take, or another tiebreak"
        return "`conservative` and `default:` belong together", "tiebreak", hint
    if conservative and output is not None:
        error = next(iter(Draft202012Validator(dict(output)).iter_errors(asked.default)), None)
        if error is not None:
            hint = "give an answer that a worker could have given"
            return f"the default does not match the output schema: {error.message}", "default", hint
    return None
