"""The convergence rule of a swarm: does the strategy fit the output, and what code runs it.

Decides the schema of the merged result and the task that a user's merge, reduce or custom
convergence becomes. Never converges anything.
"""

from typing import Any, Final

from swarm_ray.definition.linking import Linking, Path
from swarm_ray.definition.load import Document
from swarm_ray.definition.model import Convergence, DelegateLimits, ProcessFile, Served, Step
from swarm_ray.definition.serving import Serving
from swarm_ray.definition.shapes import Schema, conflict, fields_of, is_scalar, read_input
from swarm_ray.definition.tasks import add_step, link_blueprint, new_task, unknown_task

_RESULTS: Final = {"results": read_input("list")}


def link_convergence(
    linking: Linking, step: Step, rule: Convergence, output: Schema | None, path: Path
) -> Schema | None:
    """Return the schema of the merged result, the rule checked and its task linked."""
    document = linking.source.process
    linking.schema(document, rule.output_schema, *path, "output_schema")
    for key, value, strategies in (
        ("uses", rule.uses, ("merge", "reduce")),
        ("task", rule.task, ("custom",)),
        ("vote", rule.vote, ("vote",)),
    ):
        if value is not None and rule.strategy not in strategies:
            message = f"the strategy {rule.strategy!r} takes no `{key}:`"
            hint = f"`{key}:` belongs to {' and '.join(strategies)}"
            code = "definition.strategy_key"
            linking.flaw(document, code, message, *path, key, hint=hint)
    match rule.strategy:
        case "merge" | "reduce":
            _link_function(linking, step, rule, path)
            return rule.output_schema
        case "custom":
            _link_custom(linking, step, rule, path)
            return rule.output_schema
        case "vote":
            _check_vote(linking, document, rule, output, path)
            _refuse_gate(linking, document, rule, path)
            return None
        case "collect":
            _refuse_gate(linking, document, rule, path)
            return {"type": "array", "items": dict(output)} if output else {"type": "array"}


def _refuse_gate(
    linking: Linking, document: Document[ProcessFile], rule: Convergence, path: Path
) -> None:
    if rule.gate is not None:
        message = f"the strategy {rule.strategy!r} runs no code that could check a gate"
        hint = "put the gate on the next step, or use merge, reduce or custom"
        linking.flaw(document, "definition.gate_unserved", message, *path, "gate", hint=hint)


def _link_function(linking: Linking, step: Step, rule: Convergence, path: Path) -> None:
    document = linking.source.process
    if rule.uses is None:
        message = f"the strategy {rule.strategy!r} needs a function"
        hint = f"add `uses: module:{rule.strategy}`"
        at = (*path, "strategy")
        linking.flaw(document, "definition.strategy_needs_uses", message, *at, hint=hint)
        return
    linking.skill(document, rule.uses, rule.strategy, *path, "uses")
    linking.gate(document, rule.gate, _RESULTS, rule.output_schema, *path, "gate")
    name = f"converge:{step.name}"
    linked = function_task(linking, step, name, rule.strategy, rule.uses, _RESULTS)
    linked["output_schema"] = rule.output_schema
    linked["steps"][0]["gate"] = rule.gate


def function_task(
    linking: Linking, step: Step, name: str, kind: str, uses: str, inputs: dict[str, Any]
) -> dict[str, Any]:
    """Return a new task of one step that calls a user function of the definition."""
    linked = new_task(name, linking.source.process.model.version, inputs, DelegateLimits())
    serving = Serving(kind, uses, Served())
    plain = Step(name=step.name, output="result")
    add_step(linked, plain, serving, None)
    linked["output"] = "result"
    linking.tasks[name] = linked
    linking.contexts[name] = {"memory": []}
    return linked


def _link_custom(linking: Linking, step: Step, rule: Convergence, path: Path) -> None:
    document = linking.source.process
    if rule.task is None:
        message = "the strategy 'custom' needs a task of its own"
        at = (*path, "strategy")
        hint = "add `task:` with the name of a task that takes `results`"
        linking.flaw(document, "definition.strategy_needs_task", message, *at, hint=hint)
        return
    target = linking.source.tasks.get(rule.task)
    if target is None:
        if rule.task not in linking.source.broken:
            unknown_task(linking, document, rule.task, *path, "task")
        return
    if set(target.model.input) != {"results"}:
        message = f"task {rule.task!r} must take `results` and nothing else"
        linking.flaw(
            target, "definition.custom_inputs", message, "input", hint="write `results: list`"
        )
    linked = link_blueprint(linking, target, as_name=f"converge:{step.name}")
    if rule.gate is not None and linked["steps"]:
        linking.gate(document, rule.gate, _RESULTS, linked["output_schema"], *path, "gate")
        both = [gate for gate in (linked["steps"][-1]["gate"], rule.gate) if gate]
        linked["steps"][-1]["gate"] = " && ".join(f"({gate})" for gate in both)


def _check_vote(
    linking: Linking,
    document: Document[ProcessFile],
    rule: Convergence,
    output: Schema | None,
    path: Path,
) -> None:
    code, problem = "definition.strategy_output", ""
    fields = fields_of(output)
    if rule.vote is None:
        if output is None or not is_scalar(output):
            problem = "a vote needs an output that is one text, number or truth value"
    elif rule.vote.label not in fields:
        problem = f"the output schema of the task has no field {rule.vote.label!r} to vote on"
    elif rule.vote.confidence and conflict(
        fields.get(rule.vote.confidence, {"type": "null"}), {"type": "number"}
    ):
        problem = f"the field {rule.vote.confidence!r} is no number in the output schema"
    if problem:
        hint = "declare `output_schema:` of the task and name its fields under `vote:`"
        linking.flaw(document, code, problem, *path, "strategy", hint=hint)
