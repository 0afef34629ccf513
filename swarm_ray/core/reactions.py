"""Which `on_error:` clause answers a failed step, and the questions that people are asked then.

Decides by the share of items that succeeded and by how often each clause was used; it never
performs a reaction. A clause that ran a task first lets the label of its result replace its word.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from swarm_ray.core.plan import FULL_PPM, Clause, Question

REVIEW = Question(
    "An item failed. Try it again, skip it, or abort the swarm?",
    ("retry", "skip", "abort"),
    "skip",
)
ESCALATION = Question(
    "A swarm failed. How does the run go on?",
    ("retry", "proceed", "sequential", "abort"),
    "abort",
)


@dataclass(slots=True)
class Reactions:
    """How often the clauses of each step were used, and the one that is being followed."""

    used: dict[tuple[int, int], int] = field(default_factory=dict)
    clause: int = -1

    @property
    def total(self) -> int:
        """Uses of all clauses so far; it numbers the questions that escalations ask."""
        return sum(self.used.values())

    def choose(
        self, step: int, clauses: Sequence[Clause], succeeded: int, items: int
    ) -> Clause | None:
        """Use up and return the first clause that applies to so many successes, if any."""
        for index, clause in enumerate(clauses):
            enough = (
                succeeded * FULL_PPM >= clause.min_success_ppm * items
                if items
                else (clause.min_success_ppm == 0)
            )
            if enough and self.used.get((step, index), 0) < clause.max_times:
                self.used[step, index] = self.used.get((step, index), 0) + 1
                self.clause = index
                return clause
        return None


def ended_by(code: str) -> str:
    """Return the final status of a run whose step failed with this code."""
    if code == "budget.exhausted":
        return "budget"
    return "deadline" if code in ("swarm.deadline", "run.deadline") else "failed"
