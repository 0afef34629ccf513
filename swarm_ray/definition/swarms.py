"""A fan-out and its convergence as the core sees them.

Decides whether a swarm's collection, blueprint and limits fit together, and compiles them into `core.plan` values. Never decides how a swarm runs.
"""

from collections.abc import Mapping
from typing import Any, Final

from swarm_ray.core import plan
from swarm_ray.definition.convergence import function_task, link_convergence
from swarm_ray.definition.delegates import slice_of
from swarm_ray.definition.linking import Linking, Path
from swarm_ray.definition.load import Document
from swarm_ray.definition.model import (
    FanOut,
    ProcessFile,
    Retry,
    Step,
    Validate,
)
from swarm_ray.definition.quantities import ratio_ppm
from swarm_ray.definition.redundancy import check_redundancy, compiled_redundancy, least_copies
from swarm_ray.definition.rules import check_rules, compiled_rules
from swarm_ray.definition.shapes import Schema, conflict, object_of, read_input
from swarm_ray.definition.tasks import link_blueprint, unknown_task
from swarm_ray.values.records import to_record

Known = Mapping[str, Schema | None]
_REACTION: Final = {
    "type": "object",
    "properties": {"reaction": {"enum": ["retry", "proceed", "sequential", "escalate"]}},
    "required": ["reaction"],
}
_ERROR_INPUTS: Final = {"results": "list", "errors": "list", "metadata": "object"}


def link_fan_out(
    linking: Linking, step: Step, path: Path, known: Known
) -> tuple[plan.FanOut | None, Schema | None]:
    """Return the compiled fan-out of a step and the schema of its merged result."""
    document = linking.source.process
    fan_out = step.fan_out
    assert fan_out is not None
    path = (*path, "fan_out")
    _check_over(linking, document, fan_out, known, path)
    _check_limits(linking, document, fan_out, path)
    target = linking.source.tasks.get(fan_out.task)
    if target is None:
        if fan_out.task not in linking.source.broken:
            unknown_task(linking, document, fan_out.task, *path, "task")
        return None, None
    linked = link_blueprint(linking, target)
    _check_items(linking, document, fan_out, linked, known, path)
    _check_verification(linking, document, fan_out, linked, path)
    at = (*path, "convergence")
    merged = link_convergence(linking, step, fan_out.convergence, linked["output_schema"], at)
    _check_models(linking, document, fan_out, linked, path)
    check_redundancy(linking, step, fan_out, linked["output_schema"], path)
    check_rules(linking, step, fan_out, linked, path)
    _describe(linking, step, fan_out)
    spent = slice_of(linking, linked["name"])
    _check_budget(linking, document, fan_out, spent, path)
    return _compiled(step, fan_out, linked["name"], spent), merged


def compiled_retry(retry: Retry | None) -> plan.Retry:
    """Return the retry rule of a step, the default when none is declared."""
    if retry is None:
        return plan.Retry()
    return plan.Retry(
        max_attempts=retry.max_attempts,
        initial_interval_us=retry.initial_interval,
        backoff_ppm=retry.backoff_factor,
        max_interval_us=retry.max_interval,
        jitter_ppm=retry.jitter,
        max_identical=retry.max_identical,
    )


def link_clauses(linking: Linking, step: Step, path: Path) -> tuple[plan.Clause, ...]:
    """Return the compiled `on_error:` clauses of a step."""
    document = linking.source.process
    clauses = []
    for index, clause in enumerate(step.on_error):
        task = ""
        if clause.uses:
            task = f"on_error:{step.name}:{index}"
            inputs = {name: read_input(kind) for name, kind in _ERROR_INPUTS.items()}
            linked = function_task(linking, step, task, "skill", clause.uses, inputs)
            linked["output_schema"] = _REACTION
            linking.skill(document, clause.uses, "skill", *path, "on_error", index, "uses")
        clauses.append(
            plan.Clause(
                reaction=clause.reaction,
                name=clause.name or "",
                task=task,
                min_success_ppm=clause.when.min_success_ratio,
                max_times=clause.max_times,
            )
        )
    return tuple(clauses)


def _compiled(step: Step, fan_out: FanOut, task: str, spent: plan.Budget) -> plan.FanOut:
    rule = fan_out.convergence
    ratio = rule.min_success_ratio
    code = f"converge:{step.name}" if rule.strategy in ("merge", "reduce", "custom") else ""
    convergence = plan.Convergence(
        strategy=rule.strategy,
        task=code,
        min_success_ppm=ratio_ppm(ratio) if isinstance(ratio, float) else 0,
        min_success_count=ratio if isinstance(ratio, int) else 0,
        failure_action=rule.failure_action,
        quorum=rule.quorum or 0,
        reserve_ppm=rule.reserve,
    )
    return plan.FanOut(
        over=fan_out.over,
        task=task,
        concurrency=fan_out.concurrency,
        convergence=convergence,
        retry=compiled_retry(fan_out.retry),
        deadline_us=fan_out.deadline or 0,
        item_deadline_us=fan_out.item_deadline or 0,
        budget=plan.Budget(fan_out.budget.tokens, fan_out.budget.usd),
        slice=spent,
        adaptive=fan_out.adaptive,
        redundancy=compiled_redundancy(fan_out.verification.redundancy),
        rules=compiled_rules(step, fan_out),
    )


def _check_over(
    linking: Linking, document: Document[ProcessFile], fan_out: FanOut, known: Known, path: Path
) -> None:
    if fan_out.over not in known:
        from_names = ", ".join(sorted(known)) or "nothing yet"
        message = f"`over:` names {fan_out.over!r}, which nothing before yields"
        hint = f"known here: {from_names}"
        linking.flaw(document, "definition.unknown_input", message, *path, "over", hint=hint)
        return
    schema = known[fan_out.over] or {}
    if schema.get("format") != "path" and conflict(schema, {"type": "array"}):
        message = f"`over:` names {fan_out.over!r}, which is no list and no file of items"
        hint = "fan out over a list, or an input of type path"
        linking.flaw(document, "definition.over_not_list", message, *path, "over", hint=hint)


def _check_limits(
    linking: Linking, document: Document[ProcessFile], fan_out: FanOut, path: Path
) -> None:
    code = "definition.limit_out_of_range"
    if fan_out.deadline and fan_out.item_deadline and fan_out.item_deadline > fan_out.deadline:
        message = "the deadline of an item is longer than the deadline of its swarm"
        hint = "shorten `item_deadline:`"
        linking.flaw(document, code, message, *path, "item_deadline", hint=hint)
    rule = fan_out.convergence
    least = rule.min_success_ratio
    if rule.quorum and isinstance(least, int) and rule.quorum < least:
        message = f"a quorum of {rule.quorum} ends the swarm before {least} items succeeded"
        at = (*path, "convergence", "quorum")
        linking.flaw(document, code, message, *at, hint="raise the quorum")
    if fan_out.retry.max_interval < fan_out.retry.initial_interval:
        message = "`max_interval:` is shorter than `initial_interval:`"
        at = (*path, "retry", "max_interval")
        linking.flaw(document, code, message, *at, hint="raise `max_interval:`")


def _check_budget(
    linking: Linking,
    document: Document[ProcessFile],
    fan_out: FanOut,
    spent: plan.Budget,
    path: Path,
) -> None:
    declared = fan_out.budget
    copies = least_copies(fan_out.verification.redundancy)
    tokens, microusd = copies * spent.tokens, copies * spent.microusd
    if 0 < declared.tokens < tokens or 0 < declared.usd < microusd:
        message = (
            f"the budget is below what one item reserves: {tokens} tokens, {microusd} micro-USD"
        )
        hint = "raise `budget:` or lower `tokens:` of the step"
        at = (*path, "budget")
        linking.flaw(document, "definition.budget_below_slice", message, *at, hint=hint)


def _check_items(
    linking: Linking,
    document: Document[ProcessFile],
    fan_out: FanOut,
    linked: dict[str, Any],
    known: Known,
    path: Path,
) -> None:
    given = (known.get(fan_out.over) or {}).get("items")
    target = linking.source.tasks[fan_out.task]
    inputs = {name: read_input(kind) for name, kind in target.model.input.items()}
    if not isinstance(given, Mapping) or not inputs:
        return
    wanted: Schema = object_of(inputs)
    single = next(iter(inputs.values())).schema if len(inputs) == 1 else None
    problem = conflict(given, wanted, "an item")
    if problem and not (single is not None and not conflict(given, single)):
        message = f"{fan_out.over!r} does not fit the inputs of {linked['name']!r}: {problem}"
        hint = "correct the output schema of the producer or `input:` of the blueprint"
        linking.flaw(document, "definition.schema_mismatch", message, *path, "over", hint=hint)


def _check_models(
    linking: Linking,
    document: Document[ProcessFile],
    fan_out: FanOut,
    linked: dict[str, Any],
    path: Path,
) -> None:
    asks_a_model = any(step["kind"] == "model" for step in linked["steps"])
    if asks_a_model and linking.models and not linking.models.serve(fan_out.requires.model):
        message = "no configured model meets `requires: {model: ...}` of this swarm"
        hint = "relax the requirement or configure a stronger model"
        at = (*path, "requires", "model")
        linking.flaw(document, "definition.unserved_action", message, *at, hint=hint)


def _refuse_requirements(
    linking: Linking, document: Document[ProcessFile], fan_out: FanOut, path: Path
) -> None:
    """Hard requirements are refused, never ignored, where no solver places items over sites."""
    if linking.sites:
        return
    for name in ("residency", "hardware", "deadline_probability"):
        if getattr(fan_out.requires, name):
            linking.flaw(
                document,
                "definition.requirement_unserved",
                f"`requires: {{{name}: ...}}` is not served on this cluster alone",
                *path,
                "requires",
                name,
                hint="`swarm-ray plan --sites FILE` shows where it would hold; take it out to run here",
            )


def _check_verification(
    linking: Linking,
    document: Document[ProcessFile],
    fan_out: FanOut,
    linked: dict[str, Any],
    path: Path,
) -> None:
    _refuse_requirements(linking, document, fan_out, path)
    asked = fan_out.verification
    at = (*path, "verification")
    if asked.attestation == "none":
        message = "`attestation: none` cannot be had"
        hint = "drop it: every host signs what it did, and a batch without signature is refused"
        code = "definition.attestation_always"
        linking.flaw(document, code, message, *at, "attestation", hint=hint)
    schema = asked.validate_ == "schema" or (
        isinstance(asked.validate_, Validate) and asked.validate_.schema_
    )
    if schema and linked["output_schema"] is None:
        message = f"task {linked['name']!r} declares no schema to validate against"
        hint = "add `output_schema:` to the task or to the binding of its last step"
        code = "definition.validate_without_schema"
        linking.flaw(document, code, message, *at, "validate", hint=hint)


def _convergence_slice(linking: Linking, step: Step) -> plan.Budget:
    task = f"converge:{step.name}"
    return slice_of(linking, task) if task in linking.tasks else plan.Budget()


def _describe(linking: Linking, step: Step, fan_out: FanOut) -> None:
    """Keep what others than the core need to know about the swarm."""
    vote = fan_out.convergence.vote
    linking.swarms[step.name] = {
        "requires": fan_out.requires.model_dump(),
        "verification": fan_out.verification.model_dump(by_alias=True),
        "vote": vote.model_dump() if vote else None,
        "convergence_slice": to_record(_convergence_slice(linking, step)),
    }
