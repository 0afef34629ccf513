"""Simulated hosts: the real host machine with attempts that only take time.

Decides nothing but what each attempt will turn out to be, drawn from the world's seed when it
begins. A dead host keeps its state for nobody.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import get_args

from swarm_ray.core.events import Row, Status
from swarm_ray.core.host import Host, Key, Kill, Order, Start
from swarm_ray.testing.faults import Faults

LEASE_US = 800_000
CREDIT = 100_000
HANG_US = 30_000_000
LONGEST_US = 200_000
ZERO = "0" * 64
LABELS = ("yes", "no", "proceed")
RIGHT, WRONG = "right", "wrong"
FATES: tuple[tuple[Status, str], ...] = (
    ("transient", "transient"),
    ("rate_limited", "rate_limited"),
    ("input", "bad_input"),
    ("structural", "structural"),
)
assert {status for status, _ in FATES} <= set(get_args(Status))


@dataclass(slots=True)
class Ledgers:
    """What really happened, whatever the coordinators believe: attempts begun, tokens spent per
    swarm, attempts running per swarm on hosts that count, and the most that ever ran at once.
    """

    begun: int = 0
    tokens: dict[str, int] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)
    widest: dict[str, int] = field(default_factory=dict)
    started: set[tuple[str, int, int]] = field(default_factory=set)
    repeated: list[tuple[str, int, int]] = field(default_factory=list)

    def begin(self, key: Key, tokens: int, *, counts: bool) -> None:
        """An attempt begins; it spends its tokens whatever becomes of it."""
        self.begun += 1
        self.tokens[key[1]] = self.tokens.get(key[1], 0) + tokens
        attempt = key[1:]
        if attempt in self.started:
            self.repeated.append(attempt)
        self.started.add(attempt)
        if not counts:
            return
        self.running[key[1]] = self.running.get(key[1], 0) + 1
        self.widest[key[1]] = max(self.widest.get(key[1], 0), self.running[key[1]])


@dataclass(slots=True)
class Machine:
    """One simulated host. It `counts` until it is dead or given up by the coordinator. Where
    `lies` is not None there is one right answer, and a host that lies gives another as often as the
    faults say.
    """

    name: str
    site: str
    slots: int
    random: random.Random
    faults: Faults
    slice_tokens: int
    later: Callable[[int, Callable[[], None]], None]
    facts: Ledgers
    host: Host = field(init=False)
    alive: bool = True
    counts: bool = True
    cut_until_us: int = 0
    lies: bool | None = None
    running: dict[Key, Row] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.host = Host(self.slots, CREDIT, LEASE_US)

    def accept(self, order: Order) -> None:
        """Take a batch.

        Raises:
            Busy: `host.busy`.
        """
        self._begin(self.host.accept(order))

    def withdraw(self, keys: list[Key]) -> None:
        """Stop attempts; a killed one has spent what it would have spent."""
        for kill in self.host.withdraw(keys):
            self._kill(kill)

    def die(self) -> None:
        """End with everything that runs here."""
        self.give_up()
        self.alive = False
        self.running.clear()

    def give_up(self) -> None:
        """Stop counting: nobody waits for what runs here any more."""
        if self.counts:
            self.counts = False
            for key in self.running:
                self.facts.running[key[1]] -= 1

    def _begin(self, starts: list[Start]) -> None:
        for start in starts:
            key = start.key
            duration_us = HANG_US if self._chance(self.faults.hang) else self._duration()
            row = self._fate(key, duration_us)
            self.running[key] = row
            self.facts.begin(key, row.tokens, counts=self.counts)
            self.later(duration_us, lambda key=key, row=row: self._end(key, row))  # type: ignore[misc]  # bound defaults

    def _fate(self, key: Key, duration_us: int) -> Row:
        item, attempt = key[2], key[3]
        tokens = self.random.randrange(self.slice_tokens + 1)
        for status, fault in FATES:
            if self._chance(getattr(self.faults, fault)):
                return Row(
                    item,
                    attempt,
                    status,
                    code=f"world.{status}",
                    tokens=tokens,
                    duration_us=duration_us,
                )
        label = self._answer()
        return Row(
            item, attempt, "ok", ZERO, label, 600_000, tokens=tokens, duration_us=duration_us
        )

    def _answer(self) -> str:
        if self.lies is None:
            return self.random.choice(LABELS)
        return WRONG if self.lies and self._chance(self.faults.lie) else RIGHT

    def _end(self, key: Key, row: Row) -> None:
        if not self.alive or key not in self.running:
            return
        del self.running[key]
        if self.counts:
            self.facts.running[key[1]] -= 1
        self._begin(self.host.finished(key, row))

    def _kill(self, kill: Kill) -> None:
        tokens = self.running[kill.key].tokens
        row = Row(kill.key[2], kill.key[3], "cancelled", code="attempt.withdrawn", tokens=tokens)
        self._end(kill.key, row)

    def _duration(self) -> int:
        return self.random.randrange(1_000, LONGEST_US)

    def _chance(self, per_mille: int) -> bool:
        return per_mille > 0 and self.random.randrange(1000) < per_mille
