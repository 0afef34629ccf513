"""Plans that are surer, for swarms whose plan misses the probability that is asked.

Planning a class as if its deadline were nearer leaves its copies more time than their quantile. The
plan that comes out is one for the deadlines that hold: every copy that starts by an earlier latest
start starts by its own, in the order of execution of the instance itself too, because the copies
before it are then among those that were counted before it.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement import arcs
from swarm_placement.model import Instance, Plan, copy_offsets
from swarm_placement.probability import swarm_probability
from swarm_placement.problem import Problem

Ints = NDArray[np.int64]
HALVINGS = 50


def each_probability(instance: Instance, items: Ints) -> float:
    """Return the least probability of each item, the same for all, with which the swarm succeeds as
    probably as it should; by bisection."""
    swarm = instance.swarm
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = swarm_probability(items, np.full(items.size, middle), swarm.min_success_ratio)
        low, high = (low, middle) if found >= swarm.target_probability else (middle, high)
    return high


def nearer(instance: Instance, planned: Instance, flat: Problem, plan: Plan) -> Instance | None:
    """Return what was planned with nearer deadlines for the classes that are not sure enough.

    A deadline comes nearer by what its copies would take longer, where they are now, at the quantile
    that is missing, if that leaves time. None if nothing is missing, a copy has no place, or no
    deadline can come nearer.
    """
    swarm = instance.swarm
    if plan.bound.probability >= swarm.target_probability or (plan.option < 0).any():
        return None
    asked = each_probability(instance, flat.items)
    due_s = arcs.deadlines(planned, planned.classes)
    offsets = copy_offsets(instance.classes)
    classes = list(planned.classes)
    for number in np.flatnonzero(plan.bound.class_probability < asked).tolist():
        copy = asked ** (1 / classes[number].copies)
        if not swarm.item_probability < copy < 1:
            return None
        used = np.unique(plan.option[offsets[number] : offsets[number + 1]])
        mine = (flat.of_class == number) & np.isin(flat.option, used)
        longer_s = arcs.quantile_s(flat.mean_s[mine], flat.sigma[mine], copy) - arcs.quantile_s(
            flat.mean_s[mine], flat.sigma[mine], swarm.item_probability
        )
        left_s = float(due_s[number] - longer_s.max())
        if left_s > 0:
            classes[number] = replace(classes[number], deadline_s=left_s)
    return None if tuple(classes) == planned.classes else replace(planned, classes=tuple(classes))


def same_arcs(flat: Problem, other: Problem, copies: Ints) -> Ints:
    """Return the copies per arc of a problem with at least the arcs of another one."""
    width = int(max(flat.option.max(initial=0), other.option.max(initial=0))) + 1
    found = np.zeros(flat.of_class.size, np.int64)
    keys = flat.of_class * width + flat.option
    order = np.argsort(keys)
    found[order[np.searchsorted(keys[order], other.of_class * width + other.option)]] = copies
    return found
