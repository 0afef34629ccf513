"""Definitions made in Python: `swarm.map(function, items)` as a process like any other.

Decides how a function and its limits are written down as a definition of one swarm; that text is
then loaded, linked and packed the same way as a file. Never starts anything.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from swarm_ray.definition.bundle import Bundle, pack
from swarm_ray.definition.files import MemoryFiles
from swarm_ray.definition.link import link
from swarm_ray.definition.linked import Linked
from swarm_ray.definition.load import load_files
from swarm_ray.definition.python_source import arguments_of, skill_source
from swarm_ray.errors import UsageError
from swarm_ray.values.codec import encode_json

ITEMS: Final = "items"
RESULTS: Final = "results"
CONVERGED: Final = "converged"


@dataclass(frozen=True, slots=True)
class Convergence:
    """How the results of a mapped function become one.

    `min_success_ratio`: a float is a share of the items, an int a count. `function` is the merge
    function `f(results, ctx)` or reduction `f(acc, result, ctx)` of those strategies, `steps` are
    the functions of a custom one. `label` and `confidence` name the fields of a vote; without
    `label` the output itself is the vote.
    """

    strategy: str = "collect"
    min_success_ratio: float | int = 1.0
    failure_action: str = "retry"
    function: Callable[..., Any] | None = None
    steps: tuple[Callable[..., Any], ...] = ()
    label: str = ""
    confidence: str = ""
    quorum: int = 0


@dataclass(frozen=True, slots=True)
class Mapped:
    """A function as a linked and packed definition of one swarm over the input `items`."""

    linked: Linked
    bundle: Bundle


def map_process(
    function: Callable[..., Any],
    *,
    concurrency: int = 8,
    deadline: str = "",
    item_deadline: str = "",
    convergence: Convergence | None = None,
    budget: Mapping[str, Any] | None = None,
    retry: Mapping[str, Any] | None = None,
    output_schema: Mapping[str, Any] | None = None,
    processes: int = 0,
) -> Mapped:
    """Return the definition that runs `function(item)` or `function(item, ctx)` over `items`.

    Limits are written as in YAML: `deadline="30s"`, `budget={"tokens": 1000, "usd": 0.5}`.

    Raises:
        UsageError: `definition.unportable_function` when the function cannot travel.
        StructuralError: `definition.flawed` when a limit or the strategy does not hold.
    """
    rule = convergence or Convergence()
    source = skill_source(function)
    body = "item, ctx" if arguments_of(function) == 2 else "item"
    files = {
        "skills/mapped.py": source.text,
        "skills/calls.py": "\n\n\n".join(
            [
                f'"""Calls the mapped function."""\n\nfrom mapped import {function.__name__} as mapped',
                f"def run(inputs, ctx):\n    item = inputs['item']\n    return mapped({body})\n",
            ]
        ),
    }
    libraries = set(source.libraries)
    converge, needed = _convergence(rule, files)
    libraries |= needed
    name = function.__name__.strip("_") or "mapped"
    fan_out = {
        "over": ITEMS,
        "task": "mapped_item",
        "concurrency": concurrency,
        "convergence": converge,
        **({"deadline": deadline} if deadline else {}),
        **({"item_deadline": item_deadline} if item_deadline else {}),
        **({"budget": dict(budget)} if budget else {}),
        **({"retry": dict(retry)} if retry else {}),
    }
    process = {
        "process": name,
        "version": 1,
        "inputs": {ITEMS: "list"},
        "steps": [{"name": "map", "fan_out": fan_out, "output": RESULTS}],
        "output": RESULTS,
    }
    step: dict[str, Any] = {"name": "call", "uses": "calls:run", "output": "output"}
    task: dict[str, Any] = {
        "task": "mapped_item",
        "version": 1,
        "input": {"item": "any"},
        "steps": [step | ({"processes": processes} if processes else {})],
        "output": "output",
    }
    if output_schema is not None:
        task["output_schema"] = dict(output_schema)
    bindings = {"bindings": name, "version": 1, "preload": sorted(libraries)}
    content = {path: text.encode() for path, text in files.items()}
    # JSON is YAML; canonical bytes give equal functions equal digests.
    content |= {"process.yaml": encode_json(process), "mapped_item.yaml": encode_json(task)}
    content |= {"bindings.yaml": encode_json(bindings)}
    linked = link(load_files(MemoryFiles(content, label=name)))
    return Mapped(linked, pack(linked))


def _convergence(rule: Convergence, files: dict[str, str]) -> tuple[dict[str, Any], set[str]]:
    converge: dict[str, Any] = {
        "strategy": rule.strategy,
        "min_success_ratio": rule.min_success_ratio,
        "failure_action": rule.failure_action,
    }
    if rule.quorum:
        converge["quorum"] = rule.quorum
    if rule.label:
        converge["vote"] = {"label": rule.label}
        converge["vote"] |= {"confidence": rule.confidence} if rule.confidence else {}
    if rule.steps:
        return converge | {"task": CONVERGED}, _custom(rule.steps, files)
    if rule.function is None:
        return converge, set()
    if rule.strategy not in ("merge", "reduce"):
        raise UsageError(
            "definition.convergence_function",
            f"the strategy {rule.strategy!r} takes no function",
            hint="use merge or reduce, or leave the function out",
        )
    source = skill_source(rule.function)
    files["skills/converged.py"] = source.text
    converge["uses"] = f"converged:{rule.function.__name__}"
    return converge, set(source.libraries)


def _custom(functions: tuple[Callable[..., Any], ...], files: dict[str, str]) -> set[str]:
    """Write the task of a custom convergence, a step per function; return the libraries needed."""
    imports, calls, steps = [], [], []
    libraries: set[str] = set()
    value = RESULTS
    for number, function in enumerate(functions, 1):
        source = skill_source(function)
        libraries |= set(source.libraries)
        files[f"skills/{CONVERGED}_{number}.py"] = source.text
        imports.append(f"from {CONVERGED}_{number} import {function.__name__} as function_{number}")
        given = f"inputs[{value!r}]" + (", ctx" if arguments_of(function) == 2 else "")
        calls.append(f"def step_{number}(inputs, ctx):\n    return function_{number}({given})\n")
        step = {"name": f"step_{number}", "uses": f"{CONVERGED}:step_{number}", "input": value}
        value = f"value_{number}"
        steps.append({**step, "output": value})
    head = '"""Calls the functions of the convergence in order."""'
    files[f"skills/{CONVERGED}.py"] = "\n\n\n".join([head, "\n".join(imports), *calls])
    task = {"task": CONVERGED, "version": 1, "input": {RESULTS: "list"}, "steps": steps}
    files[f"{CONVERGED}.yaml"] = encode_json({**task, "output": value}).decode()
    return libraries
