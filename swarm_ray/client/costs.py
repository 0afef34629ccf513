"""What a run cost, in total and per step.

Decides the sums; the log holds the figures.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from swarm_ray.engine.views import RunView, SwarmView

MICRO: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class StepCost:
    """Cost of one step: items, attempts, tokens, micro-USD, processor and wall time in µs; wall
    time leaves out waiting for a person."""

    step: str
    items: int
    attempts: int
    tokens: int
    microusd: int
    cpu_us: int
    wall_us: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of a run; failed attempts and sub-agents are in it, each once."""

    tokens: int
    microusd: int
    cpu_us: int
    wall_us: int
    attempts: int
    sub_agents: int
    steps: tuple[StepCost, ...] = field(default_factory=tuple)

    @property
    def usd(self) -> float:
        """Money in USD."""
        return self.microusd / MICRO

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        from dataclasses import asdict

        return {**asdict(self), "usd": self.usd}


def cost_of(view: RunView) -> Cost:
    """Add up a run; helper swarms (convergence, error clauses) count for their step."""
    steps: dict[str, list[SwarmView]] = {}
    for swarm in view.swarms:
        steps.setdefault(swarm.step, []).append(swarm)
    return Cost(
        view.tokens,
        view.microusd,
        view.cpu_us,
        view.wall_us,
        view.attempts,
        view.sub_agents,
        tuple(_step(name, swarms) for name, swarms in steps.items()),
    )


def _step(name: str, swarms: list[SwarmView]) -> StepCost:
    attempts = [one for swarm in swarms for one in swarm.attempts]
    return StepCost(
        name,
        max(swarm.items for swarm in swarms),
        len(attempts),
        sum(one.tokens for one in attempts),
        sum(one.microusd for one in attempts),
        sum(one.cpu_us for one in attempts),
        sum(swarm.wall_us for swarm in swarms),
    )
