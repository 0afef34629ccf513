"""Sub-agents: how deep and how often the delegate steps of a task reach, and what that may cost.

Decides the limits of a task's sub-agents from its own steps and checks the declared ones. Never
starts a sub-agent; the worker does, within these limits.
"""

from typing import Any

from swarm_ray.core.plan import Budget
from swarm_ray.definition.linking import Linking
from swarm_ray.definition.load import Document
from swarm_ray.definition.model import TaskFile


def slice_of(linking: Linking, name: str, above: tuple[str, ...] = ()) -> Budget:
    """Return what one attempt of a task can spend, sub-agents included."""
    if name in above:
        return Budget()  # a circle, kept as a flaw where it was found
    linked = linking.tasks[name]
    own = linked.get("slice", {"tokens": 0, "microusd": 0})
    tokens, microusd = own["tokens"], own["microusd"]
    targets = {step["uses"] for step in linked["steps"] if step["kind"] == "delegate"}
    for target in sorted(targets & linking.tasks.keys()):
        spent = slice_of(linking, target, (*above, name))
        tokens += linked["delegate"]["count"] * spent.tokens
        microusd += linked["delegate"]["count"] * spent.microusd
    return Budget(tokens, microusd)


def delegate_needs(linking: Linking, name: str, above: tuple[str, ...] = ()) -> tuple[int, int]:
    """Return the (depth, count) of sub-agents that the delegate steps of a task need.

    Raises:
        RecursionError: the tasks delegate to each other in a circle; the message shows it.
    """
    if name in above:
        raise RecursionError(" -> ".join((*above[above.index(name) :], name)))
    document = linking.source.tasks.get(name)
    depth = count = 0
    for step in document.model.steps if document else ():
        if step.delegate:
            below = delegate_needs(linking, step.delegate.task, (*above, name))
            depth, count = max(depth, 1 + below[0]), count + 1 + below[1]
    return depth, count


def limit_delegates(linking: Linking, document: Document[TaskFile], linked: dict[str, Any]) -> None:
    """Set the limits of a task: the declared ones if they suffice, else what its steps need."""
    try:
        depth, count = delegate_needs(linking, document.model.task)
    except RecursionError as error:
        message = f"tasks delegate in a circle: {error}"
        hint = "a sub-agent must end; break the circle"
        linking.flaw(document, "definition.delegate_cycle", message, "steps", hint=hint)
        return
    declared = document.model.delegate
    if declared is None:
        linked["delegate"] = {"depth": depth, "count": count}
        return
    if declared.depth < depth or declared.count < count:
        message = f"the steps need sub-agents of depth {depth} and count {count}"
        hint = "raise the limits under `delegate:` or drop a step"
        linking.flaw(document, "definition.limit_out_of_range", message, "delegate", hint=hint)
    linked["delegate"] = declared.model_dump()
