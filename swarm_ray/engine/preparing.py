"""Preparing a swarm: fix its input set, compile its context, name both by commitment.

Decides what the items of each kind of swarm are. It stores bodies and returns the event; the
engine appends it.
"""

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from swarm_ray.context.compiler import compile_context
from swarm_ray.core.commands import Prepare
from swarm_ray.core.events import StepRefused, SwarmOpened
from swarm_ray.core.plan import Step
from swarm_ray.core.run import Run
from swarm_ray.core.swarm import Swarm
from swarm_ray.core.tables import ItemState
from swarm_ray.definition.redundancy import projection_of
from swarm_ray.engine.bundles import Loaded
from swarm_ray.engine.copying import require_domains, rule_of
from swarm_ray.engine.recall import recall
from swarm_ray.engine.values import RunValues
from swarm_ray.errors import StorageError, SwarmError, UsageError
from swarm_ray.ports.clock import Clock
from swarm_ray.ports.hosts import HostInfo
from swarm_ray.values.codec import decode_json, encode_json
from swarm_ray.values.ids import uuid7
from swarm_ray.values.manifest import Manifest, write_manifest

MAX_ITEM_BYTES = 16 * 2**20
MAX_RESULTS_BYTES = 512 * 2**20


@dataclass(frozen=True, slots=True)
class Prepared:
    """The event of a prepared swarm, with its manifest and context at hand."""

    event: SwarmOpened
    manifest: Manifest
    context: Mapping[str, Any]


Seats = Mapping[str, HostInfo]


def prepare(
    command: Prepare, run: Run, loaded: Loaded, values: RunValues, clock: Clock, seats: Seats
) -> Prepared | StepRefused:
    """Fix the input set of a swarm; a refusal names the reason by commitment. `seats` are the hosts
    that are there: copies need them in distinct trust domains."""
    try:
        return _prepare(command, run, loaded, values, clock, seats)
    except StorageError:
        raise
    except SwarmError as error:
        detail = values.put("error", str(error).encode(), "error")
        return StepRefused(command.step, command.round, error.code, detail, command.kind)


def _prepare(
    command: Prepare, run: Run, loaded: Loaded, values: RunValues, clock: Clock, seats: Seats
) -> Prepared:
    task = loaded.tasks[task_name(command, run)]
    step = run.plan.steps[command.step]
    rule = rule_of(command, run)
    domains = require_domains(rule, seats)
    limit = MAX_ITEM_BYTES if command.kind == "fan_out" else MAX_RESULTS_BYTES
    out = io.BytesIO()
    summary = write_manifest(
        _items(command, run, values), clock.random(32), out, max_item_bytes=limit
    )
    blob = out.getvalue()
    settings = loaded.process["swarms"].get(step.name, {})
    chains = loaded.process["contexts"].get(task["name"], {}).get("memory", [])
    context = compile_context(
        task,
        knowledge=loaded.knowledge,
        memory=recall(run, values, chains, command.swarm),
        values={name: values.find(name) for name in task.get("reads", ())},
        projection=_projection(command, step, settings),
    )
    spent = step.fan_out.slice if command.kind == "fan_out" and step.fan_out else step.slice
    event = SwarmOpened(
        uuid7(clock.now_us() // 1000, clock.random(10)),
        command.kind,
        command.step,
        command.round,
        summary.count,
        values.put("manifest", blob, "input"),
        summary.root,
        spent.tokens if command.kind in ("fan_out", "step") else 0,
        spent.microusd if command.kind in ("fan_out", "step") else 0,
        values.put("context", encode_json(context), "context"),
        domains,
        _default(values, settings) if rule is not None else "",
    )
    return Prepared(event, Manifest(blob, summary.root), context)


def task_name(command: Prepare, run: Run) -> str:
    """Return the name of the bundle task that a swarm's workers execute."""
    step = run.plan.steps[command.step]
    match command.kind:
        case "fan_out" if step.fan_out:
            return step.fan_out.task
        case "converge" if step.fan_out:
            return step.fan_out.convergence.task
        case "on_error":
            return step.on_error[command.clause].task
        case _:
            return step.task


def _items(command: Prepare, run: Run, values: RunValues) -> Iterable[bytes]:
    step = run.plan.steps[command.step]
    match command.kind:
        case "fan_out" if step.fan_out:
            over = values.find(step.fan_out.over)
            if not isinstance(over, list):
                raise UsageError(
                    "swarm.not_a_list",
                    f"`over: {step.fan_out.over}` is {type(over).__name__}, not a list",
                    hint="fan out over a list; one element is one item",
                )
            return (encode_json(element) for element in over)
        case "converge":
            results = accepted_results(run.swarms[command.swarm], values)
            return [encode_json({"results": results})]
        case "on_error":
            return [encode_json(failure_report(run, command.swarm, values))]
        case _:
            return [encode_json({name: values.find(name) for name in step.inputs})]


def accepted_results(swarm: Swarm, values: RunValues) -> list[dict[str, Any]]:
    """Return the accepted results in input order, as convergence sees them: with their inputs
    and execution metadata, without a word on which host or model produced them."""
    manifest = values.manifest(swarm.opened)
    rows = values.rows(swarm.id)
    return [
        {
            "ordinal": item,
            "input": decode_json(manifest.item(item)),
            "output": values.read(swarm.outputs[item]),
            "status": "ok",
            "duration_us": rows[item].duration_us,
            "tokens": rows[item].tokens,
        }
        for item in swarm.accepted()
    ]


def failure_report(run: Run, name: str, values: RunValues) -> dict[str, Any]:
    """Return what an error clause receives: partial results, errors, execution metadata."""
    swarm = run.swarms.get(name)
    if swarm is None:
        return {"results": [], "errors": [], "metadata": {"items": 0}}
    failed = [
        {"ordinal": item, "code": swarm.failures.get(item, ("", 0))[0], "attempts": count}
        for item, count in enumerate(swarm.attempts)
        if ItemState(swarm.items[item]) is not ItemState.DONE
    ]
    return {
        "results": accepted_results(swarm, values),
        "errors": failed,
        "metadata": {
            "items": swarm.opened.items,
            "succeeded": swarm.succeeded,
            "attempts": swarm.usage.attempts,
            "tokens": swarm.usage.tokens,
            "work_us": swarm.usage.work_us,
            "code": swarm.code,
        },
    }


def _default(values: RunValues, settings: Mapping[str, Any]) -> str:
    """Store the answer that is taken where copies disagree, if one is declared."""
    asked = settings["verification"]["redundancy"]
    if asked["tiebreak"] != "conservative":
        return ""
    return values.put("output", encode_json(asked["default"]), "output")


def _projection(command: Prepare, step: Step, settings: Mapping[str, Any]) -> dict[str, str]:
    """Fields of the output that the host reports beside it; "" is the whole output."""
    if command.kind == "on_error":
        return {"label": "reaction"}
    copied = projection_of(settings["verification"]["redundancy"]) if settings else {}
    if command.kind == "fan_out" and copied:
        return copied
    voted = step.fan_out is not None and step.fan_out.convergence.strategy == "vote"
    if command.kind != "fan_out" or not voted:
        return {}
    vote = settings.get("vote") or {"label": ""}
    return {key: value for key, value in vote.items() if value is not None}
