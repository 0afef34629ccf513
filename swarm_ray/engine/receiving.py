"""What hosts hand over: from a delivery to the entry that makes it count.

Decides what is done with a delivery that is awaited, comes twice, is not true or cannot be read. A
host is never believed to have handed over anything in particular, and nothing that it hands over
ends more than its own place.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from swarm_ray.core.host import Outcome
from swarm_ray.core.swarm import Swarm
from swarm_ray.engine.claims import check_form
from swarm_ray.engine.judging import Case, Judged
from swarm_ray.engine.sandboxes import unseen
from swarm_ray.errors import IntegrityError, StorageError
from swarm_ray.ports.hosts import Delivery, HostInfo
from swarm_ray.values.visible import traceback_of

if TYPE_CHECKING:
    from swarm_ray.engine.dispatching import Dispatcher

LOGGER = logging.getLogger("swarm_ray.dispatch")


@dataclass(slots=True)
class Receiving:
    """Deliveries on their way into the log. `arriving` are those that are not durable, by host and
    sequence, with their envelope; `acknowledged` the sequences that a host may forget."""

    dispatcher: "Dispatcher"
    acknowledged: dict[str, list[int]] = field(default_factory=dict)
    arriving: dict[tuple[str, int], bytes] = field(default_factory=dict)
    described: dict[str, set[str]] = field(default_factory=dict)

    def receive(self, info: HostInfo, handed: object) -> None:
        """Take whatever a host hands over as deliveries."""
        with self._blamed(info):
            if not isinstance(handed, list | tuple):
                raise IntegrityError("desk.bad_delivery", f"{info.name} hands over no deliveries")
            for delivery in handed:
                self._take(info, check_form(delivery, info))

    def lose(self, host: str) -> None:
        """A host is given up; what is on its way into the log is not held up."""
        self.acknowledged.pop(host, None)
        for arrival in [one for one in self.arriving if one[0] == host]:
            del self.arriving[arrival]

    def forget(self, run: str) -> None:
        """A run is closed."""
        self.described.pop(run, None)

    @contextmanager
    def _blamed(self, info: HostInfo) -> Iterator[None]:
        """Lose a host over what it handed over, whatever is wrong with it.

        All that hosts say is checked before it is used, and this is the second line: a value nobody
        thought of must cost one host, not all runs of the tenant. The fault may be ours all the
        same, so it is logged with its traceback and has a code of its own. Storage that fails is
        nobody's lie and stops the coordinator as everywhere.
        """
        try:
            yield
        except (StorageError, OSError):
            raise
        except IntegrityError as error:
            LOGGER.error("refused a delivery of %s: %s", info.name, traceback_of(error))  # noqa: TRY400  # made fit
            self.dispatcher.lose(info.name, error.code)
        except Exception as error:  # noqa: BLE001  # see above
            LOGGER.error("a delivery of %s cannot be read: %s", info.name, traceback_of(error))  # noqa: TRY400
            self.dispatcher.lose(info.name, "desk.unreadable")

    def _take(self, info: HostInfo, delivery: Delivery) -> None:
        outcome = delivery.outcome
        arrival = (info.name, outcome.sequence)
        if arrival in self.arriving:
            if self.arriving[arrival] != delivery.envelope:
                raise IntegrityError(
                    "desk.repeated", f"{info.name} gives two deliveries the number {arrival[1]}"
                )
            return  # delivered twice; the first is about to become durable

        def acknowledge() -> None:
            self.arriving.pop(arrival, None)
            self.acknowledged.setdefault(info.name, []).append(outcome.sequence)

        desk = self.dispatcher.desks.get(outcome.swarm)
        swarm = self.dispatcher.swarm(outcome.run, outcome.swarm)
        if desk is None or swarm is None or outcome.batch not in desk.parcels:
            acknowledge()
            return
        event = desk.verified(delivery, info)
        if not _awaited(swarm, outcome):
            acknowledge()
            return
        desk.open[outcome.batch].take(outcome)
        self.dispatcher.patience.came(info.name, asyncio.get_running_loop().time())
        self.arriving[arrival] = delivery.envelope
        parcel = desk.parcels[outcome.batch]
        loaded = self.dispatcher.coordinator.loaded(outcome.run)
        bodies, sandboxes = delivery.bodies, delivery.sandboxes
        case = Case(swarm, desk, parcel, loaded, event, bodies, sandboxes)
        self._judge(info, case, acknowledge)

    def _judge(self, info: HostInfo, case: Case, acknowledge: Callable[[], None]) -> None:
        judging = self.dispatcher.judging
        if judging.takes_time(case):
            self.dispatcher.coordinator.spawn(self._judge_beside(info, case, acknowledge))
        else:
            self._count(case, judging.judged(case), acknowledge)

    async def _judge_beside(
        self, info: HostInfo, case: Case, acknowledge: Callable[[], None]
    ) -> None:
        judging = self.dispatcher.judging
        async with judging.turn:
            with self._blamed(info):
                if self._wanted(info, case):
                    judged = await judging.judged_beside(case)
                    if self._wanted(info, case):
                        self._count(case, judged, acknowledge)
                        return
                acknowledge()

    def _wanted(self, info: HostInfo, case: Case) -> bool:
        """Say whether neither the host nor the run has gone while results were judged."""
        swarm = self.dispatcher.swarm(case.desk.run, case.swarm.id)
        return swarm is not None and self.dispatcher.seats.get(info.name) is info

    def _count(self, case: Case, judged: Judged, acknowledge: Callable[[], None]) -> None:
        """Have results enter the log, and before them what their workers ran in, once per run."""
        run, coordinator = case.desk.run, self.dispatcher.coordinator
        known = self.described.setdefault(run, set(coordinator.thread_of(run).sandboxes))
        for event in unseen(known, case.sandboxes):
            coordinator.post(run, event)
        coordinator.post_with_bodies(run, judged.event, judged.bodies, acknowledge)


def _awaited(swarm: Swarm, outcome: Outcome) -> bool:
    """Say whether an attempt of an outcome is out; otherwise all of it is in the log already."""
    return any(swarm.find(row.item, row.attempt) >= 0 for row in outcome.rows)
