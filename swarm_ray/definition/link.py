"""A loaded definition to a plan and executable tasks, or all of its flaws at once.

Decides the order of names in a process (what each step may use), and compiles every step. A flaw
anywhere stops the whole: nothing is linked in part. Never runs anything.
"""

from collections.abc import Mapping
from typing import Any

from swarm_ray.core import plan
from swarm_ray.definition.flaws import raise_flaws, suggest
from swarm_ray.definition.linked import Linked
from swarm_ray.definition.linking import Linking, Path
from swarm_ray.definition.load import Source
from swarm_ray.definition.model import Step
from swarm_ray.definition.processes import (
    check_bindings,
    derived_schemas,
    hints_of,
    process_inputs,
    run_limits,
    topics_of,
)
from swarm_ray.definition.serving import ModelCapabilities
from swarm_ray.definition.shapes import Input, Schema
from swarm_ray.definition.steps import link_ask, link_effect, link_single, step_kind
from swarm_ray.definition.swarms import compiled_retry, link_clauses, link_fan_out
from swarm_ray.definition.tasks import refuse_duplicate


def link(
    source: Source,
    *,
    models: ModelCapabilities | None = None,
    effects: Mapping[str, Schema] | None = None,
    sites: bool = False,
) -> Linked:
    """Check every reference of a definition and compile it.

    Args:
        source: a loaded definition.
        models: what the configured model endpoint can do; None when there is none.
        effects: tools that effects may use, each with the JSON Schema of its arguments; None
            leaves effects unchecked.
        sites: True when a solver places the items over known sites, so that requirements on the
            place and copies of items are served.

    Raises:
        StructuralError: `definition.flawed`, with every flaw of every file.
    """
    linking = Linking(source, models, effects, sites=sites)
    process = source.process.model
    inputs = process_inputs(linking)
    known: dict[str, Schema | None] = {name: entry.schema for name, entry in inputs.items()}
    derived = derived_schemas(source)
    linking.knows(source.process, process.knowledge, "knowledge")
    steps: list[plan.Step] = []
    seen: set[str] = set()
    for index, step in enumerate(process.steps):
        if step.name in seen:
            refuse_duplicate(linking, source.process, step.name, ("steps", index))
        seen.add(step.name)
        compiled = _link_step(linking, step, index, known, inputs, derived)
        steps += [compiled] if compiled else []
    output = _output(linking, known, inputs)
    check_bindings(linking)
    raise_flaws(linking.flaws, about=source.process.text.file)
    deadline_us, budget = run_limits(source)
    tasks = {
        name: {key: value for key, value in task.items() if key != "slice"}
        for name, task in sorted(linking.tasks.items())
    }
    return Linked(
        plan=plan.Plan(
            process=process.process,
            version=process.version,
            steps=tuple(steps),
            output=output,
            deadline_us=deadline_us,
            budget=budget,
        ),
        tasks=tasks,
        inputs=inputs,
        source=source,
        preload=linking.preload,
        knowledge=tuple(sorted(linking.knowledge)),
        notes=tuple(linking.notes),
        contexts=linking.contexts,
        swarms=linking.swarms,
        hints=hints_of(source),
    )


def _link_step(
    linking: Linking,
    step: Step,
    index: int,
    known: dict[str, Schema | None],
    inputs: dict[str, Input],
    derived: dict[str, Any],
) -> plan.Step | None:
    path: Path = ("steps", index)
    compiled: plan.Step | None = None
    schema: Schema | None = None
    kind = step_kind(linking, step, path)
    if kind == "fan_out":
        fan_out, schema = link_fan_out(linking, step, path, known)
        clauses = link_clauses(linking, step, path)
        compiled = plan.Step(
            name=step.name,
            inputs=(step.fan_out.over,) if step.fan_out else (),
            output=step.output or step.name,
            fan_out=fan_out,
            retry=compiled_retry(step.retry),
            deadline_us=step.deadline or 0,
            on_error=clauses,
            topics=topics_of(linking.source, step),
        )
    elif kind == "ask":
        compiled = link_ask(linking, step, path, known)
    elif kind == "single":
        serving = linking.serving(linking.source.process, step, path)
        if serving is not None and serving.kind == "effect":
            compiled = link_effect(linking, step, serving, path, known)
        elif serving is not None:
            wanted = derived.get(step.output or "")
            compiled, schema = link_single(linking, step, serving, path, known, inputs, wanted)
    elif kind == "delegate":
        compiled, schema = link_single(linking, step, None, path, known, inputs, None)
    _add_output(linking, step, schema, known, path)
    return compiled


def _add_output(
    linking: Linking, step: Step, schema: Schema | None, known: dict[str, Schema | None], path: Path
) -> None:
    output = step.output or step.name
    if output in known:
        message = f"the output {output!r} already exists"
        hint = "give each output a name of its own"
        at = (*path, "output" if step.output else "name")
        linking.flaw(linking.source.process, "definition.duplicate_output", message, *at, hint=hint)
    known[output] = schema


def _output(linking: Linking, known: dict[str, Schema | None], inputs: dict[str, Input]) -> str:
    process = linking.source.process.model
    if process.output is None:
        declared = [step.output for step in process.steps if step.output]
        return declared[-1] if declared else process.steps[-1].name
    if process.output not in known.keys() - inputs.keys():
        message = f"no step yields the output {process.output!r}"
        hint = suggest(process.output, known.keys() - inputs.keys())
        at = linking.source.process
        linking.flaw(at, "definition.unknown_output", message, "output", hint=hint)
    return process.output
