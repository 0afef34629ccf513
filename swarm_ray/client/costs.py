"""What a run cost, in total and per step, and what the same work would have taken in sequence.

Decides the sums and the sentence about speed-up; the log holds the figures.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from swarm_ray.engine.converging import BREAK_EVEN_ITEMS
from swarm_ray.engine.views import RunView, SwarmView

MICRO: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class StepCost:
    """Cost of one step: items, attempts, tokens, micro-USD, processor and wall time in µs."""

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


@dataclass(frozen=True, slots=True)
class SpeedUp:
    """What one fan-out gained: sum of accepted durations, measured wall time, in µs.

    Durations are measured while other items run beside, so their sum also counts waiting for a
    processor: it is the most that the same work could have taken in sequence.
    """

    step: str
    items: int
    sequential_us: int
    measured_us: int

    @property
    def factor(self) -> float:
        """How many times faster than one item after the other."""
        return self.sequential_us / max(1, self.measured_us)

    @property
    def told(self) -> str:
        """The factor in words."""
        if self.factor < 1:
            return "slower than in sequence"
        return f"at most {self.factor:.1f} times as fast as in sequence"

    @property
    def below_break_even(self) -> bool:
        """True when so few items hardly repay the isolation of a swarm."""
        return self.items < BREAK_EVEN_ITEMS


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
        sum(swarm.ended_us - swarm.opened_us for swarm in swarms),
    )


def speed_ups(view: RunView) -> list[SpeedUp]:
    """Return the gain of each fan-out that has results."""
    return [
        SpeedUp(
            swarm.step,
            swarm.items,
            sum(one.duration_us for one in swarm.attempts if one.status == "ok"),
            max(1, swarm.ended_us - swarm.opened_us),
        )
        for swarm in view.fan_outs()
        if swarm.succeeded
    ]
