"""The coordinator as a Ray actor: `engine.service.CoordinatorService` with hosts on Ray.

Decides nothing. Restarted by Ray it goes on from the log.
"""

from swarm_ray.config import Settings
from swarm_ray.engine.service import CoordinatorService
from swarm_ray.runtime.actors import refuse_foreign_path
from swarm_ray.runtime.transport import RayHosts


class CoordinatorActor(CoordinatorService):
    """One tenant's coordinator, pinned to the node of its ledger."""

    def __init__(self, settings: Settings) -> None:
        refuse_foreign_path("")
        super().__init__(settings, RayHosts)
