"""When to start a backup of a copy that executes, and when not to.

A copy that passes the q95 of its own forecast is a straggler more often than not. But a backup is
worth its slot only where the deadline needs it: as long as a backup that starts later still ends
in time, waiting is free, and most copies end meanwhile. On a site that was re-priced to be slower,
own quantiles say nothing; there a backup starts at that last moment even before q95. Backups are
paid from a share of the planned work and never started for steps with side effects. Sources: Dean
& Barroso, The Tail at Scale (2013), hedging after the 95th percentile; Ananthanarayanan et al.,
Mantri (OSDI 2010), acting only where a restart likely ends first, and Dolly (NSDI 2013), a budget
of 5 %.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

from swarm_placement.errors import UsageError
from swarm_placement.policies.arguments import require


def hedge_after_s(
    *, q95_s: float, allowed_s: float, backup_q95_s: float, site_slower: bool
) -> float:
    """Return after how many seconds of execution a backup is due.

    `q95_s` is the forecast of the copy, `allowed_s` the time from its start to its deadline,
    `backup_q95_s` the forecast of a backup elsewhere, transfer and loading included. Infinite where
    the deadline is past: no backup helps.

    Raises:
        UsageError: for what is not finite, or a negative forecast.
    """
    require("hedging", q95_s=q95_s, backup_q95_s=backup_q95_s)
    require("hedging", least=-math.inf, allowed_s=allowed_s)
    if allowed_s <= 0:
        return math.inf
    last_moment_s = allowed_s - backup_q95_s
    if site_slower:
        return max(0.0, last_moment_s)
    return max(q95_s, last_moment_s)


@dataclass(slots=True)
class HedgeBudget:
    """Slot-seconds spent on backups, which may be `share` of `planned_s`, the whole swarm's work."""

    planned_s: float
    share: float = 0.05
    backup_s: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.planned_s < math.inf and 0 <= self.share <= 1):
            raise UsageError(
                "policy.hedging",
                "budget",
                f"Plans {self.planned_s} s and a share of {self.share}.",
                "Give slot-seconds of at least 0 and a share between 0 and 1.",
            )

    def observe(self, backup_s: float) -> None:
        """Learn what a backup took, until it ended or was cancelled; slot-seconds.

        Raises:
            UsageError: for what is negative or not finite.
        """
        require("hedging", backup_s=backup_s)
        self.backup_s += backup_s

    def decide(self, expected_s: float, *, side_effects: bool, reserved_s: float = 0.0) -> bool:
        """Say whether a backup of so many expected slot-seconds may start; `reserved_s` is what
        backups under way may still take. Never for a step with side effects.

        Raises:
            UsageError: for what is negative or not finite.
        """
        require("hedging", expected_s=expected_s, reserved_s=reserved_s)
        if side_effects:
            return False
        return self.backup_s + reserved_s + expected_s <= self.share * self.planned_s

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "HedgeBudget":
        """Return what `to_dict` described."""
        return cls(**data)
