"""Items that no host may take: every connected trust domain is barred for them.

Decides how long a swarm waits for further hosts when nothing else in it can move. Which hosts there
are is known outside; an entry says when items begin to wait for some, and when they do no longer.
"""

from dataclasses import dataclass

from swarm_ray.core.events import Stranded

DOMAIN_PATIENCE_US = 60_000_000
"""Hosts of further trust domains are waited for so long, counted from the last result of the swarm."""


@dataclass(slots=True)
class Stranding:
    """How many items of one swarm wait for a host that may take them, since when, and in how many
    trust domains the hosts are."""

    items: int = 0
    domains: int = 0
    since_us: int = 0

    @property
    def due_us(self) -> int:
        """Log time at which the wait is over; 0 when none waits."""
        return self.since_us + DOMAIN_PATIENCE_US if self.items else 0

    def report(self, event: Stranded, now_us: int) -> None:
        """Items wait, more or fewer than before, or none does any more."""
        if not self.items:
            self.since_us = now_us
        self.items, self.domains = event.items, event.domains

    def renew(self, now_us: int) -> None:
        """Something else in the swarm moves: the wait begins anew."""
        self.since_us = now_us

    def clear(self) -> None:
        """Nothing is waited for."""
        self.items = self.domains = self.since_us = 0
