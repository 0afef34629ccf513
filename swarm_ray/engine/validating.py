"""Rules on results, evaluated by the coordinator: never by the host that is to be checked.

Decides whether an output satisfies the rules of its swarm, by expressions here and by a function
where somebody asks it. What follows is up to the core.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from swarm_ray.core.events import Row, Settled
from swarm_ray.core.plan import FanOut
from swarm_ray.core.swarm import Swarm
from swarm_ray.definition.items import ItemInputs
from swarm_ray.engine.desk import Desk
from swarm_ray.engine.outputs import Output
from swarm_ray.errors import UsageError
from swarm_ray.ports.log import Body
from swarm_ray.values.codec import decode_json
from swarm_ray.values.commitments import SALT_BYTES

MAX_RULED_BYTES = 1 << 20
"""Of one output. A larger one satisfies no rule: expressions run in the coordinator."""

Flaw = Callable[[Any, Any], str | None]
"""Says by a function of the definition what is wrong with an output for the inputs of an item."""


@dataclass(slots=True)
class Rules:
    """Compiled rules of the swarms at work."""

    compiled: dict[str, list[Any]] = field(default_factory=dict)
    inputs: dict[str, ItemInputs] = field(default_factory=dict)

    def checked(
        self, swarm: Swarm, desk: Desk, event: Settled, outputs: Mapping[str, Output]
    ) -> Settled:
        """Return an event whose rows name the first expression that their output does not
        satisfy; `outputs` are by commitment."""
        if not any(rule.consequence and rule.cel for rule in swarm.spec.rules):
            return event
        programs = self.compiled.get(swarm.id)
        if programs is None:
            programs = self.compiled[swarm.id] = programs_of(swarm.spec)
        rows = [
            replace(row, rule=self._broken(swarm, desk, row, programs, outputs[row.output]))
            if row.status == "ok"
            else row
            for row in event.rows
        ]
        return replace(event, rows=tuple(rows))

    def _broken(
        self, swarm: Swarm, desk: Desk, row: Row, programs: Sequence[Any], output: Output
    ) -> int:
        given = self.given(swarm, desk, row.item)
        values = {"input": given, "inputs": given}
        if len(output.data) <= MAX_RULED_BYTES:
            values["output"] = output.value
        for number, (rule, program) in enumerate(zip(swarm.spec.rules, programs, strict=True), 1):
            if rule.consequence and rule.cel and not holds(program, values):
                return number
        return 0

    def given(self, swarm: Swarm, desk: Desk, item: int) -> Mapping[str, Any]:
        """Return the inputs of an item by name."""
        inputs = self.inputs.get(swarm.id)
        if inputs is None:
            inputs = self.inputs[swarm.id] = ItemInputs(desk.task)
        return inputs.of(decode_json(desk.manifest.item(item)))

    def forget(self, swarm: str) -> None:
        """A swarm ended."""
        self.compiled.pop(swarm, None)
        self.inputs.pop(swarm, None)


def judges_by_function(spec: FanOut) -> str:
    """Return the task by which a function of the definition judges the outputs of a swarm; empty
    when none does."""
    return next((rule.task for rule in spec.rules if rule.task), "")


def judged_by_function(
    run: str,
    spec: FanOut,
    event: Settled,
    given: Mapping[int, Any],
    outputs: Mapping[str, Output],
    flaw: Flaw,
) -> tuple[Settled, list[Body]]:
    """Ask a function about every output that no other rule has found wrong.

    Args:
        run: id of the run that owns the reasons.
        spec: rules of the swarm; the function stands last.
        event: what a host answered.
        given: inputs of the items, by ordinal.
        outputs: what the host brought, by commitment.
        flaw: asks the function.

    Returns:
        The event, whose rows name the rule that their output breaks and the reason as their
        `error`, and the reasons.
    """
    rows: list[Row] = []
    reasons: list[Body] = []
    for row in event.rows:
        if row.status == "ok" and not row.rule:
            reason = flaw(given[row.item], outputs[row.output].value)
            if reason is not None:
                told = reason.encode(errors="replace")
                reasons.append(Body.seal("error", os.urandom(SALT_BYTES), told, "error", run))
                row = replace(row, rule=len(spec.rules), error=reasons[-1].commitment)
        rows.append(row)
    return replace(event, rows=tuple(rows)), reasons


def programs_of(spec: FanOut) -> list[Any]:
    """Return the compiled rules of a swarm, None for a function; linking has parsed each."""
    import cel  # 0.14 s to load, and most definitions have no rule

    return [cel.compile(rule.cel) if rule.cel else None for rule in spec.rules]


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
