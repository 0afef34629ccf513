"""Which host gets which attempts, and how many of a swarm each may run at once.

Decides from slots, lanes and what is out. The sum of a swarm's lanes over all hosts never
exceeds its concurrency. The pool is volatile: it is rebuilt from the hosts that answer, and
its choices enter the log as `Dispatched`.
"""

from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from swarm_ray.core.apart import Apart, deal_apart
from swarm_ray.core.tables import HOST, HostState, advance
from swarm_ray.core.traffic import QUEUE_DEPTH

CHOICE_ROWS = 64
REMEMBERED_DIVISIONS = 16


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
    """What the hosts hold of one swarm.

    `held` counts attempts out, `chosen` those that are chosen but not yet in the log, `told` the
    lanes that a host may be using.
    """

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
    _divided: dict[tuple[int, frozenset[str]], list[tuple[str, int]]] = field(default_factory=dict)

    def join(self, name: str, site: str, slots: int) -> None:
        """A host came."""
        self.seats[name] = Seat(name, site, slots)
        self._divided.clear()

    def lose(self, name: str) -> None:
        """A host is gone; its lanes may be given to others."""
        seat = self.seats.pop(name, None)
        if seat is not None:
            seat.state = advance(HOST, seat.state, "lose")
            self._divided.clear()

    def drain(self, name: str) -> None:
        """A host takes nothing new."""
        seat = self.seats.get(name)
        if seat is not None and seat.state is HostState.SERVING:
            seat.state = advance(HOST, seat.state, "drain")
            self._divided.clear()

    def logged(self, swarm: str, host: str, count: int) -> None:
        """A choice is in the log now: `observe` will report it as held."""
        share = self.shares.get(swarm)
        if share is None:
            return
        left = share.chosen.get(host, 0) - count
        share.chosen[host] = left
        if left <= 0:
            del share.chosen[host]

    def observe(self, swarm: str, held: dict[str, int], lanes: dict[str, int]) -> None:
        """Take over what the run's log says about the swarm: attempts out and lanes per host."""
        share = self.shares.setdefault(swarm, Share())
        share.held = held
        for name in lanes:
            if name in self.seats:
                share.told.setdefault(name, lanes[name])
        for name in [
            name for name in share.told if not share.count(name) or name not in self.seats
        ]:
            del share.told[name]

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
        apart: Apart | None = None,
    ) -> list[Choice]:
        """Spread attempts over hosts; what finds no room is not in the answer.

        Free lanes are filled first, then the queues behind them in equal parts; copies go to
        hosts in distinct domains, as `apart` says. A choice has at most `CHOICE_ROWS` rows. Call
        `observe` before, and `logged` when a choice is in the log.
        """
        share = self.shares.setdefault(swarm, Share())
        lanes = self._lanes(share, concurrency, sites)
        taken = _dealt(share, lanes, items, apart)
        return [
            choice
            for name in sorted(taken)
            if taken[name]
            for choice in self._chosen(share, name, lanes[name], taken[name], items, attempts)
        ]

    def _chosen(
        self,
        share: Share,
        name: str,
        lanes: int,
        indexes: list[int],
        items: tuple[int, ...],
        attempts: tuple[int, ...],
    ) -> list[Choice]:
        share.chosen[name] = share.chosen.get(name, 0) + len(indexes)
        share.told[name] = lanes
        return [
            Choice(
                name,
                lanes,
                tuple([items[index] for index in part]),
                tuple([attempts[index] for index in part]),
            )
            for start in range(0, len(indexes), CHOICE_ROWS)
            for part in [indexes[start : start + CHOICE_ROWS]]
        ]

    def _lanes(self, share: Share, concurrency: int, sites: frozenset[str]) -> dict[str, int]:
        """Share `concurrency` by slots. A host is charged the lanes it was told as long as it
        holds more attempts than its new part, for nobody knows how many of them run; until then
        it gets nothing new, and others get only what is spare.
        """
        spare = concurrency - sum(share.told.values())
        lanes: dict[str, int] = {}
        for name, part in self._parts(concurrency, sites):
            told = share.told.get(name, 0)
            if told > part and share.count(name) > part:
                continue
            granted = min(part, told + max(0, spare))
            spare -= granted - told
            if granted < told:
                share.told[name] = granted
            if granted > 0:
                lanes[name] = granted
        return lanes

    def _parts(self, concurrency: int, sites: frozenset[str]) -> list[tuple[str, int]]:
        key = (concurrency, sites)
        if key not in self._divided:
            if len(self._divided) >= REMEMBERED_DIVISIONS:
                self._divided.clear()
            self._divided[key] = self._divide(concurrency, sites)
        return self._divided[key]

    def _divide(self, concurrency: int, sites: frozenset[str]) -> list[tuple[str, int]]:
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
        parts: list[tuple[str, int]] = []
        for seat in hosts:
            part = min(seat.slots, -(-concurrency * seat.slots // total), left)
            left -= part
            parts.append((seat.name, part))
        return parts


def _dealt(
    share: Share, lanes: dict[str, int], items: tuple[int, ...], apart: Apart | None
) -> dict[str, list[int]]:
    """Return per host the indexes of the attempts that it takes."""
    if apart is not None:
        rooms = {
            name: (most - share.count(name), most * (1 + QUEUE_DEPTH) - share.count(name))
            for name, most in lanes.items()
        }
        return deal_apart(rooms, items, apart)
    taken: dict[str, list[int]] = {name: [] for name in lanes}
    left = len(items)
    for depth in (1, 1 + QUEUE_DEPTH):
        free = {name: lanes[name] * depth - share.count(name) - len(taken[name]) for name in lanes}
        left = _deal(free, taken, left, len(items), even=depth > 1)
    return taken


def _deal(
    rooms: dict[str, int], taken: dict[str, list[int]], left: int, total: int, *, even: bool
) -> int:
    """Give the last `left` of `total` indexes to the hosts with most room; return what is over."""
    free = [(-room, name) for name, room in rooms.items() if room > 0]
    heapify(free)
    part = max(1, -(-left // len(free))) if even and free else left
    while left and free:
        room, name = heappop(free)
        count = min(-room, part, left)
        taken[name] += range(total - left, total - left + count)
        left -= count
        if room + count < 0:
            heappush(free, (room + count, name))
    return left
