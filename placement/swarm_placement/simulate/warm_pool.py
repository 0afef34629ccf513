"""A pool of slots that load a model before use: cold starts and idle time under a policy.

Every execution gets a slot of its own: an idle one that is loaded, else the next that is loading
ahead of use, else one that begins to load now. Loading and idle slots are paid like busy ones.
"""

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from swarm_placement.simulate.arrivals import Stream


class Scaler(Protocol):
    """A policy of how many slots hold the model, busy ones included."""

    def observe(self, now_s: float, busy: int) -> None:
        """Learn how many slots are busy from now on."""

    def decide(self, now_s: float) -> int:
        """Return how many slots to hold now."""


@dataclass(frozen=True, slots=True)
class PoolRecord:
    """What a policy achieved: executions, those that waited for a load, slot-seconds paid and
    busy, and seconds waited."""

    executions: int
    cold: int
    paid_s: float
    busy_s: float
    waited_s: float

    @property
    def cold_share(self) -> float:
        """Executions that waited for a load, as a share of all."""
        return self.cold / self.executions

    @property
    def idle_per_busy(self) -> float:
        """Slot-seconds paid without work (idle or loading), per busy slot-second."""
        return (self.paid_s - self.busy_s) / self.busy_s


@dataclass(slots=True)
class _Pool:
    cold_s: float
    idle: int = 0
    busy: int = 0
    loading: deque[float] = field(default_factory=deque)  # ready times, ahead of use
    paid_s: float = 0.0
    at_s: float = 0.0

    def advance(self, now_s: float) -> None:
        while self.loading and self.loading[0] <= now_s:
            self._pay(self.loading[0])
            self.loading.popleft()
            self.idle += 1
        self._pay(now_s)

    def _pay(self, now_s: float) -> None:
        self.paid_s += (now_s - self.at_s) * (self.idle + len(self.loading))
        self.at_s = now_s

    def take(self, now_s: float) -> float:
        """Occupy a slot; return how long the model takes until it is there."""
        self.busy += 1
        if self.idle:
            self.idle -= 1
            return 0.0
        if self.loading:
            return self.loading.popleft() - now_s
        return self.cold_s

    def resize(self, now_s: float, wanted: int) -> None:
        spare = self.busy + self.idle + len(self.loading) - wanted
        self.idle -= max(0, min(self.idle, spare))
        self.loading.extend([now_s + self.cold_s] * max(0, -spare))


def simulate_pool(
    stream: Stream, scaler: Scaler, *, cold_s: float, tick_s: float, warm_up_s: float = 0.0
) -> PoolRecord:
    """Return what a policy achieves on a stream; it decides every `tick_s` seconds.

    What happens before `warm_up_s` teaches the policy and is not counted.
    """
    pool, ends = _Pool(cold_s), list[float]()
    executions = cold = 0
    waited_s = service_s = paid_before = 0.0
    moments = heapq.merge(
        ((at, 1, index) for index, at in enumerate(stream.arrival_s.tolist())),
        ((k * tick_s, 2, k) for k in range(int(stream.horizon_s / tick_s))),
    )
    service = stream.service_s.tolist()
    for now_s, kind, index in moments:
        while ends and ends[0] <= now_s:
            ended_s = heapq.heappop(ends)
            pool.advance(ended_s)
            pool.busy -= 1
            pool.idle += 1
            scaler.observe(ended_s, pool.busy)
        pool.advance(now_s)
        if now_s < warm_up_s:
            paid_before = pool.paid_s
        if kind == 2:
            pool.resize(now_s, scaler.decide(now_s))
            continue
        wait_s = pool.take(now_s)
        heapq.heappush(ends, now_s + wait_s + service[index])
        scaler.observe(now_s, pool.busy)
        if now_s >= warm_up_s:
            executions += 1
            cold += wait_s > 0.0
            waited_s += wait_s
            service_s += service[index]
    # A slot that an execution waits for is paid as well: its loading time is the wait.
    paid_s = pool.paid_s - paid_before + service_s + waited_s
    return PoolRecord(executions, cold, paid_s, service_s, waited_s)
