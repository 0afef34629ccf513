"""Cost, work and hop of every arc as linear forms in the size of an item.

Within a pattern the quantities of `arcs.table` are linear in an item's size (`Items.size`), so six
probes per pattern give them for all items; the formulas stay in `arcs`. Two things are not linear:
spot slots, and data that more than one site holds. Patterns with them ask `arcs` item by item.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement.distinct.items import Items
from swarm_placement.model import Instance, ItemClass, options
from swarm_placement.program import arcs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
BYTES = 1e9  # sizes of the probes; any will do
TOKENS = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class Arcs:
    """Items x options: dollars, slot-seconds with margin, latest start; what of it exists."""

    cost_usd: Floats
    work_s: Floats
    latest_s: Floats
    exists: Flags


class Forms:
    """The linear forms, patterns x 6 x options: `cost_usd`, `work_s`, `hop_s`.

    `site` is per option. `open` says what hard requirements allow; `mean_s` and `sigma` describe one second of work,
    `sigma` where a kind knows it (NaN: the item's own); `liked` is `rank_usd / cost_usd`;
    `straight` is false for patterns with something that is not linear.
    """

    def __init__(self, instance: Instance, items: Items) -> None:
        self.instance = instance
        self.site = np.array([way.site for way in options(instance)], np.int64)
        self.straight = np.array([straight(instance, one) for one in items.sample])
        probes = [probe for one in items.sample for probe in _probes(one)]
        found = arcs.table(instance, probes)
        last_s = instance.swarm.deadline_s - instance.swarm.reserve_s
        shape = (len(items.sample), 6, -1)
        self.cost_usd = _form(found.cost_usd.reshape(shape))
        self.work_s = _form(found.work_s.reshape(shape))
        self.hop_s = _form((last_s - found.latest_s).reshape(shape))
        self.hop_s[:, 3], self.hop_s[:, 2] = self.hop_s[:, 2].copy(), 0.0
        self.open = found.exists.reshape(shape)[:, 0]
        self.mean_s = found.mean_s.reshape(shape)[:, 2]
        known = set(instance.durations.kinds) if instance.durations else set()
        own = np.array([one.kind not in known for one in items.sample])
        self.sigma = np.where(own[:, None], np.nan, found.sigma.reshape(shape)[:, 2])
        liking = arcs.liking(instance, items.sample, options(instance))
        self.liked = 1 - arcs.BEHAVIOR_SHARE * liking

    def arcs(self, items: Items, chosen: Ints | slice, columns: Ints) -> Arcs:
        """Return the arcs of some items of one pattern to some options."""
        pattern = int(items.pattern[chosen][0])
        if not self.straight[pattern]:
            return self._each(items, chosen, columns)
        size = items.size[:, chosen].T
        cost = size @ self.cost_usd[pattern][:, columns]
        due = items.deadline_s[chosen][:, None]
        latest = arcs.snapped(due, size @ self.hop_s[pattern][:, columns])
        exists = self.open[pattern, columns] & (latest >= 0)
        exists &= cost <= items.budget_usd[chosen][:, None] * (1 + arcs.ROUNDING)
        return Arcs(cost, size @ self.work_s[pattern][:, columns], latest, exists)

    def _each(self, items: Items, chosen: Ints | slice, columns: Ints) -> Arcs:
        classes = [self.instance.classes[one] for one in items.of_class[chosen]]
        found = arcs.table(self.instance, classes)
        return Arcs(
            found.cost_usd[:, columns],
            np.where(found.exists, found.work_s, 0.0)[:, columns],
            found.latest_s[:, columns],
            found.exists[:, columns],
        )


def straight(instance: Instance, one: ItemClass) -> bool:
    """Say whether the arcs of a class are linear in its size."""
    holders = sum(
        site.name == one.data_site or (one.dataset != "" and one.dataset in site.datasets)
        for site in instance.sites
    )
    return holders <= 1 and not any(site.spot for site in instance.sites)


def _probes(one: ItemClass) -> tuple[ItemClass, ...]:
    """Return items of nothing, data, work, input, output and twice the data."""
    nothing = replace(
        one, items=1, work_s=0.0, sigma=0.0, deadline_s=None, budget_usd=None, data_bytes=0.0,
        input_tokens=0.0, output_tokens=0.0,
    )  # fmt: skip
    data = (BYTES, 2 * BYTES) if one.data_bytes > 0 else (0.0, 0.0)
    return (
        nothing,
        replace(nothing, data_bytes=data[0]),
        replace(nothing, work_s=1.0),
        replace(nothing, input_tokens=TOKENS),
        replace(nothing, output_tokens=TOKENS),
        replace(nothing, data_bytes=data[1]),
    )


def _form(probed: Floats) -> Floats:
    """Return the coefficients of 1, bytes, work, quantile of work, input and output tokens."""
    nothing, data, work, tokens_in, tokens_out, twice = np.moveaxis(probed, 1, 0)
    per_byte = (twice - data) / BYTES
    latency = data - nothing - BYTES * per_byte
    parts = (
        nothing + latency,
        per_byte,
        work - nothing,
        np.zeros_like(work),
        (tokens_in - nothing) / TOKENS,
        (tokens_out - nothing) / TOKENS,
    )
    found = np.stack(parts, axis=1)
    return np.where(np.isfinite(found), found, 0.0)
