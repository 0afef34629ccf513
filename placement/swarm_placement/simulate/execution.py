"""Monte Carlo of a plan: what really becomes of it when durations are uncertain.

Durations are log-normal; a share of copies are stragglers; one site may be slower than anyone
said. Transfer and loading hold slots, spot slots are preempted and start again. Sites take copies
by least latest start, or first come, first served. With hedging, the policies of
`swarm_placement.policies` act on what they could see at the time: see `rescue`. Nothing is shared
with the solver.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, copy_offsets
from swarm_placement.simulate.conditions import RANDOM, Conditions
from swarm_placement.simulate.copies import Copies, placed
from swarm_placement.simulate.idle_slots import IdleSlots, choices
from swarm_placement.simulate.queues import Floats, Ints, Schedule, list_schedule
from swarm_placement.simulate.rescue import Rescue
from swarm_placement.simulate.world import World, world


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of a plan.

    `class_hit`: per class, the share of items whose copies all ended before the deadline (unplaced
    ones did not); `success`: the share of draws in which enough items did; `extra_work`:
    slot-seconds of backups over those of the plan; `usd`: mean money spent, backups included;
    `moved`: copies taken elsewhere before they started, per draw.
    """

    class_hit: Floats
    hit: float
    success: float
    extra_work: float
    usd: float
    moved: float

    def worst(self, items: NDArray[np.int64], least: int = 20) -> float:
        """Return the hit rate of the worst class with at least so many items."""
        return float(self.class_hit[items >= least].min())


def simulate(
    instance: Instance,
    option: NDArray[np.int32],
    conditions: Conditions,
    rng: np.random.Generator,
) -> Outcome:
    """Execute a plan (`Plan.option`) in many draws and return what became of it."""
    facts = world(instance)
    copies = placed(facts, option, conditions.order)
    slow = _slow_sites(copies, conditions, rng)
    compute_s = _compute_s(facts, copies, conditions, slow, rng)
    duration_s = _restarted(facts, copies, compute_s, rng)
    schedule = list_schedule(copies.queues, duration_s)
    done_s, spent_s, moved = schedule.end_s, np.zeros(conditions.draws), 0.0
    usd = _planned_usd(facts, copies, schedule)
    if conditions.hedge_share > 0:
        among = choices(facts)
        draws = [
            Rescue(facts, copies, among, conditions, int(slow[number]), rng).run(
                compute_s[number],
                duration_s[number],
                schedule.start_s[number],
                schedule.end_s[number],
                IdleSlots([free[number] for free in schedule.free_s]),
            )
            for number in range(conditions.draws)
        ]
        done_s = np.array([one.end_s for one in draws])
        spent_s = np.array([one.spent_s for one in draws])
        usd += float(np.mean([one.usd for one in draws]))
        moved = float(np.mean([one.moved for one in draws]))
    planned_s = float(facts.busy_s[copies.of_class, copies.option].sum())
    return _outcome(facts, copies, option, done_s, spent_s / planned_s, usd, moved)


def _slow_sites(copies: Copies, conditions: Conditions, rng: np.random.Generator) -> Ints:
    """Return the slow site of each draw."""
    if conditions.slow_site != RANDOM:
        return np.full(conditions.draws, conditions.slow_site)
    used = np.flatnonzero(np.diff(copies.queues.begin))
    return rng.choice(used, conditions.draws)


def _compute_s(
    facts: World,
    copies: Copies,
    conditions: Conditions,
    slow: Ints,
    rng: np.random.Generator,
) -> Floats:
    """Draw what the computation of each copy takes, draws x copies."""
    shape = (conditions.draws, len(copies.index))
    mean, sigma = (
        facts.mean_s[copies.of_class, copies.option],
        facts.sigma[copies.of_class, copies.option],
    )
    drawn = mean * np.exp(sigma * rng.standard_normal(shape) - sigma**2 / 2)
    straggling = rng.random(shape) < conditions.stragglers
    drawn[straggling] *= rng.uniform(*conditions.straggler_factor, int(straggling.sum()))
    drawn[facts.site[copies.option][None, :] == slow[:, None]] *= conditions.slow_factor
    return np.asarray(drawn)


def _restarted(facts: World, copies: Copies, compute_s: Floats, rng: np.random.Generator) -> Floats:
    """Add transfer, and on spot slots the tries that were preempted."""
    once = compute_s + facts.transfer_s[copies.of_class, copies.option]
    rate = facts.preemptions_per_s[copies.option]
    spot = np.flatnonzero(rate)
    if len(spot):
        survival = np.exp(-rate[spot] * once[:, spot])
        tries = rng.geometric(np.maximum(survival, 1e-6))
        lost = 1.0 / rate[spot] - once[:, spot] * survival / np.maximum(1.0 - survival, 1e-12)
        once[:, spot] += (tries - 1) * lost
    return np.asarray(once)


def _planned_usd(facts: World, copies: Copies, schedule: Schedule) -> float:
    """Return the mean money of the copies: slot-seconds as used, egress and tokens as planned."""
    price = facts.usd_per_slot_s[copies.option]
    other = (facts.usd - facts.busy_s * facts.usd_per_slot_s)[copies.of_class, copies.option]
    used = ((schedule.end_s - schedule.start_s) * price).sum(axis=1).mean()
    return float(used + other.sum())


def _outcome(
    facts: World,
    copies: Copies,
    option: NDArray[np.int32],
    done_s: Floats,
    extra_work: Floats,
    usd: float,
    moved: float,
) -> Outcome:
    classes = facts.instance.classes
    in_time = np.zeros((done_s.shape[0], len(option)), dtype=bool)
    in_time[:, copies.index] = done_s <= facts.deadline_s[copies.of_class]
    offsets = copy_offsets(classes)
    shares, items_done = [], np.zeros(done_s.shape[0])
    for number, one in enumerate(classes):
        mine = in_time[:, offsets[number] : offsets[number + 1]]
        whole = mine.reshape(-1, one.items, one.copies).all(axis=2)
        shares.append(float(whole.mean()))
        items_done += whole.sum(axis=1)
    items = sum(one.items for one in classes)
    enough = items_done >= facts.instance.swarm.min_success_ratio * items - 1e-9
    return Outcome(
        np.array(shares),
        float(items_done.mean() / items),
        float(enough.mean()),
        float(extra_work.mean()),
        usd,
        moved,
    )
