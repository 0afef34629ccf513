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
    """Trivially right for one site: everything runs there at no extra cost."""

    def solve(self, items: int, sites: Sequence[str], deadline_us: int) -> Answer:
        """Place everything on the first site in order; sites cost nothing here, so the bound
        is met. The probability is certain without a deadline and not claimed with one."""
        site = min(sites, default="")
        return Answer(((items, site),), 0, 0, 0 if deadline_us else 1_000_000, "local")
