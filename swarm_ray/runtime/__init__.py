"""Everything that knows Ray: actors, transport, clusters. Nothing else imports it."""

from swarm_ray.runtime.cluster import connect, down, up

__all__ = ["connect", "down", "up"]
