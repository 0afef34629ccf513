"""Items as columns, sorted into patterns: items of one pattern differ in numbers only."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from swarm_placement import arcs
from swarm_placement.model import Instance, ItemClass, Needs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NEEDS = attrgetter("needs")
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
    many = column(classes, "items").astype(np.int64)
    of_class = np.repeat(np.arange(len(classes)), many)
    copies = column(classes, "copies").astype(np.int64)[of_class]
    work_s, sigma = column(classes, "work_s"), column(classes, "sigma")
    known = set(instance.durations.kinds) if instance.durations else set[str]()
    tabled = np.array([one.kind in known for one in sample])[pattern]
    quantile = arcs.quantile_s(work_s, sigma, instance.swarm.item_probability)
    size = np.stack(
        (
            np.ones(work_s.size),
            column(classes, "data_bytes"),
            work_s,
            np.where(tabled, work_s, quantile),
            column(classes, "input_tokens"),
            column(classes, "output_tokens"),
        )
    )
    last_s = instance.swarm.deadline_s - instance.swarm.reserve_s
    deadline_s = np.fmin(optional(classes, "deadline_s"), last_s)
    budget_usd = np.fmin(optional(classes, "budget_usd"), np.inf)
    return Items(
        of_class, np.cumsum(copies) - copies, copies, pattern[of_class], size[:, of_class],
        sigma[of_class], deadline_s[of_class], budget_usd[of_class], sample,
    )  # fmt: skip


def column(classes: Sequence[ItemClass], name: str) -> Floats:
    """Return one number of each class."""
    return np.fromiter(map(attrgetter(name), classes), np.float64, len(classes))


def optional(classes: Sequence[ItemClass], name: str) -> Floats:
    """Return one number of each class, NaN where there is none."""
    return np.array(list(map(attrgetter(name), classes)), np.float64)


def patterns(classes: Sequence[ItemClass]) -> tuple[Ints, tuple[ItemClass, ...]]:
    """Return the pattern of each class, and one class of each pattern.

    A pattern is everything but numbers of size, and whether there is data to move at all.
    """
    number: dict[Hashable, int] = {}
    keys = zip(
        map(id, map(NEEDS, classes)),
        map(NAMES, classes),
        (column(classes, "data_bytes") > 0).tolist(),
        strict=True,
    )
    by_object = np.array([number.setdefault(key, len(number)) for key in keys])
    _, where = np.unique(by_object, return_index=True)
    kept = [classes[index] for index in where.tolist()]
    asked = [(needs_key(one.needs), NAMES(one), one.data_bytes > 0) for one in kept]
    rank = {key: index for index, key in enumerate(dict.fromkeys(asked))}
    same = np.array([rank[key] for key in asked])
    _, first = np.unique(same, return_index=True)
    return same[by_object], tuple(kept[index] for index in first.tolist())


def needs_key(needs: Needs) -> Hashable:
    """Return hard requirements as something that can be compared and hashed."""
    return (
        frozenset(needs.capabilities.items()),
        frozenset(needs.hardware.items()),
        needs.residency,
    )
