"""Which hard requirement or limit keeps a class from which option."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from swarm_placement.model import Instance, ItemClass, Option
from swarm_placement.program.arcs import ROUNDING, Table, deadlines
from swarm_placement.telling.wording import duration, money

Constraint = Literal[
    "residency", "hardware", "capability", "duration", "preemption", "deadline", "budget"
]


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A reason why a class cannot use an option of a site.

    `missing_s` is by how many seconds the deadline is too early, None for other constraints.
    """

    site: str
    model: str
    constraint: Constraint
    reason: str
    missing_s: float | None


def by_option(
    instance: Instance, one: ItemClass, ways: Sequence[Option], table: Table
) -> list[list[Exclusion]]:
    """Return what keeps a class from each option; nothing where the option is permitted.

    `table` holds this class alone.
    """
    due_s = float(deadlines(instance, [one])[0])
    return [
        [
            Exclusion(
                instance.sites[way.site].name,
                instance.models[way.model].name,
                constraint,
                reason,
                -float(table.latest_s[0, number]) if constraint == "deadline" else None,
            )
            for constraint, reason in (
                *_unmet(instance, one, way),
                *_beyond(one, due_s, table, number),
            )
        ]
        for number, way in enumerate(ways)
    ]


def by_site(
    instance: Instance, ways: Sequence[Option], found: Sequence[list[Exclusion]]
) -> tuple[Exclusion, ...]:
    """Return, for each site without a permitted option, what keeps the class from its nearest
    one: that with the fewest reasons, then the fewest seconds missing."""
    nearest: dict[int, list[Exclusion]] = {}
    for way, reasons in zip(ways, found, strict=True):
        held = nearest.setdefault(way.site, reasons)
        nearest[way.site] = min(held, reasons, key=_distance)
    return tuple(one for site in range(len(instance.sites)) for one in nearest[site])


def _distance(reasons: list[Exclusion]) -> tuple[int, float]:
    return len(reasons), sum(one.missing_s or 0.0 for one in reasons)


def _unmet(instance: Instance, one: ItemClass, way: Option) -> Iterator[tuple[Constraint, str]]:
    """Yield the hard requirements that an option does not meet."""
    site, model = instance.sites[way.site], instance.models[way.model]
    lacking = sorted(one.needs.residency - site.residency)
    if lacking:
        yield "residency", f"residency: lacks {', '.join(lacking)}"
    for name, least, held in _short(one.needs.hardware, site.hardware):
        yield "hardware", f"hardware: {name} {held:g}, needs {least:g}"
    for name, least, held in _short(one.needs.capabilities, model.capabilities):
        yield "capability", f"capability: {name} {held:g} of {model.name}, needs {least:g}"


def _short(
    needed: Mapping[str, float], offered: Mapping[str, float]
) -> Iterator[tuple[str, float, float]]:
    for name, least in needed.items():
        held = offered.get(name, 0.0)
        if held < least:
            yield name, least, held


def _beyond(
    one: ItemClass, due_s: float, table: Table, number: int
) -> Iterator[tuple[Constraint, str]]:
    """Yield the limits of time and money that an option exceeds."""
    mean_s, latest_s = table.mean_s[0, number], table.latest_s[0, number]
    if np.isnan(mean_s):
        yield "duration", f"duration: unknown for {one.kind}"
    elif not np.isfinite(table.work_s[0, number]) or latest_s == -np.inf:
        yield "preemption", "preemption: too frequent to ever finish"
    elif latest_s < 0:
        needs = f"needs {duration(due_s - latest_s)} of {duration(due_s)}"
        yield "deadline", f"deadline: {duration(-latest_s)} missing ({needs})"
    cost_usd = table.cost_usd[0, number]
    if one.budget_usd is not None and cost_usd > one.budget_usd * (1 + ROUNDING):
        yield "budget", f"budget: {money(cost_usd)} a copy, at most {money(one.budget_usd)}"
