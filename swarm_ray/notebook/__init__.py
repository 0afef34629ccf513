"""Runs in a notebook: progress while they go on, their page in a cell.

Decides only how something is displayed; all of it comes from the client.
"""

from swarm_ray.notebook.display import show, watch

__all__ = ["show", "watch"]
