"""Rules on results: CEL expressions that an output, or all results of a swarm, must satisfy.

Decides whether a rule can be evaluated and cannot run away: a coordinator evaluates it on what
untrusted workers say. Never evaluates a rule of a run.
"""

from collections.abc import Mapping
from typing import Any, Final

from swarm_ray.core import plan
from swarm_ray.definition.gates import check_gate, names_of, nested_macro
from swarm_ray.definition.linking import Linking, Path
from swarm_ray.definition.model import FanOut, Rule, Validate
from swarm_ray.definition.shapes import read_input

CODE: Final = "definition.rule"
ACROSS: Final = "results"


def rules_of(fan_out: FanOut) -> list[Rule]:
    """Return the declared rules of a swarm."""
    asked = fan_out.verification.validate_
    return asked.rules if isinstance(asked, Validate) else []


def across_items(rule: Rule) -> bool:
    """Say whether a rule is about all results together."""
    return ACROSS in names_of(rule.cel)


def compiled_rules(fan_out: FanOut) -> tuple[plan.Rule, ...]:
    """Return the rules as the core knows them; one across items has no consequence of its own."""
    return tuple(plan.Rule(rule.cel, rule.consequence or "") for rule in rules_of(fan_out))


def check_rules(linking: Linking, fan_out: FanOut, linked: Mapping[str, Any], path: Path) -> None:
    """Report what is wrong with the rules of a swarm; `linked` is its task."""
    document = linking.source.process
    target = linking.source.tasks[fan_out.task].model
    inputs = {name: read_input(kind) for name, kind in target.input.items()}
    for number, rule in enumerate(rules_of(fan_out)):
        at = (*path, "verification", "validate", "rules", number)
        problem = _problem(rule, frozenset(inputs), linked["output_schema"])
        if problem:
            code, message, hint = problem
            linking.flaw(document, code, message, *at, "cel", hint=hint)


def _problem(
    rule: Rule, inputs: frozenset[str], output: Mapping[str, Any] | None
) -> tuple[str, str, str] | None:
    if nested_macro(rule.cel):
        message = "a rule loops over a list within a loop over a list"
        return CODE, message, "compare with a value, or let the worker prepare it"
    names = names_of(rule.cel)
    if ACROSS not in names:
        if rule.consequence is None:
            hint = "add `consequence:`: exclude, retry_trusted or escalate"
            return CODE, "it is not said what follows where the rule does not hold", hint
        return check_gate(rule.cel, inputs, output)
    if rule.consequence is not None:
        hint = "drop `consequence:`; `on_error:` of the step decides"
        return CODE, "a rule across items fails the convergence, whatever its consequence", hint
    others = sorted(names - {ACROSS})
    if others:
        return CODE, f"a rule across items cannot see {others[0]!r}", "it sees `results` alone"
    return None
