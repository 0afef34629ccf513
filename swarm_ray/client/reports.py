"""Convergence reports: the stored one of a converged swarm, the same figures of any other.

Decides only where a report comes from; the engine writes those that are stored.
"""

from typing import Any

from swarm_ray.client.following import Bodies
from swarm_ray.engine.views import RunView, SwarmView
from swarm_ray.values.ids import short


def reports_of(view: RunView, bodies: Bodies) -> dict[str, Any]:
    """Return the report of the last swarm of each fan-out step."""
    return {
        swarm.step: bodies.value(swarm.report) or provisional(swarm) for swarm in view.fan_outs()
    }


def provisional(swarm: SwarmView) -> dict[str, Any]:
    """Return what can be said about a swarm that has not converged."""
    codes = {one.item: one.code for one in swarm.attempts if one.status != "ok"}
    tries = {one.item: one.attempt for one in swarm.attempts}
    return {
        "swarm": swarm.id,
        "correlation": short("swarm", swarm.id),
        "strategy": swarm.strategy,
        "items": swarm.items,
        "succeeded": swarm.succeeded,
        "partial": True,
        "ended_by": swarm.code or swarm.state,
        "unsuccessful": [
            {
                "ordinal": item,
                "state": swarm.state_of(item),
                "code": codes.get(item, ""),
                "attempts": tries.get(item, 0),
            }
            for item in range(swarm.items)
            if swarm.state_of(item) != "done"
        ],
        "usage": {
            "attempts": len(swarm.attempts),
            "tokens": sum(one.tokens for one in swarm.attempts),
            "microusd": sum(one.microusd for one in swarm.attempts),
            "cpu_us": sum(one.cpu_us for one in swarm.attempts),
            "sub_agents": sum(one.sub_agents for one in swarm.attempts),
        },
    }
