"""Places for stranded copies by ejection chains.

A copy without room takes the place of another one, which takes the place of a third, until one fits
where there is room (Glover 1996). The cheapest chain of every class is found at once, by
Bellman-Ford over the classes with one step per ejection; lengths are costs at the prices of the
linear program. Steps are found as if each were alone, so a chain is tried and taken back when its
steps are in each other's way.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.problem import inner
from swarm_placement.room import EPSILON, Room

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STEPS = 6
ROUNDS = 20
SAVING = 1e-6
"""Share of the penalty a chain must save to be taken."""
ROUND_SAVING = 2e-5
"""Share of all cost a round must save for another one."""


@dataclass(frozen=True, slots=True, eq=False)
class Swaps:
    """Pairs of arcs at one site: a copy enters `into` in the place of one that leaves `out`; sorted
    by the class that enters."""

    into: Ints
    out: Ints
    entering: Ints
    leaving: Ints
    cost: Floats


def repair(room: Room, reduced: Floats, most_moves: int | None = None) -> None:
    """Place stranded copies until a round places none, ejecting at most so many others; `reduced`
    are costs at the prices."""
    left = int(room.copies.sum()) if most_moves is None else most_moves
    for _ in range(ROUNDS):
        stranded = np.flatnonzero(room.left > 0)
        if not stranded.size:
            return
        chains = Chains(room, reduced, left)
        if not sum(chains.place(int(one)) for one in stranded):
            return
        left = chains.moves


def improve(room: Room, rounds: int = ROUNDS) -> None:
    """Move copies along chains that save money, until a round saves little."""
    flat = room.flat
    for _ in range(rounds):
        before = inner(room.copies, flat.cost_usd)
        chains = Chains(room, flat.cost_usd, int(room.copies.sum()))
        used = np.flatnonzero(room.copies > 0)
        saves = flat.cost_usd[used] - chains.lengths[-1][flat.of_class[used]]
        order = np.argsort(-saves, kind="stable")[: int((saves > SAVING * flat.penalty_usd).sum())]
        for arc in used[order].tolist():
            while room.copies[arc] > 0 and chains.shift(arc):
                pass
        if before - inner(room.copies, flat.cost_usd) <= ROUND_SAVING * before:
            return


class Chains:
    """The cheapest chain of each class by number of ejections, as the room is now."""

    def __init__(self, room: Room, reduced: Floats, moves: int) -> None:
        self.room, self.moves = room, moves
        self.swaps = swaps(room, reduced)
        self.last, length = _direct(room, reduced)
        self.lengths, self.choices = [length], [np.full(length.size, -1, np.int64)]
        begins = np.flatnonzero(np.diff(self.swaps.entering, prepend=-1))
        owner = self.swaps.entering[begins]
        for _ in range(STEPS if begins.size else 0):
            through = self.swaps.cost + length[self.swaps.leaving]
            best = np.minimum.reduceat(through, begins)
            better = np.flatnonzero(best < length[owner] - 1e-12)
            if not better.size:
                break
            first = np.flatnonzero(
                through == np.repeat(best, np.diff(np.append(begins, through.size)))
            )
            first = first[np.searchsorted(first, begins)]
            length, choice = length.copy(), np.full(length.size, -1, np.int64)
            length[owner[better]], choice[owner[better]] = best[better], first[better]
            self.lengths.append(length)
            self.choices.append(choice)

    def place(self, one: int) -> int:
        """Place stranded copies of a class along its chains; return how many."""
        placed = 0
        while self.room.left[one] > 0 and any(
            self.lengths[step][one] <= self.room.flat.penalty_usd and self._follow(one, step)
            for step in range(min(len(self.lengths), self.moves + 1))
            if step == 0 or self.choices[step][one] >= 0
        ):
            placed += 1
        return placed

    def shift(self, arc: int) -> bool:
        """Move one copy off an arc along the cheapest chain that saves money; say whether one did."""
        one = int(self.room.flat.of_class[arc])
        most = float(self.room.flat.cost_usd[arc]) - SAVING * self.room.flat.penalty_usd
        self.room.take(arc, -1)
        for step in range(len(self.lengths)):
            is_new = step == 0 or self.choices[step][one] >= 0
            if is_new and self.lengths[step][one] < most and self._follow(one, step):
                return True
        self.room.take(arc, 1)
        return False

    def _follow(self, one: int, steps: int) -> bool:
        """Take the chain of so many steps; take everything back if it does not work out."""
        done: list[tuple[int, int]] = []
        moving = one
        for step in range(steps, -1, -1):
            swap = int(self.choices[step][moving])
            if swap >= 0:
                if not self._move(int(self.swaps.out[swap]), int(self.swaps.into[swap]), done):
                    break
                moving = int(self.swaps.leaving[swap])
            elif step == 0 and self._move(-1, int(self.last[moving]), done):
                self.moves -= sum(count < 0 for _, count in done)
                return True
        for arc, count in reversed(done):
            self.room.take(arc, -count)
        return False

    def _move(self, out: int, into: int, done: list[tuple[int, int]]) -> bool:
        """Let a copy leave one arc (-1: none) and another enter; say whether there was room."""
        for arc, count in ((out, -1), (into, 1)):
            if arc < 0:
                continue
            if (self.room.copies[arc] if count < 0 else self.room.most(np.array([arc]))[0]) <= 0:
                return False
            self.room.take(arc, count)
            done.append((arc, count))
        return into >= 0


def _direct(room: Room, reduced: Floats) -> tuple[Ints, Floats]:
    """Return, per class, the cheapest arc with room (-1 for none) and its cost."""
    flat = room.flat
    arcs = np.flatnonzero(room.most(np.arange(flat.of_class.size)) > 0)
    order = arcs[np.lexsort((reduced[arcs], flat.of_class[arcs]))]
    owner, first = np.unique(flat.of_class[order], return_index=True)
    best, length = np.full(flat.classes, -1, np.int64), np.full(flat.classes, np.inf)
    best[owner], length[owner] = order[first], reduced[order[first]]
    return best, length


def swaps(room: Room, reduced: Floats) -> Swaps:
    """Return all swaps for which the site has the slot-seconds, each judged alone."""
    flat = room.flat
    used = np.flatnonzero(room.copies > 0)
    used = used[np.argsort(flat.site[used], kind="stable")]
    arcs = np.argsort(flat.site, kind="stable")
    low, high = np.searchsorted(flat.site[used], (flat.site[arcs], flat.site[arcs] + 1))
    many = high - low
    into = np.repeat(arcs, many)
    step = np.arange(into.size) - np.repeat(np.cumsum(many) - many, many)
    out = used[np.repeat(low, many) + step]
    later = np.maximum(flat.rows.of_arc[into], flat.rows.of_arc[out])
    fits = flat.work_s[into] - flat.work_s[out] <= room.slot_s[later] + EPSILON
    fits &= flat.of_class[into] != flat.of_class[out]
    fits &= (room.group[flat.group[into]] > 0) | (flat.group[into] == flat.group[out])
    into, out = into[fits], out[fits]
    fits = flat.work_s[into] <= least_before(room, into, out) + EPSILON
    into, out = into[fits], out[fits]
    order = np.argsort(flat.of_class[into], kind="stable")
    into, out = into[order], out[order]
    cost = reduced[into] - reduced[out]
    return Swaps(into, out, flat.of_class[into], flat.of_class[out], cost)


def least_before(room: Room, into: Ints, out: Ints) -> Floats:
    """Return the least slack of the rows that hold the entering arc but not the leaving one, for
    pairs sorted by site."""
    begin, end = room.flat.rows.of_arc[into], room.flat.rows.of_arc[out]
    found = np.full(into.size, np.inf)
    earlier = np.flatnonzero(begin < end)
    if earlier.size:
        ends = np.column_stack((begin[earlier], end[earlier])).ravel()
        found[earlier] = np.minimum.reduceat(room.slack_s, ends)[::2]
    return found
