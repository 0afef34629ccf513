"""Which host gets which attempts, and how many of a swarm each may run at once.

Decides from slots, lanes and what is out. The sum of a swarm's lanes over all hosts never
exceeds its concurrency. The pool is volatile: it is rebuilt from the hosts that answer, and
its choices enter the log as `Dispatched`.
"""

from dataclasses import dataclass, field

from swarm_ray.core.swarm import QUEUE_DEPTH
from swarm_ray.core.tables import HOST, HostState, advance


@dataclass(slots=True)
class Seat:
    """One host as the coordinator sees it."""

    name: str
    site: str
    slots: int
    state: HostState = HostState.SERVING


@dataclass(frozen=True, slots=True)
class Choice:
    """These attempts go to this host, which runs at most `lanes` of the swarm at once."""

    host: str
    lanes: int
    items: tuple[int, ...]
    attempts: tuple[int, ...]


@dataclass(slots=True)
class Share:
    """What the hosts hold of one swarm: attempts out, attempts chosen but not yet in the log,
    and the lanes that each host was last told."""

    held: dict[str, int] = field(default_factory=dict)
    chosen: dict[str, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)

    def count(self, host: str) -> int:
        """Attempts of the swarm that count against a host."""
        return self.held.get(host, 0) + self.chosen.get(host, 0)


@dataclass(slots=True)
class Pool:
    """All hosts of a coordinator."""

    seats: dict[str, Seat] = field(default_factory=dict)
    shares: dict[str, Share] = field(default_factory=dict)

    def join(self, name: str, site: str, slots: int) -> None:
        """A host came."""
        self.seats[name] = Seat(name, site, slots)

    def lose(self, name: str) -> None:
        """A host is gone; its lanes may be given to others."""
        seat = self.seats.pop(name, None)
        if seat is not None:
            seat.state = advance(HOST, seat.state, "lose")

    def drain(self, name: str) -> None:
        """A host takes nothing new."""
        seat = self.seats.get(name)
        if seat is not None:
            seat.state = advance(HOST, seat.state, "drain")

    def logged(self, swarm: str, host: str, count: int) -> None:
        """A choice is in the log now: `observe` will report it as held."""
        chosen = self.shares[swarm].chosen
        chosen[host] = chosen.get(host, 0) - count
        if chosen[host] <= 0:
            del chosen[host]

    def observe(self, swarm: str, held: dict[str, int], lanes: dict[str, int]) -> None:
        """Take over what the run's log says about the swarm: attempts out and lanes per host."""
        share = self.shares.setdefault(swarm, Share())
        share.held = {name: count for name, count in held.items() if name in self.seats}
        share.told = {
            name: share.told.get(name, lanes.get(name, 0))
            for name in share.held.keys() | share.chosen.keys()
            if name in self.seats
        }

    def forget(self, swarm: str) -> None:
        """A swarm ended: its lanes are free."""
        self.shares.pop(swarm, None)

    def choose(
        self,
        swarm: str,
        concurrency: int,
        items: tuple[int, ...],
        attempts: tuple[int, ...],
        sites: frozenset[str] = frozenset(),
    ) -> list[Choice]:
        """Spread attempts over hosts; what finds no room is not in the answer.

        Call `observe` before, and `logged` when a choice is in the log.
        """
        share = self.shares.setdefault(swarm, Share())
        lanes = self._lanes(share, concurrency, sites)
        room = {name: lanes[name] * (1 + QUEUE_DEPTH) - share.count(name) for name in lanes}
        taken: dict[str, list[int]] = {}
        for index in range(len(items)):
            name = max(room, key=lambda host: (room[host], host), default="")
            if not name or room[name] <= 0:
                break
            room[name] -= 1
            taken.setdefault(name, []).append(index)
        for name, indexes in taken.items():
            share.chosen[name] = share.chosen.get(name, 0) + len(indexes)
            share.told[name] = lanes[name]
        return [
            Choice(
                name,
                lanes[name],
                tuple(items[index] for index in indexes),
                tuple(attempts[index] for index in indexes),
            )
            for name, indexes in sorted(taken.items())
        ]

    def _lanes(self, share: Share, concurrency: int, sites: frozenset[str]) -> dict[str, int]:
        """Share `concurrency` by slots. A host keeps the lanes it was told until it holds
        nothing or is told fewer, so growth elsewhere waits for that."""
        hosts = sorted(
            (
                seat
                for seat in self.seats.values()
                if seat.state is HostState.SERVING and (not sites or seat.site in sites)
            ),
            key=lambda seat: (-seat.slots, seat.name),
        )
        total = sum(seat.slots for seat in hosts)
        left = min(concurrency, total)
        spare = concurrency - sum(share.told.values())
        lanes: dict[str, int] = {}
        for seat in hosts:
            part = min(seat.slots, -(-concurrency * seat.slots // total), left)
            left -= part
            told = share.told.get(seat.name, 0)
            granted = min(part, told + max(0, spare))
            spare -= max(0, granted - told)
            if granted > 0:
                lanes[seat.name] = granted
        return lanes
