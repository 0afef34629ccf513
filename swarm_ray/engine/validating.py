"""Rules on results, evaluated by the coordinator: never by the host that is to be checked.

Decides whether an output satisfies the rules of its swarm. What follows is up to the core.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from swarm_ray.core.events import Row, Settled
from swarm_ray.core.plan import FanOut
from swarm_ray.core.swarm import Swarm
from swarm_ray.definition.items import ItemInputs
from swarm_ray.engine.desk import Desk
from swarm_ray.errors import UsageError
from swarm_ray.ports.log import Body
from swarm_ray.values.codec import decode_json

MAX_RULED_BYTES = 1 << 20
"""Of one output. A larger one satisfies no rule: expressions run in the coordinator."""


@dataclass(slots=True)
class Rules:
    """Compiled rules of the swarms at work."""

    compiled: dict[str, list[Any]] = field(default_factory=dict)
    inputs: dict[str, ItemInputs] = field(default_factory=dict)

    def checked(self, swarm: Swarm, desk: Desk, event: Settled, bodies: Sequence[Body]) -> Settled:
        """Return an event whose rows name the first rule that their output breaks."""
        if not any(rule.consequence for rule in swarm.spec.rules):
            return event
        programs = self.compiled.get(swarm.id)
        if programs is None:
            programs = self.compiled[swarm.id] = programs_of(swarm.spec)
            self.inputs[swarm.id] = ItemInputs(desk.task)
        brought: dict[str, bytes] = {body.commitment: body.data for body in bodies}
        rows = [
            replace(row, rule=self._broken(swarm, desk, row, programs, brought[row.output]))
            if row.status == "ok"
            else row
            for row in event.rows
        ]
        return replace(event, rows=tuple(rows))

    def _broken(
        self, swarm: Swarm, desk: Desk, row: Row, programs: Sequence[Any], data: bytes
    ) -> int:
        given = self.inputs[swarm.id].of(decode_json(desk.manifest.item(row.item)))
        values = {"input": given, "inputs": given}
        if len(data) <= MAX_RULED_BYTES:
            values["output"] = decode_json(data)
        for number, (rule, program) in enumerate(zip(swarm.spec.rules, programs, strict=True), 1):
            if rule.consequence and not holds(program, values):
                return number
        return 0

    def forget(self, swarm: str) -> None:
        """A swarm ended."""
        self.compiled.pop(swarm, None)
        self.inputs.pop(swarm, None)


def programs_of(spec: FanOut) -> list[Any]:
    """Return the compiled rules of a swarm; linking has parsed each."""
    import cel  # 0.14 s to load, and most definitions have no rule

    return [cel.compile(rule.cel) for rule in spec.rules]


def holds(program: Any, values: Mapping[str, Any]) -> bool:
    """Say whether a rule yields true; one that cannot be evaluated does not."""
    try:
        return program.execute(dict(values)) is True
    except (ValueError, KeyError, TypeError, RuntimeError, OverflowError):
        return False


def check_across(swarm: Swarm, results: Sequence[Mapping[str, Any]]) -> None:
    """Check the rules across items before convergence.

    Args:
        swarm: the swarm that is about to converge.
        results: the accepted results in input order, as convergence sees them.

    Raises:
        UsageError: `validation.across_items` names the first rule that does not hold.
    """
    for rule, program in zip(swarm.spec.rules, programs_of(swarm.spec), strict=True):
        if not rule.consequence and not holds(program, {"results": list(results)}):
            raise UsageError(
                "validation.across_items",
                f"the results together do not satisfy the rule {rule.cel}",
                hint="`on_error:` of the step says how the run goes on",
            )
