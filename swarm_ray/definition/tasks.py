"""Task blueprints and single steps as tasks that a worker can execute.

Decides the linked form of a task (the one that `linked.json` holds) and checks every name in it.
Never decides about swarms or the order of a process.
"""

from typing import Any, Final

from swarm_ray.definition.delegates import limit_delegates
from swarm_ray.definition.flaws import suggest
from swarm_ray.definition.keys import check_keys, check_task_keys
from swarm_ray.definition.linking import Linking, Path
from swarm_ray.definition.load import Document
from swarm_ray.definition.model import DelegateLimits, Served, Slice, Step, TaskFile
from swarm_ray.definition.serving import Serving
from swarm_ray.definition.shapes import Input, Schema, is_plain

DEFAULT_SLICE: Final = Slice()


def link_blueprint(
    linking: Linking, document: Document[TaskFile], *, as_name: str = ""
) -> dict[str, Any]:
    """Link a task file; the task is kept under its own name or under `as_name`."""
    task = document.model
    name = as_name or task.task
    if name in linking.tasks:
        return linking.tasks[name]
    inputs = linking.inputs(document, task.input, "input")
    for input_name, entry in inputs.items():
        if not entry.required:
            hint = "give every item all inputs; defaults belong to the process"
            message = f"the input {input_name!r} of a blueprint has a default"
            code = "definition.task_input_default"
            linking.flaw(document, code, message, "input", input_name, hint=hint)
    limits = DelegateLimits()
    linked = new_task(name, task.version, inputs, limits)
    linking.tasks[name] = linked
    known: dict[str, Schema | None] = {}
    knowledge = linking.knows(document, task.knowledge, "knowledge")
    memory = list(task.memory)
    for index, step in enumerate(task.steps):
        settings = _link_step(linking, document, linked, step, known, inputs, index)
        if settings is not None:
            at, key = linking.place(document, step, ("steps", index), "knowledge")
            knowledge += linking.knows(at, settings.knowledge, *key)
            memory += settings.memory
    linking.schema(document, task.output_schema, "output_schema")
    if task.output not in known:
        message = f"no step yields the output {task.output!r}"
        hint = suggest(task.output, known)
        linking.flaw(document, "definition.unknown_output", message, "output", hint=hint)
    for record in linked["steps"]:
        # The schema of the task holds for the last step; one in between carries its own.
        if record["output"] != task.output and known[record["output"]] is not None:
            record["output_schema"] = known[record["output"]]
    linked["output"] = task.output
    linked["output_schema"] = task.output_schema or known.get(task.output)
    linked["knowledge"] = list(dict.fromkeys(knowledge))
    linking.contexts[name] = {"memory": list(dict.fromkeys(memory))}
    limit_delegates(linking, document, linked)
    if task.behavior and task.behavior.containment == "sealed":
        _seal(linking, document, linked)
    return linked


def new_task(
    name: str, version: int, inputs: dict[str, Input], limits: DelegateLimits
) -> dict[str, Any]:
    """Return a linked task without steps."""
    linked: dict[str, Any] = {
        "name": name,
        "version": version,
        "inputs": {key: entry.type for key, entry in inputs.items()},
        "output": "",
        "output_schema": None,
        "knowledge": [],
        "reads": [],
        "processes": 0,
        "delegate": limits.model_dump(),
        "steps": [],
    }
    if schemas := {k: dict(e.schema) for k, e in inputs.items() if not is_plain(e)}:
        linked["input_schemas"] = schemas
    return linked


def add_step(linked: dict[str, Any], step: Step, serving: Serving, names: list[str] | None) -> None:
    """Append one executable step to a linked task and widen the task's permissions for it."""
    settings = serving.settings
    with_ = dict(settings.with_)
    if serving.kind == "model":
        with_ = model_settings(step, settings) | with_
    record = {
        "name": step.name,
        "kind": serving.kind,
        "uses": serving.uses,
        "with": with_,
        "input": names,
        "output": step.output or step.name,
        "gate": step.gate,
    }
    linked["steps"].append(record)
    linked["reads"] = sorted({*linked["reads"], *settings.reads})
    linked["processes"] = max(linked["processes"], settings.processes)
    if settings.memory_bytes:
        linked["memory_bytes"] = max(linked.get("memory_bytes", 0), settings.memory_bytes)
    if serving.kind == "model" or settings.tokens:
        declared = settings.tokens or DEFAULT_SLICE
        linked.setdefault("slice", {"tokens": 0, "microusd": 0})
        linked["slice"]["tokens"] += declared.input + declared.output
        linked["slice"]["microusd"] += declared.usd


def model_settings(step: Step, settings: Served) -> dict[str, Any]:
    """Return what the model executor must know about a step."""
    tokens = settings.tokens or DEFAULT_SLICE
    return {
        "action": step.action or step.name,
        "max_tokens": tokens.output,
        "input_tokens": tokens.input,
        "output_schema": settings.output_schema,
        "examples": [example.model_dump() for example in settings.examples],
    }


def _link_step(
    linking: Linking,
    document: Document[TaskFile],
    linked: dict[str, Any],
    step: Step,
    known: dict[str, Schema | None],
    inputs: dict[str, Input],
    index: int,
) -> Served | None:
    path: Path = ("steps", index)
    _refuse_escapes(linking, document, step, path)
    if step.name in {earlier["name"] for earlier in linked["steps"]}:
        refuse_duplicate(linking, document, step.name, path)
    if step.delegate:
        serving: Serving | None = Serving("delegate", step.delegate.task, step)
        _link_target(linking, document, step.delegate.task, (*path, "delegate", "task"))
    elif step.fan_out or step.ask:
        check_task_keys(linking, document, step, path, None)
        serving = None
    else:
        serving = linking.serving(document, step, path)
    output = step.output or step.name
    if output in known or output in inputs:
        message = f"the output {output!r} already exists"
        hint = "give each output a name of its own"
        linking.flaw(document, "definition.duplicate_output", message, *path, "output", hint=hint)
    if serving is None or serving.kind == "effect":
        if serving is not None:
            message = f"step {step.name!r} of a blueprint has an effect"
            hint = "defer effects to a step of the process after the swarm"
            linking.flaw(document, "definition.effect_in_task", message, *path, hint=hint)
        known[output] = None
        return None
    settings = serving.settings
    check_keys(linking, document, step, path, "delegate" if step.delegate else "code")
    check_task_keys(linking, document, step, path, settings.requires)
    names = settings.input
    for name in names or ():
        at, key = linking.place(document, step, path, "input")
        check_name(linking, at, name, known.keys() | inputs.keys(), key)
    at, key = linking.place(document, step, path, "reads")
    check_reads(linking, at, settings.reads, inputs, key)
    visible = known | {key: entry.schema for key, entry in inputs.items()}
    seen = inputs if names is None else {name: visible.get(name) for name in names}
    linking.gate(document, step.gate, seen, settings.output_schema, *path, "gate")
    add_step(linked, step, serving, names)
    known[output] = settings.output_schema
    return settings


def check_name(
    linking: Linking, document: Document[Any], name: str, known: Any, path: Path
) -> None:
    """Check that a name exists before the step; `path` is where it is used."""
    if name not in known:
        message = f"nothing before this step yields {name!r}"
        hint = suggest(name, known)
        linking.flaw(document, "definition.unknown_input", message, *path, hint=hint)


def check_reads(
    linking: Linking,
    document: Document[Any],
    reads: list[str],
    inputs: dict[str, Input],
    path: Path,
) -> None:
    """Check that `reads:` names inputs of type path."""
    for name in reads:
        if name not in inputs or inputs[name].type != "path":
            paths = [key for key, entry in inputs.items() if entry.type == "path"]
            message = f"`reads:` names {name!r}, which is no input of type path"
            hint = suggest(name, paths)
            linking.flaw(document, "definition.unknown_reads", message, *path, hint=hint)


def refuse_duplicate(linking: Linking, document: Document[Any], name: str, path: Path) -> None:
    """Keep the flaw of a step name that stands twice."""
    message = f"two steps are named {name!r}"
    hint = "give each step a name of its own"
    linking.flaw(document, "definition.duplicate_step", message, *path, "name", hint=hint)


def _refuse_escapes(linking: Linking, document: Document[TaskFile], step: Step, path: Path) -> None:
    if step.fan_out:
        linking.flaw(
            document,
            "definition.nested_swarm",
            f"step {step.name!r} of task {document.model.task!r} has a fan_out; a worker may not"
            " start a swarm",
            *path,
            "fan_out",
            hint="make it a swarm step of the process",
        )


def _link_target(linking: Linking, document: Document[Any], name: str, path: Path) -> None:
    target = linking.source.tasks.get(name)
    if target is not None:
        link_blueprint(linking, target)
    elif name not in linking.source.broken:
        unknown_task(linking, document, name, *path)


def unknown_task(linking: Linking, document: Document[Any], name: str, *path: str | int) -> None:
    """Keep the flaw of a task that has no file."""
    files = [f.removesuffix(".yaml") for f in linking.source.files.names() if f.endswith(".yaml")]
    known = [f for f in files if f not in ("process", "bindings")]
    message = f"there is no task {name!r} ({name}.yaml)"
    linking.flaw(document, "definition.unknown_task", message, *path, hint=suggest(name, known))


def _seal(linking: Linking, document: Document[TaskFile], linked: dict[str, Any]) -> None:
    """Tighten a task to nothing but its inputs: no processes, no sub-agents, no files."""
    if any(step["kind"] == "delegate" for step in linked["steps"]):
        message = "a sealed task has a delegate step"
        hint = "drop the step, or use `containment: strict`"
        linking.flaw(document, "definition.sealed_delegate", message, "behavior", hint=hint)
    linked.update(processes=0, reads=[], delegate={"depth": 0, "count": 0})
    linking.notes.append(
        f"{linked['name']} is sealed: its workers start no process and no sub-agent and read no file"
    )
