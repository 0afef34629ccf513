"""What is found out about the results of a delivery before they enter the log.

Decides who is asked and when: expressions and bytes are judged at once, large outputs and functions
of the definition beside the loop and one delivery after the other.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import eq
from typing import Any

from swarm_ray.config import Settings
from swarm_ray.core.events import Settled
from swarm_ray.core.swarm import Swarm
from swarm_ray.definition.redundancy import comparing_task
from swarm_ray.engine.bundles import Loaded
from swarm_ray.engine.copying import Comparing, compares_by_function
from swarm_ray.engine.desk import Desk
from swarm_ray.engine.functions import Functions
from swarm_ray.engine.outputs import LARGE_BYTES, Output, Outputs
from swarm_ray.engine.validating import Rules, judged_by_function, judges_by_function
from swarm_ray.ports.hosts import Parcel
from swarm_ray.ports.log import Bodies, Body
from swarm_ray.values.codec import decode_json


@dataclass(frozen=True, slots=True)
class Case:
    """Verified results of one delivery: what was ordered, what the host answered, the outputs that
    it brought, and the descriptions of what the workers ran in."""

    swarm: Swarm
    desk: Desk
    parcel: Parcel
    loaded: Loaded
    event: Settled
    bodies: Sequence[Body]
    sandboxes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Judged:
    """Results as they enter the log, with the outputs and the reasons that they name."""

    event: Settled
    bodies: tuple[Body, ...]


@dataclass(slots=True)
class Judging:
    """Judges of one coordinator."""

    bodies: Bodies
    settings: Settings
    outputs: Outputs = field(default_factory=Outputs)
    rules: Rules = field(default_factory=Rules)
    comparing: Comparing = field(init=False)
    functions: Functions = field(init=False)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.comparing = Comparing(self.bodies)
        self.functions = Functions(self.settings)

    def asks(self, swarm: Swarm) -> bool:
        """Say whether functions of the definition judge the results of a swarm."""
        return compares_by_function(swarm) or bool(judges_by_function(swarm.spec))

    def takes_time(self, case: Case) -> bool:
        """Say whether results are judged beside the loop, which must not wait for it."""
        large = sum(len(body.data) for body in case.bodies) > LARGE_BYTES
        return large or self.asks(case.swarm)

    def judged(self, case: Case) -> Judged:
        """Judge results by bytes and expressions alone.

        Raises:
            IntegrityError: `copies.wrong_label`, or what `Outputs.read` raises.
        """
        return self._judged(case, self._outputs(case))

    def _outputs(self, case: Case) -> dict[str, Output]:
        return self.outputs.read(case.swarm, case.desk, case.loaded, case.event, case.bodies)

    def _judged(self, case: Case, outputs: Mapping[str, Output]) -> Judged:
        event = self.rules.checked(case.swarm, case.desk, case.event, outputs)
        event = self.comparing.compared(case.swarm, case.parcel, event, outputs, eq)
        return Judged(event, tuple(case.bodies))

    async def judged_beside(self, case: Case) -> Judged:
        """Judge results beside the loop. The caller holds `turn`.

        Raises:
            IntegrityError: `copies.wrong_label`, or what `Outputs.read` raises.
        """
        outputs = await asyncio.to_thread(self._outputs, case)
        if not self.asks(case.swarm):
            return self._judged(case, outputs)
        event = self.rules.checked(case.swarm, case.desk, case.event, outputs)
        self.comparing.recall(case.swarm, event)
        given = {row.item: self.rules.given(case.swarm, case.desk, row.item) for row in event.rows}
        return await asyncio.to_thread(self._asked, case, event, outputs, given)

    def _asked(
        self,
        case: Case,
        event: Settled,
        outputs: Mapping[str, Output],
        given: Mapping[int, Any],
    ) -> Judged:
        swarm, bundle, loaded = case.swarm, case.parcel.bundle, case.loaded
        comparing = comparing_task(loaded.plan.steps[swarm.opened.step].name)
        validating = judges_by_function(swarm.spec)

        def alike(left: bytes, right: bytes) -> bool:
            pair = decode_json(left), decode_json(right)
            return self.functions.equal(bundle, loaded, comparing, pair)

        def flaw(item: Any, output: Any) -> str | None:
            return self.functions.flaw(bundle, loaded, validating, item, output)

        by = alike if compares_by_function(swarm) else eq
        event = self.comparing.compared(swarm, case.parcel, event, outputs, by)
        reasons: list[Body] = []
        if validating:
            event, reasons = judged_by_function(
                case.desk.run, swarm.spec, event, given, outputs, flaw
            )
        return Judged(event, (*case.bodies, *reasons))

    def forget(self, swarm: str) -> None:
        """A swarm ended."""
        self.comparing.forget(swarm)
        self.rules.forget(swarm)
        self.outputs.forget(swarm)

    def close(self) -> None:
        """End the sandboxes of the functions."""
        self.functions.close()
