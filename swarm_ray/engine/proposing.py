"""What a step proposes to the supervisor: its tool with arguments filled from the run's values.

Decides which arguments stand in the definition and whether the target of an effect was declared
there. It executes nothing.
"""

import json

from swarm_ray.core.commands import Propose
from swarm_ray.core.run import Run
from swarm_ray.definition.references import fill, names_in
from swarm_ray.engine.values import RunValues
from swarm_ray.ports.supervisor import Proposal

TARGET = "folder"
"""Argument of an effect that says where: from the definition or a run input, never from a worker."""


def proposal_of(command: Propose, machine: Run, values: RunValues) -> Proposal:
    """Return the proposal of a step that waits for its effect.

    Raises:
        SwarmError: a value that the arguments refer to cannot be had.
    """
    step = machine.plan.steps[command.step]
    assert step.effect is not None
    given = {name: values.find(name) for name in step.inputs}
    template = json.loads(step.effect.arguments)
    declared = not names_in(template.get(TARGET)) & machine.outputs.keys()
    arguments = fill(template, given)
    return Proposal(
        command.key, values.run_id, step.name, step.effect.tool, arguments, declared=declared
    )
