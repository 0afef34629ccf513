"""Rules on results: what an output, or all results of a swarm, must satisfy.

Decides whether a rule can be evaluated and cannot run away: a coordinator evaluates expressions on
what untrusted workers say. A function is linked as a task, for it runs in a sandbox. Never evaluates
a rule of a run.
"""

from collections.abc import Mapping
from typing import Any, Final

from swarm_ray.core import plan
from swarm_ray.definition.convergence import function_task
from swarm_ray.definition.gates import check_gate, names_of, nested_macro
from swarm_ray.definition.linking import Linking, Path
from swarm_ray.definition.model import FanOut, Rule, Step, Validate
from swarm_ray.definition.shapes import read_input

CODE: Final = "definition.rule"
ACROSS: Final = "results"
_CONSEQUENCE_HINT: Final = "add `consequence:`: exclude, retry_trusted or escalate"
_JUDGED: Final = {"item": read_input("object"), "output": read_input("any")}


def rules_of(fan_out: FanOut) -> list[Rule]:
    """Return the declared rules of a swarm."""
    asked = fan_out.verification.validate_
    return asked.rules if isinstance(asked, Validate) else []


def across_items(rule: Rule) -> bool:
    """Say whether a rule is about all results together."""
    return ACROSS in names_of(rule.cel)


def compiled_rules(step: Step, fan_out: FanOut) -> tuple[plan.Rule, ...]:
    """Return the rules as the core knows them; one across items has no consequence of its own, and
    the function comes last, so that it is asked about outputs alone that hold otherwise."""
    asked = fan_out.verification.validate_
    rules = [plan.Rule(rule.cel, rule.consequence or "") for rule in rules_of(fan_out)]
    if isinstance(asked, Validate) and asked.function:
        rules.append(plan.Rule("", asked.consequence or "", validating_task(step.name)))
    return tuple(rules)


def validating_task(step: str) -> str:
    """Return the name of the task that judges the outputs of a step's swarm."""
    return f"validate:{step}"


def check_rules(
    linking: Linking, step: Step, fan_out: FanOut, linked: Mapping[str, Any], path: Path
) -> None:
    """Report what is wrong with the rules of a swarm, and link the function that judges its
    outputs; `linked` is its task."""
    _link_function(linking, step, fan_out, path)
    document = linking.source.process
    target = linking.source.tasks[fan_out.task].model
    inputs = {name: read_input(kind) for name, kind in target.input.items()}
    for number, rule in enumerate(rules_of(fan_out)):
        at = (*path, "verification", "validate", "rules", number)
        problem = _problem(rule, frozenset(inputs), linked["output_schema"])
        if problem:
            code, message, hint = problem
            linking.flaw(document, code, message, *at, "cel", hint=hint)


def _link_function(linking: Linking, step: Step, fan_out: FanOut, path: Path) -> None:
    asked = fan_out.verification.validate_
    if not isinstance(asked, Validate):
        return
    document, at = linking.source.process, (*path, "verification", "validate")
    if asked.function is None:
        if asked.consequence is not None:
            message = "nothing is said to have this consequence"
            hint = "add `function:`, or write it beside the rule that it belongs to"
            linking.flaw(document, CODE, message, *at, "consequence", hint=hint)
        return
    if asked.consequence is None:
        message = "it is not said what follows where the function does not yield true"
        linking.flaw(document, CODE, message, *at, "function", hint=_CONSEQUENCE_HINT)
    linking.skill(document, asked.function, "skill", *at, "function")
    name = validating_task(step.name)
    function_task(linking, step, name, "skill", asked.function, _JUDGED)


def _problem(
    rule: Rule, inputs: frozenset[str], output: Mapping[str, Any] | None
) -> tuple[str, str, str] | None:
    if nested_macro(rule.cel):
        message = "a rule loops over a list within a loop over a list"
        return CODE, message, "compare with a value, or let the worker prepare it"
    names = names_of(rule.cel)
    if ACROSS not in names:
        if rule.consequence is None:
            message = "it is not said what follows where the rule does not hold"
            return CODE, message, _CONSEQUENCE_HINT
        return check_gate(rule.cel, inputs, output)
    if rule.consequence is not None:
        hint = "drop `consequence:`; `on_error:` of the step decides"
        return CODE, "a rule across items fails the convergence, whatever its consequence", hint
    others = sorted(names - {ACROSS})
    if others:
        return CODE, f"a rule across items cannot see {others[0]!r}", "it sees `results` alone"
    return None
