"""Plans that are surer, for swarms whose plan misses the probability that is asked.

Planning a class as if its deadline were nearer leaves its copies more time than the mean of what is
ahead of them and their own quantile. The plan that comes out is one for the deadlines that hold:
every copy that starts by an earlier latest start starts by its own, in the order of execution of the
instance itself too, because the copies before it are then among those that were counted before it.
"""

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from swarm_placement.chance.likelihood import at_least
from swarm_placement.chance.lots import of_arcs
from swarm_placement.chance.starting import starts
from swarm_placement.model import Instance, Plan
from swarm_placement.program import arcs
from swarm_placement.program.problem import Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
HALVINGS = 50
SUREST = 1 - 1e-9
"""A copy is never asked to be surer than this."""


def each_probability(instance: Instance, items: Ints) -> float:
    """Return the least probability of each item, the same for all and independent, with which the
    swarm succeeds as probably as it should; by bisection."""
    swarm = instance.swarm
    needed = math.ceil(swarm.min_success_ratio * int(items.sum()) - 1e-9)
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = at_least(items, np.full(items.size, middle), needed)
        low, high = (low, middle) if found >= swarm.target_probability else (middle, high)
    return high


def nearer(instance: Instance, planned: Instance, flat: Problem, plan: Plan) -> Instance | None:
    """Return what was planned with nearer deadlines for the classes that are not sure enough.

    A deadline comes nearer by as much as the class's last copy would be late if the queue of its site
    were as late as the swarm must bear, and the copy took its own quantile after it; if that leaves
    time. None if nothing is missing, a copy has no place, or no deadline can come nearer.
    """
    swarm = instance.swarm
    if plan.bound.probability >= swarm.target_probability or (plan.option < 0).any():
        return None
    late_s = lateness_s(instance, flat, plan.option, each_probability(instance, flat.items))
    due_s = arcs.deadlines(planned, planned.classes) - late_s
    classes = tuple(
        replace(one, deadline_s=float(due)) if late > 0 and due > 0 else one
        for one, late, due in zip(planned.classes, late_s, due_s, strict=True)
    )
    return None if classes == planned.classes else replace(planned, classes=classes)


def lateness_s(
    instance: Instance, flat: Problem, option: NDArray[np.int32], asked: float
) -> Floats:
    """Return per class how many seconds beyond its deadline its last copy ends, if each copy must be
    in time with the probability that `asked` of an item takes, and each site with that which the
    target of the swarm takes; below 0 if it is in time all the same."""
    lots = of_arcs(instance, flat, option)
    last = starts(instance, lots, np.asarray(lots.many[:, None] - 1.0, np.float64))
    sites = np.unique(lots.site).size
    queue = NormalDist().inv_cdf(min(instance.swarm.target_probability ** (1 / sites), SUREST))
    each = np.array([one.copies for one in instance.classes])[lots.of_class]
    found = np.full(flat.classes, -np.inf)
    for copies in np.unique(each):
        here = each == copies
        level = min(max(asked ** (1 / copies), instance.swarm.item_probability), SUREST)
        hop_s = lots.move_s + arcs.quantile_s(lots.mean_s, lots.sigma, level)
        spot = lots.rate > 0
        hop_s[spot] = arcs.spot_hop_s(
            lots.move_s[spot], lots.mean_s[spot], lots.sigma[spot], lots.rate[spot], level
        )
        begin_s = last.mean_s + queue * last.spread_s + last.cold_s
        late_s = begin_s[:, 0] + hop_s - lots.due_s
        np.maximum.at(found, lots.of_class[here], late_s[here])
    return found


def same_arcs(flat: Problem, other: Problem, copies: Ints) -> Ints:
    """Return the copies per arc of a problem with at least the arcs of another one."""
    width = int(max(flat.option.max(initial=0), other.option.max(initial=0))) + 1
    found = np.zeros(flat.of_class.size, np.int64)
    keys = flat.of_class * width + flat.option
    order = np.argsort(keys)
    found[order[np.searchsorted(keys[order], other.of_class * width + other.option)]] = copies
    return found
