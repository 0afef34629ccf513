"""What goes wrong while a plan is executed."""

from dataclasses import dataclass
from typing import Literal

Order = Literal["latest start", "arrival"]
RANDOM = -1


@dataclass(frozen=True, slots=True)
class Conditions:
    """What goes wrong, and what is done about it.

    `stragglers`: the share of copies that take 3 to 8 times as long; `slow_factor`: how much
    slower one site computes, `slow_site`: which (`RANDOM`: any that is used, drawn anew);
    `hedge_share`: the extra work backups may cost, 0 for no hedging.
    """

    draws: int = 20
    stragglers: float = 0.02
    straggler_factor: tuple[float, float] = (3.0, 8.0)
    slow_factor: float = 2.0
    slow_site: int = RANDOM
    hedge_share: float = 0.05
    order: Order = "latest start"
