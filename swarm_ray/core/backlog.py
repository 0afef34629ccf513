"""The items of one swarm: how far each is, how often it was tried, and which may be tried next.

Decides order only: items that come back from a pause or a person go first, then fresh ones in
input order. Tables indexed by item are arrays: 100,000 items stay small.
"""

from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush

from swarm_ray.core.tables import ITEM, ItemState, advance

SETTLED_STATES = frozenset(
    {ItemState.DONE, ItemState.FAILED, ItemState.SKIPPED, ItemState.CANCELLED}
)
RETRIED_STATES = SETTLED_STATES - {ItemState.DONE}
_MOVES = {(int(state), trigger): int(after) for (state, trigger), after in ITEM.items()}


@dataclass(slots=True)
class Backlog:
    """State of all items of a swarm. `open` counts those that are not settled."""

    count: int
    states: bytearray = field(init=False)
    attempts: "array[int]" = field(init=False)
    fresh: int = 0
    ready: deque[int] = field(default_factory=deque)
    pauses: list[tuple[int, int]] = field(default_factory=list)
    tried_before: dict[int, int] = field(default_factory=dict)
    alarm_us: int = 0
    open: int = field(init=False)

    def __post_init__(self) -> None:
        self.states = bytearray(self.count)
        self.attempts = array("H", bytes(2 * self.count))
        self.open = self.count

    def __contains__(self, item: int) -> bool:
        return 0 <= item < self.count

    @property
    def waiting(self) -> bool:
        """True while an item may be left that was not tried or may be tried again."""
        return bool(self.ready) or self.fresh < self.count

    def in_state(self, state: ItemState) -> Iterator[int]:
        """Ordinals of the items in a state, in input order."""
        return (item for item, value in enumerate(self.states) if value == state)

    def settled(self, item: int) -> bool:
        """Say whether an item has its final state."""
        return self.states[item] in SETTLED_STATES

    def unsettled(self) -> Iterator[int]:
        """Ordinals of the open items, in input order."""
        return (item for item, value in enumerate(self.states) if value not in SETTLED_STATES)

    def tried(self, item: int, attempt: int) -> int:
        """Return how many tries an attempt is since somebody asked for the item anew."""
        return attempt - self.tried_before.get(item, 0)

    def move(self, item: int, trigger: str) -> None:
        """Move an item.

        Raises:
            InternalError: `core.illegal_move`.
        """
        after = _MOVES.get((self.states[item], trigger))
        self.states[item] = (
            advance(ITEM, ItemState(self.states[item]), trigger) if after is None else after
        )

    def close(self, item: int, trigger: str) -> None:
        """Move an item to its final state."""
        self.move(item, trigger)
        self.open -= 1

    def next(self) -> int:
        """Take the item to be tried next; -1 when there is none."""
        while self.ready:
            item = self.ready.popleft()
            if self.states[item] == ItemState.WAITING:
                return item
        while self.fresh < self.count:
            self.fresh += 1
            if self.states[self.fresh - 1] == ItemState.WAITING:
                return self.fresh - 1
        return -1

    def pause(self, item: int, until_us: int) -> None:
        """Let an item rest until a log time."""
        self.move(item, "back_off")
        heappush(self.pauses, (until_us, item))

    def wake(self, now_us: int) -> None:
        """End the pauses that are over."""
        self.alarm_us = 0
        while self.pauses and self.pauses[0][0] <= now_us:
            item = heappop(self.pauses)[1]
            if self.states[item] == ItemState.BACKOFF:
                self.move(item, "again")
                self.ready.append(item)

    def alarm(self) -> int:
        """Return the end of the first pause if no timer is set for it yet, else 0."""
        if not self.pauses or (self.alarm_us and self.alarm_us <= self.pauses[0][0]):
            return 0
        self.alarm_us = self.pauses[0][0]
        return self.alarm_us

    def reopen(self) -> None:
        """Let every settled item without a result be tried anew, with all its attempts."""
        self.pauses.clear()
        self.alarm_us = 0
        for item, value in enumerate(self.states):
            if value in RETRIED_STATES:
                self.again(item)
                self.open += 1

    def once_more(self, item: int) -> None:
        """Let a running item have further copies."""
        self.move(item, "again")
        self.ready.append(item)

    def doubt(self, item: int) -> None:
        """Let an item whose result is not believed any more have further copies."""
        self.move(item, "doubt")
        self.open += 1
        self.ready.append(item)

    def again(self, item: int) -> None:
        """Let an item be tried anew, with all its attempts."""
        self.move(item, "again")
        self.tried_before[item] = self.attempts[item]
        self.ready.append(item)
