"""Single steps of a process: a task, an effect, a decision by a person.

Decides what each may use and compiles it into a `core.plan.Step`. Swarms are compiled elsewhere.
"""

from collections.abc import Mapping
from typing import Any, Literal

from swarm_ray.core import plan
from swarm_ray.definition.arguments import argument_errors, described
from swarm_ray.definition.delegates import delegate_needs, slice_of
from swarm_ray.definition.flaws import suggest
from swarm_ray.definition.keys import check_keys
from swarm_ray.definition.linking import Linking, Path
from swarm_ray.definition.model import DelegateLimits, Step
from swarm_ray.definition.references import names_in
from swarm_ray.definition.serving import Serving
from swarm_ray.definition.shapes import Input, Schema, conflict, read_input
from swarm_ray.definition.swarms import compiled_retry
from swarm_ray.definition.tasks import (
    add_step,
    check_name,
    check_reads,
    link_blueprint,
    new_task,
    unknown_task,
)
from swarm_ray.values.codec import encode_json

Known = Mapping[str, Schema | None]
Kind = Literal["fan_out", "ask", "delegate", "single", "flawed"]


def step_kind(linking: Linking, step: Step, path: Path) -> Kind:
    """Return what a step of a process is; a mixture or an empty step is a flaw."""
    document = linking.source.process
    own = [
        name
        for name in ("uses", "effect", "fan_out", "ask", "delegate")
        if getattr(step, name) is not None
    ]
    if len(own) > 1 or not (own or step.action):
        message = f"step {step.name!r} has {' and '.join(own) or 'nothing to do'}"
        hint = "a step has one of uses, action, fan_out, effect, ask, delegate"
        linking.flaw(document, "definition.step_kind", message, *path, hint=hint)
        return "flawed"
    kind = own[0] if own else "single"
    if step.gate is not None and kind in ("fan_out", "ask"):
        _refuse_gate(linking, kind, path)
    if kind == "fan_out" and step.action in linking.actions:
        message = f"the sentence of swarm step {step.name!r} is bound; its task carries it out"
        hint = "bind the sentences of the task instead"
        linking.flaw(document, "definition.bound_fan_out", message, *path, "action", hint=hint)
        linking.used_sentences.add(step.action or "")
    if kind in ("fan_out", "ask"):
        check_keys(linking, document, step, path, kind)
    if kind in ("fan_out", "ask", "delegate"):
        return kind  # type: ignore[return-value]  # narrowed by the line above
    return "single"


def link_single(
    linking: Linking,
    step: Step,
    serving: Serving | None,
    path: Path,
    known: Known,
    inputs: dict[str, Input],
    derived: Schema | None,
) -> tuple[plan.Step, Schema | None]:
    """Compile a step that runs code: it becomes the task `step:<name>`.

    `derived` is the schema that a later fan-out needs of this output; a model is held to it.
    """
    document = linking.source.process
    if serving is None:
        target = step.delegate.task if step.delegate else ""
        serving = Serving("delegate", target, step)
    settings = serving.settings
    check_keys(linking, document, step, path, "delegate" if step.delegate else "code")
    names = list(settings.input or ())
    at, key = linking.place(document, step, path, "input")
    for name in names:
        check_name(linking, at, name, known, key)
    at, key = linking.place(document, step, path, "reads")
    check_reads(linking, at, settings.reads, inputs, key)
    names = list(dict.fromkeys([*names, *(name for name in settings.reads if name in known)]))
    taken = {name: inputs.get(name) or _typed(known.get(name)) for name in names}
    schema: Schema | None = settings.output_schema
    if schema is None and serving.kind == "model" and derived is not None:
        schema = derived
        settings = settings.model_copy(update={"output_schema": dict(derived)})
        serving = Serving(serving.kind, serving.uses, settings)
    linking.gate(document, step.gate, taken, schema, *path, "gate")
    task = f"step:{step.name}"
    process = document.model
    linked = new_task(task, process.version, taken, DelegateLimits())
    add_step(linked, step, serving, None)
    linked["output"] = step.output or step.name
    linked["output_schema"] = None if schema is None else dict(schema)
    at, key = linking.place(document, step, path, "knowledge")
    own = linking.knows(at, settings.knowledge, *key)
    linked["knowledge"] = list(dict.fromkeys([*process.knowledge, *own]))
    if serving.kind == "model":
        linking.notes.append(
            f"{step.name}: a model answers {step.action or step.name!r} with text;"
            " nothing outside is changed by it"
        )
    linking.tasks[task] = linked
    linking.contexts[task] = {"memory": settings.memory}
    if settings.requires:
        linking.contexts[task]["requires"] = settings.requires.model_dump()
    if serving.kind == "delegate":
        schema = _link_delegate(linking, serving.uses, linked, known, path)
    compiled = plan.Step(
        name=step.name,
        inputs=tuple(names),
        output=step.output or step.name,
        task=task,
        retry=compiled_retry(step.retry),
        deadline_us=step.deadline or 0,
        slice=slice_of(linking, task),
    )
    return compiled, schema


def link_effect(
    linking: Linking, step: Step, serving: Serving, path: Path, known: Known
) -> plan.Step:
    """Compile a step that proposes a change of the outside world."""
    document = linking.source.process
    if linking.effects is not None and serving.uses not in linking.effects:
        message = f"no tool is named {serving.uses!r}"
        hint = suggest(serving.uses, linking.effects)
        at, key = linking.place(document, step, path, "effect")
        linking.flaw(at, "definition.unknown_effect", message, *key, hint=hint)
    check_keys(linking, document, step, path, "effect")
    if step.gate is not None:
        _refuse_gate(linking, "effect", path)
    names = list(serving.settings.input or ())
    at, key = linking.place(document, step, path, "input")
    for name in names:
        check_name(linking, at, name, known, key)
    at, key = linking.place(document, step, path, "with")
    for name in sorted(names_in(serving.settings.with_) - set(names)):
        check_name(linking, at, name, known, key)
        names.append(name)
    _check_arguments(linking, step, serving, path, known)
    arguments = encode_json(serving.settings.with_).decode()
    return plan.Step(
        name=step.name,
        inputs=tuple(names),
        output=step.output or step.name,
        effect=plan.Effect(serving.uses, arguments),
        retry=compiled_retry(step.retry),
        deadline_us=step.deadline or 0,
    )


def _check_arguments(
    linking: Linking, step: Step, serving: Serving, path: Path, known: Known
) -> None:
    schema = (linking.effects or {}).get(serving.uses)
    if schema is None:
        return
    at, key = linking.place(linking.source.process, step, path, "with")
    for place, problem in argument_errors(serving.settings.with_, schema, known):
        where = ".".join(map(str, ("with", *place)))
        message = f"{serving.uses} cannot take `{where}:`: {problem}"
        hint = f"{serving.uses} takes {described(schema)}"
        linking.flaw(at, "definition.bad_arguments", message, *key, *place, hint=hint)


def link_ask(linking: Linking, step: Step, path: Path, known: Known) -> plan.Step | None:
    """Compile a decision by a person."""
    document, ask = linking.source.process, step.ask
    if ask is None:
        return None
    if ask.default not in ask.choices or len(set(ask.choices)) < len(ask.choices):
        message = f"the default {ask.default!r} is no choice, or a choice stands twice"
        hint = suggest(ask.default, ask.choices)
        linking.flaw(document, "definition.bad_choices", message, *path, "ask", hint=hint)
    for name in step.input or ():
        check_name(linking, document, name, known, (*path, "input"))
    return plan.Step(
        name=step.name,
        inputs=tuple(step.input or ()),
        output=step.output or step.name,
        question=plan.Question(
            text=ask.question,
            choices=tuple(ask.choices),
            default=ask.default,
            expires_us=ask.expires or 0,
            holds_deadline=ask.holds_deadline,
        ),
        deadline_us=step.deadline or 0,
    )


def _refuse_gate(linking: Linking, kind: str, path: Path) -> None:
    message = f"a step with `{kind}:` runs no code that could check a gate"
    hint = "put the gate under `convergence:`, or on a step with `uses:` before this one"
    at = (*path, "gate")
    linking.flaw(linking.source.process, "definition.gate_unserved", message, *at, hint=hint)


def _typed(schema: Schema | None) -> Input:
    if not schema:
        return read_input("any")
    return read_input({key: value for key, value in schema.items() if key != "default"})


def _link_delegate(
    linking: Linking, target: str, linked: dict[str, Any], known: Known, path: Path
) -> Schema | None:
    document = linking.source.process
    blueprint = linking.source.tasks.get(target)
    if blueprint is None:
        if target not in linking.source.broken:
            unknown_task(linking, document, target, *path, "delegate", "task")
        return None
    below = link_blueprint(linking, blueprint)
    wanted = {name: read_input(kind).schema for name, kind in blueprint.model.input.items()}
    lacking = sorted(wanted.keys() - linked["inputs"].keys())
    code = "definition.schema_mismatch"
    if lacking and len(linked["inputs"]) != 1:
        message = f"task {target!r} also needs {', '.join(lacking)}"
        hint = "name these under `input:`"
        linking.flaw(document, code, message, *path, "input", hint=hint)
    for name in sorted(wanted.keys() & linked["inputs"].keys()):
        if problem := conflict(known.get(name), wanted[name], repr(name)):
            hint = "correct the producer's schema or the task's `input:`"
            linking.flaw(document, code, problem, *path, "input", hint=hint)
    try:
        depth, count = delegate_needs(linking, target)
    except RecursionError:
        return None  # kept as a flaw when the task was linked
    linked["delegate"] = {"depth": depth + 1, "count": count + 1}
    schema: Schema | None = below["output_schema"]
    return schema
