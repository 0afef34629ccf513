"""How schedulers people use would place the same instance.

Re-implementations of the policies, not the products, on the solver's own eligibility and domain
rules; each gives an option per copy like `Plan.option` (-1: unplaced). None of them is told what
the others know less: durations are known to all that use them.

| function | what it looks at |
|---|---|
| `ray_hybrid` | locality, then utilisation: pack up to half, then the least used of the best fifth |
| `locality_first` | the nearest data; spills when a site could not meet the deadline |
| `earliest_finish` | when it would end, queue and transfer included (Dask's `decide_worker`) |
| `cheapest` | price alone, no queue (SkyPilot's optimizer has no slots) |
| `greedy_by_deadline` | tightest deadline first, cheapest site that still meets it: cost-aware EDF |
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, copy_offsets
from swarm_placement.simulate.queues import Floats, Ints
from swarm_placement.simulate.world import World, world

PACK_BELOW = 0.5  # Ray: utilisation up to here counts as none
TOP_SHARE = 0.2  # Ray: one of the best fifth is drawn
MARGIN = 0.1  # EDF greedy: slot-seconds kept free, as in the plan it is compared with
LEVEL_STEP = 0.05  # of the logarithm of latest starts


@dataclass(slots=True, eq=False)
class _Sites:
    """What is assigned so far: seconds of work per slot, by site."""

    slots: Floats
    queue_s: Floats

    def add(self, site: int, work_s: float) -> None:
        self.queue_s[site] += work_s / self.slots[site]


# Chooses among the columns given, by position, or -1: class, options, queues.
_Choose = Callable[[int, Ints, _Sites], int]


def ray_hybrid(instance: Instance, rng: np.random.Generator) -> NDArray[np.int32]:
    """Place like Ray's hybrid policy with data locality; blind to price and deadline."""
    facts = world(instance)
    horizon_s = float(facts.deadline_s.max())

    def choose(of_class: int, among: Ints, sites: _Sites) -> int:
        site = facts.site[among]
        used = sites.queue_s[site] / horizon_s
        far = facts.transfer_s[of_class, among] > 0
        near = np.flatnonzero(~far & (used < PACK_BELOW))
        if len(near):
            return int(near[0])
        rank = np.where(used < PACK_BELOW, 0.0, used)
        top = np.argsort(rank, kind="stable")[: max(1, round(TOP_SHARE * len(among)))]
        return int(rng.choice(top))

    return _one_by_one(facts, choose)


def locality_first(instance: Instance) -> NDArray[np.int32]:
    """Place where the data is; spill to the next nearest where the queue is too long."""
    facts = world(instance)

    def choose(of_class: int, among: Ints, sites: _Sites) -> int:
        far_s = facts.transfer_s[of_class, among]
        end_s = sites.queue_s[facts.site[among]] + far_s + facts.mean_s[of_class, among]
        in_time = end_s <= facts.deadline_s[of_class]
        return int((far_s + np.where(in_time, 0.0, 1e6 + end_s)).argmin())

    return _one_by_one(facts, choose)


def earliest_finish(instance: Instance) -> NDArray[np.int32]:
    """Place where each copy would end first: queue, transfer and mean duration."""
    facts = world(instance)

    def choose(of_class: int, among: Ints, sites: _Sites) -> int:
        work_s = facts.transfer_s[of_class, among] + facts.mean_s[of_class, among]
        return int((sites.queue_s[facts.site[among]] + work_s).argmin())

    return _one_by_one(facts, choose)


def cheapest(instance: Instance) -> NDArray[np.int32]:
    """Place where a copy is cheapest and could meet its deadline if nobody else were there."""
    facts = world(instance)

    def choose(of_class: int, among: Ints, sites: _Sites) -> int:
        del sites
        return int(facts.usd[of_class, among].argmin())

    return _one_by_one(facts, choose)


def greedy_by_deadline(instance: Instance, margin: float = MARGIN) -> NDArray[np.int32]:
    """Place tightest deadline first, each class where it is cheapest and still in time.

    Knows prices, quantiles and slots: a copy fits where the work of all copies that go before it,
    by latest start, leaves it on time, and delays none that is there (nested levels). What finds no
    place beside the margin is placed within it.
    """
    facts = world(instance)
    greedy = _Greedy(facts, margin)
    order = np.argsort(facts.deadline_s, kind="stable").tolist()
    for number in order:
        greedy.place(number)
    greedy.room += margin * greedy.full
    for number in order:
        greedy.place(number)
    parts = [
        _shared_out(facts, number, one.items, one.copies, greedy.taken[number])
        for number, one in enumerate(instance.classes)
    ]
    return np.concatenate(parts)


class _Greedy:
    """Slot-seconds left by site and level of latest start, and what each class has taken."""

    def __init__(self, facts: World, margin: float) -> None:
        classes, sites = facts.instance.classes, facts.instance.sites
        self.facts = facts
        self.possible = facts.allowed & (facts.latest_s >= 0)
        latest = np.maximum(facts.latest_s[self.possible], 1.0)
        self.edges = np.append(0.0, np.exp(np.arange(0.0, np.log(latest.max()), LEVEL_STEP)))
        slots = np.array([site.slots for site in sites], dtype=np.float64)
        begin_s = np.array([site.boot_s for site in sites])
        for one in facts.instance.occupancy:
            site = [other.name for other in sites].index(one.site)
            begin_s[site] += sum(one.remaining_s) / slots[site]
        # The last copy of a level needs no room before its start, and a first wave always fits.
        shortest_s = np.full(len(slots), np.inf)
        least_s = np.where(self.possible, facts.busy_s, np.inf).min(axis=0)
        np.minimum.at(shortest_s, facts.site, least_s)
        self.full = slots[:, None] * np.maximum(0.0, self.edges[None, :] - begin_s[:, None])
        self.room = np.maximum(
            (1.0 - margin) * self.full + shortest_s[:, None], (slots * shortest_s)[:, None]
        )
        self.taken: list[list[tuple[int, int]]] = [[] for _ in classes]
        self.left = [one.items * one.copies for one in classes]
        self.in_domain = [dict.fromkeys(row.tolist(), 0) for row in facts.domain]

    def place(self, number: int) -> None:
        """Place what is left of a class, cheapest option first."""
        among = np.flatnonzero(self.possible[number])
        among = among[np.argsort(self.facts.usd[number, among], kind="stable")]
        items, in_domain = self.facts.instance.classes[number].items, self.in_domain[number]
        for way in among.tolist():
            if self.left[number] == 0:
                return
            site, work_s = int(self.facts.site[way]), float(self.facts.busy_s[number, way])
            level = np.searchsorted(self.edges, self.facts.latest_s[number, way], side="right") - 1
            domain = int(self.facts.domain[number, site])
            fits = int(max(0.0, self.room[site, level:].min()) / work_s + 1e-9)
            count = min(self.left[number], fits, items - in_domain[domain])
            if count > 0:
                self.room[site, level:] -= count * work_s
                in_domain[domain] += count
                self.left[number] -= count
                self.taken[number].append((way, count))


def _shared_out(
    facts: World, number: int, items: int, copies: int, taken: list[tuple[int, int]]
) -> NDArray[np.int32]:
    """Give the copies of a class to its items, none two of the same domain: sorted by domain,
    the r-th copy goes to item r modulo the number of items."""
    ordered = sorted(taken, key=lambda one: int(facts.domain[number, facts.site[one[0]]]))
    ways = np.repeat([way for way, _ in ordered], [count for _, count in ordered])
    table = np.full((copies, items), -1, dtype=np.int32)
    table.reshape(-1)[: len(ways)] = ways
    return table.T.reshape(-1)


def _one_by_one(facts: World, choose: _Choose) -> NDArray[np.int32]:
    """Place copy after copy in the order of arrival: item by item, classes in turn."""
    classes = facts.instance.classes
    offsets = copy_offsets(classes)
    option = np.full(int(offsets[-1]), -1, dtype=np.int32)
    slots = np.array([site.slots for site in facts.instance.sites], dtype=np.float64)
    sites = _Sites(slots, np.array([site.boot_s for site in facts.instance.sites]))
    possible = facts.allowed & (facts.latest_s >= 0)
    among = [np.flatnonzero(row) for row in possible]
    work_s = facts.busy_s
    order = sorted(
        ((item + 0.5) / one.items, number, item)
        for number, one in enumerate(classes)
        for item in range(one.items)
    )
    for _, number, item in order:
        left = among[number]
        for ordinal in range(classes[number].copies):
            if not len(left):
                break
            way = int(left[choose(number, left, sites)])
            site = int(facts.site[way])
            sites.add(site, float(work_s[number, way]))
            option[offsets[number] + item * classes[number].copies + ordinal] = way
            domain = facts.domain[number]
            left = left[domain[facts.site[left]] != domain[site]]
    return option
