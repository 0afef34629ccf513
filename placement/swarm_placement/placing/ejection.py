"""Places for stranded copies by ejection chains.

A copy without room takes the place of another one, or of several shorter ones, which take the place
of others, until all fit where there is room (Glover 1996). What the cheapest chain of every class
would cost is found at once, by Bellman-Ford over the classes with one step per ejection; these
lengths lead a depth-first search that tries the swaps that promise most, within limits. Lengths take
each step as if it were alone; the search takes every step for real, and takes back what is in its
own way.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.placing.swaps import Swaps, swaps
from swarm_placement.program.problem import inner
from swarm_placement.program.room import Room

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a search goes: ejections one after another, copies that one may eject at once, swaps
    tried for the first copy (a quarter of it, at least two, after that), and swaps tried in all."""

    steps: int
    width: int
    tries: int
    most: int


LONG = Reach(steps=6, width=1, tries=8, most=400)
WIDE = Reach(steps=3, width=3, tries=24, most=400)
SAVING = Reach(steps=1, width=1, tries=4, most=20)
ROUNDS = 20
LEAST_SAVING = 1e-6
"""Share of the penalty a chain must save to be taken."""
ROUND_SAVING = 2e-5
"""Share of all cost a round must save for another one."""


def repair(room: Room, reduced: Floats, most_moves: int | None = None) -> int:
    """Place stranded copies, by long chains of single copies and then by wide ones, until a round
    places none; `reduced` are costs at the prices.

    At most `most_moves` others are ejected; returns how many more might have been.
    """
    left = int(room.copies.sum()) if most_moves is None else most_moves
    for reach in (LONG, WIDE):
        placed = 1
        while placed and room.left.any():
            chains = Chains(room, reduced, reach, left)
            placed = sum(chains.place(one) for one in np.flatnonzero(room.left > 0).tolist())
            left = chains.moves
    return left


def improve(
    room: Room,
    rounds: int = ROUNDS,
    reach: Reach = SAVING,
    move_usd: float = 0.0,
    most_moves: int | None = None,
) -> None:
    """Move copies along chains that save more than so many dollars for each that moves, at most
    `most_moves`, until a round saves little."""
    flat = room.flat
    left = int(room.copies.sum()) * rounds if most_moves is None else most_moves
    for _ in range(rounds):
        before = inner(room.copies, flat.cost_usd)
        chains = Chains(room, flat.cost_usd, reach, left, move_usd)
        used = np.flatnonzero(room.copies > 0)
        saves = flat.cost_usd[used] - chains.lengths[-1][flat.of_class[used]] - move_usd
        order = np.argsort(-saves, kind="stable")
        for arc in used[order[saves[order] > LEAST_SAVING * flat.penalty_usd]].tolist():
            while room.copies[arc] > 0 and chains.shift(arc):
                pass
        left = chains.moves
        if before - inner(room.copies, flat.cost_usd) <= ROUND_SAVING * before:
            return


class Chains:
    """The chains there are, as the room is when they are made; `moves` copies that have a place may
    move, each for `move_usd` on top of what its new place costs."""

    def __init__(
        self, room: Room, usd: Floats, reach: Reach, moves: int, move_usd: float = 0.0
    ) -> None:
        self.room, self.usd, self.reach = room, usd, reach
        self.moves, self.move_usd = moves, move_usd
        self.swaps = swaps(room, usd, reach.width)
        self.lengths = _lengths(room, usd, self.swaps, reach.steps)
        self.begin = np.searchsorted(room.flat.of_class, np.arange(room.flat.classes + 1))
        self.done: list[tuple[int, int]] = []  # arcs and how many copies they were given
        self.tried = 0

    def place(self, one: int) -> int:
        """Place stranded copies of a class along its chains; return how many."""
        placed = 0
        while self.room.left[one] > 0 and self._chain(one, -1, self.room.flat.penalty_usd):
            placed += 1
        return placed

    def shift(self, arc: int) -> bool:
        """Move one copy off an arc along a chain that saves money; say whether one did."""
        flat = self.room.flat
        most_usd = float(flat.cost_usd[arc]) - self.move_usd - LEAST_SAVING * flat.penalty_usd
        self.moves -= 1
        moved = self.moves >= 0 and self._chain(int(flat.of_class[arc]), arc, most_usd)
        self.moves += not moved
        return moved

    def _chain(self, one: int, leaving: int, most_usd: float) -> bool:
        """Give a copy of a class a place for at most so many dollars, one that leaves an arc (-1: it
        is stranded); take everything back if that does not work out."""
        self.done, self.tried = [], 0
        if leaving >= 0:
            self._take(leaving, -1)
        begun = len(self.done)
        if self._direct(one, most_usd, leaving) or self._through(one, most_usd, self.reach.steps):
            self.moves -= self._ejected(begun)
            return True
        self._back(0)
        return False

    def _through(self, one: int, most_usd: float, steps: int) -> bool:
        """Place a copy in the place of others, by swaps in the order of what they promise; at the
        first step the whole chain is held against its limits."""
        first = steps == self.reach.steps
        tries = self.reach.tries if first else max(2, self.reach.tries // 4)
        for swap in self._promising(one, most_usd, steps, tries):
            if self.tried >= self.reach.most:
                return False
            self.tried += 1
            mark = len(self.done)
            if self._swap(swap, steps - 1) and (not first or self._within(most_usd, mark)):
                return True
            self._back(mark)
        return False

    def _promising(self, one: int, most_usd: float, steps: int, tries: int) -> list[int]:
        """Return the swaps of a class with the shortest chains of at most so many steps."""
        here = slice(self.swaps.begin[one], self.swaps.begin[one + 1])
        rest = self.lengths[min(steps, len(self.lengths)) - 1]
        length = self.swaps.usd[here] + self.swaps.many[here] * rest[self.swaps.leaving[here]]
        best = np.arange(length.size)
        if length.size > tries:
            best = np.argpartition(length, tries)[:tries]
        best = best[np.argsort(length[best], kind="stable")]
        return [here.start + place for place in best[length[best] <= most_usd].tolist()]

    def _swap(self, swap: int, steps: int) -> bool:
        """Let a copy enter and give those that leave for it other places in so many steps."""
        into, out = int(self.swaps.into[swap]), int(self.swaps.out[swap])
        many, leaving = int(self.swaps.many[swap]), int(self.swaps.leaving[swap])
        if self.room.copies[out] < many:
            return False
        self._take(out, -many)
        if self.room.most(np.array([into]))[0] <= 0:
            return False
        self._take(into, 1)
        return all(self._place_ejected(leaving, steps) for _ in range(many))

    def _place_ejected(self, one: int, steps: int) -> bool:
        most_usd = self.room.flat.penalty_usd
        if self._direct(one, most_usd):
            return True
        return steps > 0 and self._through(one, most_usd, steps)

    def _direct(self, one: int, most_usd: float, closed: int = -1) -> bool:
        """Place a copy on the cheapest arc with room, but for a closed one."""
        arcs = np.arange(self.begin[one], self.begin[one + 1])
        arcs = arcs[(self.room.most(arcs) > 0) & (self.usd[arcs] <= most_usd) & (arcs != closed)]
        if arcs.size:
            self._take(int(arcs[np.argmin(self.usd[arcs])]), 1)
        return bool(arcs.size)

    def _within(self, most_usd: float, mark: int) -> bool:
        """Say whether what was done since a mark costs no more, and no more copies had to move."""
        cost_usd = self.room.flat.cost_usd
        spent = sum(count * float(cost_usd[arc]) for arc, count in self.done[mark:])
        moves = self._ejected(mark)
        return spent + moves * self.move_usd <= most_usd and moves <= self.moves

    def _ejected(self, mark: int) -> int:
        return -sum(count for _, count in self.done[mark:] if count < 0)

    def _take(self, arc: int, count: int) -> None:
        self.room.take(arc, count)
        self.done.append((arc, count))

    def _back(self, mark: int) -> None:
        while len(self.done) > mark:
            arc, count = self.done.pop()
            self.room.take(arc, -count)


def _lengths(room: Room, usd: Floats, pairs: Swaps, steps: int) -> list[Floats]:
    """Return, by number of ejections and class, what the cheapest chain would cost."""
    flat = room.flat
    direct = np.full(flat.classes, np.inf)
    arcs = np.flatnonzero(room.most(np.arange(flat.of_class.size)) > 0)
    np.minimum.at(direct, flat.of_class[arcs], usd[arcs])
    found = [direct]
    owner = np.flatnonzero(np.diff(pairs.begin))
    for _ in range(steps if owner.size else 0):
        through = pairs.usd + pairs.many * found[-1][pairs.leaving]
        length = found[-1].copy()
        best = np.minimum.reduceat(through, pairs.begin[owner])
        length[owner] = np.minimum(length[owner], best)
        found.append(length)
        if (length == found[-2]).all():
            break
    return found
