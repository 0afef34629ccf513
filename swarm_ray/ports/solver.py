"""What the engine asks a placement solver, and what it gets back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """Consecutive runs of items per site, with cost, lower bound (micro-USD) and the
    probability of meeting the deadline (ppm)."""

    assignments: tuple[tuple[int, str], ...]
    cost_microusd: int
    bound_microusd: int
    probability_ppm: int
    solver: str


class Solver(Protocol):
    """Decides which site executes which items."""

    def solve(self, items: int, sites: Sequence[str], deadline_us: int) -> Answer:
        """Place `items` on `sites`; `deadline_us` is 0 for none."""


class LocalSolver:
    """Leaves the site open: any host may take any item, and sites cost nothing here."""

    def solve(self, items: int, sites: Sequence[str], deadline_us: int) -> Answer:
        """Place everything on "", any site. The probability is certain without a deadline and
        not claimed with one."""
        del sites
        return Answer(((items, ""),), 0, 0, 0 if deadline_us else 1_000_000, "local")
