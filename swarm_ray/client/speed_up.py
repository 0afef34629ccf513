"""What a fan-out gained over doing the same work in sequence, and how that is told."""

from dataclasses import dataclass

from swarm_ray.engine.converging import BREAK_EVEN_ITEMS
from swarm_ray.engine.sequence import sequential_us
from swarm_ray.engine.views import RunView


@dataclass(frozen=True, slots=True)
class SpeedUp:
    """What one fan-out gained: the least that its accepted attempts would have taken one after
    the other, and the measured wall time without waiting for a person, both in µs."""

    step: str
    items: int
    sequential_us: int
    measured_us: int

    @property
    def factor(self) -> float:
        """How many times faster than one item after the other, at least."""
        return self.sequential_us / max(1, self.measured_us)

    @property
    def told(self) -> str:
        """The factor in words."""
        if self.factor < 1:
            return "no gain that the log can show"
        return f"at least {self.factor:.1f} times as fast as in sequence"

    @property
    def below_break_even(self) -> bool:
        """True when so few items hardly repay the isolation of a swarm."""
        return self.items < BREAK_EVEN_ITEMS


def speed_ups(view: RunView) -> list[SpeedUp]:
    """Return the gain of each fan-out that has results."""
    return [
        SpeedUp(swarm.step, swarm.items, sequential_us(swarm.attempts), max(1, swarm.wall_us))
        for swarm in view.fan_outs()
        if swarm.succeeded
    ]
