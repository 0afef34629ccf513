"""How long a host may hold attempts and answer none of them.

Decides which hosts are overdue. A host may answer every call and still withhold results; where items
have a deadline that cannot be honest, since the host itself ends what runs longer: a slot is free
again after one deadline at most, so that something must come of every such span. Without a deadline
nothing can be told from slow work. It reads no clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

GRACE_S: Final = 60.0
"""Beyond the deadline: to carry a batch over, unpack a bundle, start workers, sign and bring back."""


@dataclass(slots=True)
class Patience:
    """When something last came of each host that holds attempts, in seconds of a steady clock."""

    since: dict[str, float] = field(default_factory=dict)

    def came(self, host: str, now_s: float) -> None:
        """A host has answered for attempts."""
        self.since[host] = now_s

    def overdue(self, holding: Mapping[str, Sequence[int]], now_s: float) -> list[str]:
        """Return the hosts that have held attempts for too long without a word about any.

        Args:
            holding: hosts that hold attempts now, with the item deadline of each swarm that these
                are of, in microseconds, 0 for none. One swarm without a deadline may fill all slots
                for ever, so the host is not measured.
            now_s: seconds of a steady clock.
        """
        bound = {host: limits for host, limits in holding.items() if all(limits)}
        self.since = {host: self.since.get(host, now_s) for host in bound}
        return [
            host
            for host, limits in bound.items()
            if now_s - self.since[host] > max(limits) / 1e6 + GRACE_S
        ]
