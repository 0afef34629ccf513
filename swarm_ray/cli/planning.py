"""What a run would do: steps, executors, limits, number of items and the most it can cost.

Decides only what the definition and the inputs tell; what an earlier step will yield is said to
be unknown, never guessed.
"""

from collections.abc import Mapping
from typing import Any

from swarm_ray.client.headline import duration, money, plural
from swarm_ray.client.starting import Launch
from swarm_ray.config import Settings
from swarm_ray.core.plan import FULL_PPM, FanOut, Step
from swarm_ray.engine.converging import BREAK_EVEN_ITEMS
from swarm_ray.engine.views import kind_of_step

_MICRO = 1_000_000


def plan_data(launch: Launch, settings: Settings) -> dict[str, Any]:
    """Return the plan as plain data; `items` and `most_*` are null where nothing can be said."""
    plan = launch.linked.plan
    return {
        "event": "plan",
        "process": plan.process,
        "version": plan.version,
        "deadline_us": plan.deadline_us,
        "budget": {"tokens": plan.budget.tokens, "microusd": plan.budget.microusd},
        "steps": [_step_data(step, launch, settings) for step in plan.steps],
        "notes": list(launch.linked.notes),
    }


def _step_data(step: Step, launch: Launch, settings: Settings) -> dict[str, Any]:
    task = _task_of(step, launch)
    count = _items(step, launch)
    tokens, microusd = _most(step, count, settings)
    record: dict[str, Any] = {
        "name": step.name,
        "kind": kind_of_step(step),
        "executors": executors(task),
        "inputs": list(step.inputs),
        "output": step.output,
        "items": count,
        "most_tokens": tokens,
        "most_microusd": microusd,
    }
    if step.fan_out is not None:
        spec = step.fan_out
        record |= {
            "concurrency": spec.concurrency,
            "deadline_us": spec.deadline_us,
            "strategy": spec.convergence.strategy,
            "max_attempts": spec.retry.max_attempts,
        }
    if step.effect is not None:
        record["effect"] = step.effect.tool
    return record


def plan_lines(launch: Launch, settings: Settings) -> list[str]:
    """Return the plan as text."""
    data = plan_data(launch, settings)
    plan = launch.linked.plan
    lines = [f"{plan.process} version {plan.version}: {plural(len(plan.steps), 'step')}"]
    limits = _limits(plan.deadline_us, plan.budget.tokens, plan.budget.microusd)
    if limits:
        lines.append(f"  whole run: {limits}")
    for number, (step, record) in enumerate(zip(plan.steps, data["steps"], strict=True), 1):
        lines += ["", f"{number}. {step.name} ({record['kind'].replace('_', ' ')})"]
        lines += [f"   {line}" for line in _step_lines(step, record)]
    lines += ["", *_cost_lines(data)]
    lines += [f"note: {note}" for note in launch.linked.notes]
    return lines


def _step_lines(step: Step, record: Mapping[str, Any]) -> list[str]:
    lines = []
    if record["executors"]:
        lines.append(f"done by: {', '.join(record['executors'])}")
    if step.fan_out is not None:
        lines += _fan_out_lines(step.fan_out, record["items"])
    if step.effect is not None:
        lines.append(f"effect: {step.effect.tool}, at most once, after the supervisor's grant")
    if step.question is not None:
        lines.append(f"asks: {step.question.text} ({', '.join(step.question.choices)})")
    if step.deadline_us:
        lines.append(f"within {duration(step.deadline_us)}")
    if step.on_error:
        lines.append(f"on error: {', '.join(clause.reaction for clause in step.on_error)}")
    return lines


def _fan_out_lines(spec: FanOut, count: int | None) -> list[str]:
    known = plural(count, "item") if count is not None else f"as many items as {spec.over!r} has"
    lines = [f"over {spec.over!r}: {known}, at most {spec.concurrency} at once"]
    limits = _limits(spec.deadline_us, spec.budget.tokens, spec.budget.microusd)
    if limits:
        lines.append(f"limits: {limits}")
    rule = spec.convergence
    need = (
        plural(rule.min_success_count, "item")
        if rule.min_success_count
        else f"{rule.min_success_ppm * 100 / FULL_PPM:g} %"
    )
    lines.append(
        f"converges by {rule.strategy} when {need} succeeded; each item has"
        f" {plural(spec.retry.max_attempts, 'attempt')}, then: {rule.failure_action}"
    )
    if count is not None and count < BREAK_EVEN_ITEMS:
        lines.append("below the break-even of about four items: in sequence it is as fast")
    return lines


def _limits(deadline_us: int, tokens: int, microusd: int) -> str:
    parts = []
    if deadline_us:
        parts.append(f"within {duration(deadline_us)}")
    if tokens:
        parts.append(f"at most {plural(tokens, 'token')}")
    if microusd:
        parts.append(f"at most {money(microusd)}")
    return ", ".join(parts)


def _cost_lines(data: Mapping[str, Any]) -> list[str]:
    steps = data["steps"]
    if not any(executor.startswith("model") for step in steps for executor in step["executors"]):
        return ["cost: no model is asked, so no tokens and no money are spent"]
    unknown = [step["name"] for step in steps if step["most_tokens"] is None]
    tokens = sum(step["most_tokens"] or 0 for step in steps)
    microusd = sum(step["most_microusd"] or 0 for step in steps)
    line = f"cost: at most {plural(tokens, 'token')}, {money(microusd)}"
    if unknown:
        line += f", besides {', '.join(unknown)}, whose size is not known yet"
    return [line]


def _task_of(step: Step, launch: Launch) -> Mapping[str, Any]:
    name = step.fan_out.task if step.fan_out is not None else step.task
    return launch.linked.tasks.get(name, {})


def executors(task: Mapping[str, Any]) -> list[str]:
    """Return who carries out the steps of a task, in order, each once."""
    found = [
        f"skill {step['uses']}" if step["kind"] == "skill" else str(step["kind"])
        for step in task.get("steps", ())
    ]
    return list(dict.fromkeys(found))


def _items(step: Step, launch: Launch) -> int | None:
    if step.fan_out is None:
        return 1 if step.task else 0
    over = launch.inputs.get(step.fan_out.over)
    return len(over) if isinstance(over, list) else None


def _most(step: Step, count: int | None, settings: Settings) -> tuple[int | None, int | None]:
    """Return the most tokens and micro-USD of a step: slices of all attempts, or its budget."""
    spec = step.fan_out
    slice_ = spec.slice if spec is not None else step.slice
    retry = spec.retry if spec is not None else step.retry
    budget = spec.budget if spec is not None else None
    if not slice_.tokens:
        return 0, 0
    if count is None:
        capped = budget is not None and budget.tokens
        return (budget.tokens, budget.microusd) if budget is not None and capped else (None, None)
    tokens = count * retry.max_attempts * slice_.tokens
    microusd = count * retry.max_attempts * slice_.microusd
    price = max(settings.model_price_input, settings.model_price_output)
    microusd = microusd or tokens * price // _MICRO
    if budget is not None and budget.tokens:
        tokens = min(tokens, budget.tokens)
    if budget is not None and budget.microusd:
        microusd = min(microusd, budget.microusd)
    return tokens, microusd
