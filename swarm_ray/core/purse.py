"""Budgets that cannot be overshot: reserve a slice before the work, settle after it.

Decides whether another attempt may start. A purse reserves in itself and in all its parents or
in none; a lost attempt is charged its whole slice, since nobody knows what it spent.
"""

from dataclasses import dataclass, field

from swarm_ray.core.plan import Budget
from swarm_ray.values.codec import MAX_INTEGER


@dataclass(slots=True)
class Purse:
    """What is left of a budget; `parent` is the purse of the enclosing run."""

    limit: Budget
    parent: "Purse | None" = None
    spent_tokens: int = 0
    spent_microusd: int = 0
    held_tokens: int = field(default=0)
    held_microusd: int = field(default=0)

    def within(self, limit: Budget) -> "Purse":
        """Return a purse of that limit inside this one, or this one when there is no limit."""
        return Purse(limit, self) if limit.tokens or limit.microusd else self

    def reserve(self, tokens: int, microusd: int) -> bool:
        """Hold a slice here and in every parent; False, and nothing held, when one is short."""
        if not self._fits(tokens, microusd):
            return False
        if self.parent is not None and not self.parent.reserve(tokens, microusd):
            return False
        self.held_tokens += tokens
        self.held_microusd += microusd
        return True

    def settle(self, held: tuple[int, int], used: tuple[int, int]) -> None:
        """Release a held slice (tokens, micro-USD) and charge what was used of it, at most as much
        as an entry holds."""
        self.held_tokens -= held[0]
        self.held_microusd -= held[1]
        self.spent_tokens = min(MAX_INTEGER, self.spent_tokens + used[0])
        self.spent_microusd = min(MAX_INTEGER, self.spent_microusd + used[1])
        if self.parent is not None:
            self.parent.settle(held, used)

    def _fits(self, tokens: int, microusd: int) -> bool:
        limit = self.limit
        return not (
            (limit.tokens and self.spent_tokens + self.held_tokens + tokens > limit.tokens)
            or (
                limit.microusd
                and self.spent_microusd + self.held_microusd + microusd > limit.microusd
            )
        )
