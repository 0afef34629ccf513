"""Attempts that hosts hold, and what attempts cost.

Decides how attempts that are out are grouped into the commands that send or withdraw them; when
either happens is up to the swarm.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from swarm_ray.core.commands import Command, Withdraw
from swarm_ray.core.events import Row
from swarm_ray.values.codec import MAX_INTEGER


@dataclass(slots=True)
class Flight:
    """An attempt that a host holds; `domain` is the host's where items have copies. Not frozen: one
    is made for every attempt, and a frozen one takes three times as long to make."""

    attempt: int
    host: str
    batch: int
    domain: str = ""


@dataclass(slots=True)
class Usage:
    """What the attempts of a swarm cost, failed ones and sub-agents included, each once."""

    attempts: int = 0
    tokens: int = 0
    microusd: int = 0
    cpu_us: int = 0
    work_us: int = 0
    sub_agents: int = 0

    def add(self, row: Row) -> None:
        """Count one settled attempt. Sums stop at what an entry holds: hosts claim what they like,
        and a few absurd claims must not make a state that cannot be written."""
        self.attempts += 1
        self.tokens = min(MAX_INTEGER, self.tokens + row.tokens)
        self.microusd = min(MAX_INTEGER, self.microusd + row.microusd)
        self.cpu_us = min(MAX_INTEGER, self.cpu_us + row.cpu_us)
        self.work_us = min(MAX_INTEGER, self.work_us + row.duration_us)
        self.sub_agents += row.sub_agents


def by_batch(
    items: int, flights: Mapping[int, Flight]
) -> dict[tuple[int, str], list[tuple[int, int]]]:
    """Group attempts as they were sent: (batch, host) to its (item, attempt) pairs, sorted.

    The keys of `flights` are items, copies a whole number of times `items` further up.
    """
    batches: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for key, flight in flights.items():
        held = batches.setdefault((flight.batch, flight.host), [])
        held.append((key % items, flight.attempt))
    return dict(sorted(batches.items()))


def withdrawals(
    swarm: str, items: int, flights: Mapping[int, Flight], keys: Iterable[int]
) -> list[Command]:
    """Withdraw the attempts under these keys, one command per host."""
    hosts: dict[str, list[int]] = {}
    for key in keys:
        hosts.setdefault(flights[key].host, []).append(key)
    return [
        Withdraw(
            swarm,
            host,
            tuple(key % items for key in held),
            tuple(flights[key].attempt for key in held),
        )
        for host, held in sorted(hosts.items())
    ]
