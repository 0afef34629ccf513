"""The process as a whole: its inputs, limits, bindings and behaviour hints.

Decides how a process and the bindings beside it add up, and keeps behaviour hints apart from all
that decides outputs. Never looks into a step's work.
"""

from typing import Any

from swarm_ray.core import plan
from swarm_ray.definition.flaws import suggest
from swarm_ray.definition.linking import Linking
from swarm_ray.definition.load import Source
from swarm_ray.definition.model import Behavior, Step
from swarm_ray.definition.shapes import Input, object_of, read_input, schema_error


def process_inputs(linking: Linking) -> dict[str, Input]:
    """Return the inputs of the process; bindings add to them or set other defaults."""
    process, bindings = linking.source.process, linking.source.bindings
    found = linking.inputs(process, process.model.inputs, "inputs")
    if bindings is None:
        return found
    for name, entry in linking.inputs(bindings, bindings.model.inputs, "inputs").items():
        if name in found and found[name].type != entry.type:
            message = f"the input {name!r} is {found[name].type} in the process"
            hint = "bindings may change the default of an input, not its type"
            linking.flaw(bindings, "definition.input_conflict", message, "inputs", name, hint=hint)
        found[name] = entry
    return found


def run_limits(source: Source) -> tuple[int, plan.Budget]:
    """Return deadline (µs) and budget of a run; the tighter of process and bindings holds."""
    process = source.process.model
    bindings = source.bindings.model if source.bindings else None
    deadlines = [d for d in (process.deadline, bindings.deadline if bindings else None) if d]
    budgets = [process.budget, *([bindings.budget] if bindings and bindings.budget else [])]
    tokens = [budget.tokens for budget in budgets if budget.tokens]
    money = [budget.usd for budget in budgets if budget.usd]
    return min(deadlines, default=0), plan.Budget(min(tokens, default=0), min(money, default=0))


def check_bindings(linking: Linking) -> None:
    """Check that the bindings belong to this process and that each sentence is used."""
    bindings = linking.source.bindings
    if bindings is None:
        return
    process = linking.source.process.model.process
    if bindings.model.bindings != process:
        message = f"the bindings are for {bindings.model.bindings!r}, the process is {process!r}"
        hint = "correct `bindings:`"
        code = "definition.bindings_for_other"
        linking.flaw(bindings, code, message, "bindings", hint=hint)
    sentences = _sentences(linking.source)
    for sentence in bindings.model.actions:
        if sentence not in sentences:
            message = f"no step says {sentence!r}"
            hint = suggest(sentence, sentences - linking.used_sentences)
            at = ("actions", sentence)
            linking.flaw(bindings, "definition.unused_binding", message, *at, hint=hint)


def derived_schemas(source: Source) -> dict[str, dict[str, Any]]:
    """Return, per output that is fanned out over, the list schema its blueprint implies."""
    found: dict[str, dict[str, Any]] = {}
    for step in source.process.model.steps:
        target = source.tasks.get(step.fan_out.task) if step.fan_out else None
        if step.fan_out is None or target is None or not target.model.input:
            continue
        inputs = {name: read_input(kind) for name, kind in target.model.input.items()}
        if not any(schema_error(entry.schema) for entry in inputs.values()):
            found[step.fan_out.over] = {"type": "array", "items": object_of(inputs)}
    return found


def topics_of(source: Source, step: Step) -> tuple[str, ...]:
    """Return the event topics of a swarm: the process's and its blueprint's."""
    target = source.tasks.get(step.fan_out.task) if step.fan_out else None
    blocks = (source.process.model.behavior, target.model.behavior if target else None)
    return tuple(dict.fromkeys(topic for block in blocks if block for topic in block.event_topics))


def hints_of(source: Source) -> dict[str, dict[str, Any]]:
    """Return every behaviour block by the name of its process or task."""
    blocks: dict[str, Behavior | None] = {
        source.process.model.process: source.process.model.behavior
    }
    blocks |= {name: document.model.behavior for name, document in sorted(source.tasks.items())}
    return {name: block.model_dump(exclude_unset=True) for name, block in blocks.items() if block}


def _sentences(source: Source) -> set[str]:
    steps = [*source.process.model.steps]
    for document in source.tasks.values():
        steps += document.model.steps
    return {step.action for step in steps if step.action}
