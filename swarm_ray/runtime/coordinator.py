"""The coordinator as a Ray actor: `engine.service.CoordinatorService` with hosts on Ray.

Decides nothing. Restarted by Ray it goes on from the log. One that cannot start stays and says
why with every call: an actor whose constructor raised could only say that it died.
"""

from typing import Any

from typing_extensions import override

from swarm_ray.config import Settings
from swarm_ray.engine.service import CoordinatorService
from swarm_ray.errors import SwarmError
from swarm_ray.runtime.actors import refuse_foreign_path
from swarm_ray.runtime.transport import RayHosts
from swarm_ray.sandbox.probe import choose


class CoordinatorActor(CoordinatorService):
    """One tenant's coordinator, pinned to the node of its ledger."""

    def __init__(self, settings: Settings) -> None:
        self._refusal: SwarmError | None = None
        self._settings = settings
        try:
            refuse_foreign_path()
            choose(None if settings.isolation == "auto" else settings.isolation)
            super().__init__(settings, RayHosts)
        except SwarmError as error:
            self._refusal = error

    @override
    def shut_down(self) -> None:
        if self._refusal is None:
            super().shut_down()

    @override
    def _await(self, work: Any, timeout_s: float) -> Any:
        if self._refusal is not None:
            work.close()
            raise self._refusal
        return super()._await(work, timeout_s)
