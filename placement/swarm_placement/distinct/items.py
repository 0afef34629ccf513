"""Items as columns, sorted into patterns: items of one pattern differ in numbers only."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import count
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, ItemClass, Needs
from swarm_placement.program import arcs
from swarm_placement.program.attributes import budgets, deadlines, numbers

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NAMES = attrgetter("kind", "copies", "across", "behavior", "dataset", "data_site")


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """One entry per item; `of_class` is its class, `first` where its copies begin in `Plan.option`.

    `size` (6 x items) is what cost, work and hop are linear in: 1, bytes, seconds of work, work
    times the quantile factor of its log-normal (1 for a known kind, whose table has the quantile),
    input tokens, output tokens. `pattern` numbers what else they depend on; `sample` is one class
    of each pattern. `deadline_s` keeps the reserve; `budget_usd` is infinite where there is none.
    """

    of_class: Ints
    first: Ints
    copies: Ints
    pattern: Ints
    size: Floats
    sigma: Floats
    deadline_s: Floats
    budget_usd: Floats
    sample: tuple[ItemClass, ...]

    def taken(self, order: Ints) -> "Items":
        """Return the items in another order."""
        return Items(
            self.of_class[order], self.first[order], self.copies[order], self.pattern[order],
            self.size[:, order], self.sigma[order], self.deadline_s[order],
            self.budget_usd[order], self.sample,
        )  # fmt: skip


def items(instance: Instance) -> Items:
    """Return the items of all classes, by class."""
    classes = instance.classes
    pattern, sample = patterns(classes)
    many, copies, work_s, sigma, data_bytes, tokens_in, tokens_out = numbers(classes)
    of_class = np.repeat(np.arange(len(classes)), many.astype(np.int64))
    copies = copies.astype(np.int64)[of_class]
    known = set(instance.durations.kinds) if instance.durations else set[str]()
    tabled = np.array([one.kind in known for one in sample])[pattern]
    quantile = arcs.quantile_s(work_s, sigma, instance.swarm.item_probability)
    size = np.stack(
        (
            np.ones(work_s.size),
            data_bytes,
            work_s,
            np.where(tabled, work_s, quantile),
            tokens_in,
            tokens_out,
        )
    )
    last_s = instance.swarm.deadline_s - instance.swarm.reserve_s
    deadline_s = np.fmin(deadlines(classes)[0], last_s)
    budget_usd = np.fmin(budgets(classes)[0], np.inf)
    return Items(
        of_class, np.cumsum(copies) - copies, copies, pattern[of_class], size[:, of_class],
        sigma[of_class], deadline_s[of_class], budget_usd[of_class], sample,
    )  # fmt: skip


def patterns(classes: Sequence[ItemClass]) -> tuple[Ints, tuple[ItemClass, ...]]:
    """Return the pattern of each class, and one class of each pattern.

    A pattern is everything but numbers of size, and whether there is data to move at all. Patterns
    are sorted, requirements first, so that neighbours are like each other.
    """
    number: dict[Hashable, int] = defaultdict(count().__next__)
    keys = ((id(one.needs), NAMES(one), one.data_bytes > 0) for one in classes)
    by_object = np.fromiter(map(number.__getitem__, keys), np.int64, len(classes))
    _, where = np.unique(by_object, return_index=True)
    kept = [classes[index] for index in where.tolist()]
    asked = [(needs_key(one.needs), NAMES(one), one.data_bytes > 0) for one in kept]
    rank = {key: index for index, key in enumerate(sorted(set(asked)))}
    same = np.array([rank[key] for key in asked])
    _, first = np.unique(same, return_index=True)
    return same[by_object], tuple(kept[index] for index in first.tolist())


def needs_key(needs: Needs) -> tuple[tuple[object, ...], ...]:
    """Return hard requirements as something that can be sorted and hashed."""
    return (
        tuple(sorted(needs.residency)),
        tuple(sorted(needs.hardware.items())),
        tuple(sorted(needs.capabilities.items())),
    )
