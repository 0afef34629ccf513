"""A new plan after sites lost slots, close to the old one.

Copies that can stay do stay. The copies that lost their place get new ones from a linear program
over their classes and the room that is left; what finds none may eject others, as long as no more
than `Swarm.moves_share` of the unaffected copies move, exchanges within a class included. Unaffected
is every copy that may stay: within the rows of its site as they are now, or at a site outside of its
rows where all copies are in time all the same. Copies that stand in the margin of a site are placed
anew. Moving a copy that could stay has a price, by default an infinite one. The bound of the new plan
holds for the whole changed instance; it is proven with the prices of the old plan, for any prices
prove a bound.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement.errors import UsageError
from swarm_placement.model import Instance, Plan, options
from swarm_placement.placing.assembly import assemble
from swarm_placement.placing.dealing import dealt
from swarm_placement.placing.ejection import SAVING, improve, repair
from swarm_placement.placing.insertion import Executed, inserted
from swarm_placement.placing.margin import beyond
from swarm_placement.placing.remainder import evict, place_rest
from swarm_placement.program import bound, capacity, necessary
from swarm_placement.program.bound import Prices
from swarm_placement.program.problem import EXACT_ARCS, Problem, cold_starts, problem
from swarm_placement.program.relaxation import Relaxation
from swarm_placement.program.room import EPSILON, Room

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


TRIALS = 50
"""Schedules that are worked out for stranded copies: events are answered at once."""
PULLS = 2
"""Rounds in which copies are moved to cheaper places."""


@dataclass(frozen=True, slots=True, eq=False)
class Replanned:
    """The new plan, the instance as it is now, and all copies that are elsewhere (or nowhere) although
    they might have stayed.

    A site without slots has none in `instance` only because its options must keep their numbers;
    it is no input for `solve`.
    """

    plan: Plan
    instance: Instance
    moved: Ints


class Replanner:
    """Keeps the arrays of an instance ready, so that events are answered in milliseconds."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.flat = problem(instance)
        self.arc_of = np.full((self.flat.classes, len(options(instance))), -1, np.int64)
        self.arc_of[self.flat.of_class, self.flat.option] = np.arange(self.flat.of_class.size)
        copies = [one.copies * one.items for one in instance.classes]
        self.class_of_copy = np.repeat(np.arange(self.flat.classes), copies)

    def replan(self, plan: Plan, slots: Mapping[str, int], move_usd: float = math.inf) -> Replanned:
        """Return the plan after the named sites have so many slots (0: the site is lost).

        Args:
            plan: the plan until now, for the instance with any number of slots.
            slots: the sites that have fewer slots than in the instance; the others have theirs,
                or have them back.
            move_usd: what moving a copy that could stay must save at least. With less than
                infinity, copies return to sites that came back, or go wherever it is cheaper,
                within `Swarm.moves_share`.

        Raises:
            UsageError: for a site that does not exist, or more slots than before.
        """
        now = _changed(self.instance, slots)
        flat = replace(self.flat, rows=_rows(now, self.flat, set(slots)))
        before = np.where(plan.option >= 0, self.arc_of[self.class_of_copy, plan.option], -1)
        before[plan.bound.over_margin] = -1
        outside = _outside(now, flat, before)
        share = self.instance.swarm.moves_share
        if not outside:
            return self._placed(now, flat, before, plan, (share, move_usd))
        wide, closed = _holding(flat, before, outside)
        found = self._placed(now, wide, before, plan, (share, move_usd))
        if _are_timely(found, flat, outside):
            return found
        return self._placed(now, closed, before, plan, (0.0, move_usd))

    def _placed(
        self, now: Instance, flat: Problem, before: Ints, plan: Plan, moves: tuple[float, float]
    ) -> Replanned:
        """Return the plan that keeps what the limits permit of the arcs that copies had before;
        `moves`: the share of the others that may move, and what a move must save."""
        share, move_usd = moves
        room = Room(flat, np.bincount(before[before >= 0], minlength=flat.of_class.size))
        kept = _without(before, evict(room))
        prices = _known_prices(flat, plan)
        place_rest(room)
        most = int(share * int((kept >= 0).sum()))
        allowed = repair(room, bound.reduced_usd(flat, prices), most)
        if most and move_usd < math.inf:
            improve(room, PULLS, SAVING, move_usd, allowed)
        room, over = beyond(now, room, most - _leaving(room, kept))
        arc = dealt(now.classes, room, kept, most - _leaving(room, kept))
        option = np.full(arc.size, -1, np.int32)
        option[arc >= 0] = flat.option[arc[arc >= 0]]
        room, option = inserted(now, room, option, over, TRIALS)
        moved = np.flatnonzero((kept >= 0) & (option != plan.option))
        flat = replace(flat, site_most=self.flat.site_most)  # the bound is not about what was tried
        room, known = Room(flat, room.copies), None
        if flat.of_class.size <= EXACT_ARCS:  # bounds of its own cost little
            prices, known = Relaxation(flat).solve().prices, necessary.best(now, flat)
        found = assemble(now, room, prices, "replan", option=option, over=over, known=known)
        return Replanned(found, now, moved)


def _outside(now: Instance, flat: Problem, before: Ints) -> list[int]:
    """Return the sites whose copies are outside of the rows and in time all the same, as copies are
    that `insertion` has placed."""
    room = Room(flat, np.bincount(before[before >= 0], minlength=flat.of_class.size))
    broken = np.unique(flat.rows.site[room.slack_s < -EPSILON]).tolist()
    if not broken:
        return []
    option = np.full(before.size, -1, np.int32)
    option[before >= 0] = flat.option[before[before >= 0]]
    executed = Executed(now, flat, option, before[:0])
    return [site for site in broken if executed.is_timely(site, executed.queue(site))]


def _holding(flat: Problem, before: Ints, sites: list[int]) -> tuple[Problem, Problem]:
    """Return limits under which all copies at sites outside of their rows can stay: rows that hold
    what there is; and the same with these sites closed to others, so that what was in time stays so."""
    copies = np.bincount(before[before >= 0], minlength=flat.of_class.size)
    loads = bound.loads(flat, copies.astype(float))
    here = np.isin(flat.rows.site, sites)
    slot_s = np.where(here, np.maximum(flat.rows.slot_s, loads), flat.rows.slot_s)
    wide = replace(flat, rows=replace(flat.rows, slot_s=slot_s))
    most = flat.site_most.copy()
    most[sites] = np.bincount(flat.site, copies, most.size)[sites]
    return wide, replace(wide, site_most=most)


def _are_timely(found: Replanned, flat: Problem, sites: list[int]) -> bool:
    """Say whether the copies at some sites begin in time: rows that were widened do not promise it."""
    executed = Executed(found.instance, flat, found.plan.option, found.plan.bound.over_margin)
    return all(executed.is_timely(site, executed.queue(site)) for site in sites)


def _changed(instance: Instance, slots: Mapping[str, int]) -> Instance:
    known = {site.name: site for site in instance.sites}
    for name, count in slots.items():
        if name not in known or not 0 <= count <= known[name].slots:
            raise UsageError(
                "replan.slots",
                f"slots[{name!r}]",
                f"{name} cannot have {count} slots now.",
                "Name a site of the instance and at most the slots it had; solve anew for more.",
            )
    sites = tuple(
        replace(one, slots=slots[one.name]) if one.name in slots else one for one in instance.sites
    )
    return replace(instance, sites=sites)


def _rows(now: Instance, flat: Problem, names: set[str]) -> capacity.Rows:
    """Return the capacity rows with the changed sites' room."""
    rows, slot_s = flat.rows, flat.rows.slot_s.copy()
    cold_s = cold_starts(now, flat.option)
    shortest, longest = capacity.extremes(rows.of_arc, flat.work_s, slot_s.size)
    for number, site in enumerate(now.sites):
        if site.name in names:
            begin, end = np.searchsorted(rows.site, (number, number + 1))
            slot_s[begin:end] = capacity.room(
                capacity.free_times(now, number),
                rows.edge_s[begin:end],
                np.minimum.accumulate(shortest[begin:end]),
                np.maximum.accumulate(longest[begin:end]),
                cold_s[number],
            )
    return replace(rows, slot_s=slot_s)


def _without(arc: Ints, gone: Mapping[int, int]) -> Ints:
    """Return the arcs of all copies, -1 for the last ones of each arc that lost some."""
    found = arc.copy()
    for lost, count in gone.items():
        found[np.flatnonzero(arc == lost)[-count:]] = -1
    return found


def _leaving(room: Room, arc: Ints) -> int:
    """Return how many copies have to leave their arcs for each to have what the room says."""
    has = np.bincount(arc[arc >= 0], minlength=room.copies.size)
    return int(np.maximum(has - room.copies, 0).sum())


def _known_prices(flat: Problem, plan: Plan) -> Prices:
    """Return a plan's prices, each at the row that holds the same arcs."""
    begin = np.searchsorted(flat.rows.site, np.arange(flat.site_most.size + 1))
    paid = np.zeros(flat.rows.site.size)
    for one in plan.bound.capacity:
        here = slice(begin[one.site], begin[one.site + 1])
        row = here.start + np.searchsorted(flat.rows.below_s[here], one.below_s)
        paid[row] += one.usd_per_slot_s
    return Prices(paid, plan.bound.share_price_usd, plan.bound.budget_price)
