"""The file forms: an instance, a list of sites, and a plan as plain data.

Plain data comes from JSON or from YAML that somebody else has loaded. Files of instances and sites
speak in dollars and seconds, as `model` does; a plan leaves with integers (micro-dollars,
microseconds, parts per million), for it becomes part of events.
"""

import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm_placement.errors import UsageError
from swarm_placement.forms.plain import plain, reader
from swarm_placement.forms.schema import json_schema
from swarm_placement.model import (
    Instance,
    Link,
    Model,
    Needs,
    Occupancy,
    Plan,
    Site,
    Swarm,
    Unplaced,
    copy_offsets,
    options,
)
from swarm_placement.telling.usage import Usage, usage
from swarm_placement.validation import raise_first, site_problems
from swarm_placement.validation.limits import HOUR_S, RANGES
from swarm_placement.validation.names import nearest

MILLION = 1_000_000
PROOFS = {"duality": "duality", "branch and bound": "branch and bound, claimed and not checked"}
DIGITS = 3
"""Of a millionth that are kept before rounding, so that 0.1 dollars are 100,000 micro-dollars."""


@dataclass(frozen=True, slots=True)
class SiteList:
    """Sites by themselves, before anybody asks anything of them.

    `home` is the site where data lies that names no place; empty: such data is at hand everywhere.
    `occupancy` is what the sites are at work on, `max_site_share` the largest share of all copies that
    one site may take, above 0 and at most 1.
    """

    sites: tuple[Site, ...]
    models: tuple[Model, ...] = (Model("code"),)
    links: tuple[Link, ...] = ()
    home: str = ""
    occupancy: tuple[Occupancy, ...] = ()
    max_site_share: float = 1.0


def instance_from(data: object) -> Instance:
    """Return the instance that plain data says; `validation.check` judges it.

    Raises:
        UsageError: for an unknown or missing key, or a value of the wrong type.
    """
    found: Instance = reader(Instance)(data)
    shared: dict[Hashable, Needs] = {}  # arcs are judged once per `Needs` object
    return replace(
        found,
        classes=tuple(
            replace(one, needs=shared.setdefault(_key(one.needs), one.needs))
            for one in found.classes
        ),
    )


def instance_to(instance: Instance) -> dict[str, Any]:
    """Return an instance as plain data, without what has its default value."""
    found: dict[str, Any] = plain(instance)
    return found


def sites_from(data: object) -> SiteList:
    """Return the sites that plain data says, checked.

    Raises:
        UsageError: for what `instance_from` refuses, and the first of `validation.site_problems`.
    """
    found: SiteList = reader(SiteList)(data)
    wrong = site_problems(found.sites, found.models, found.links, found.occupancy)
    share = RANGES[Swarm]["max_site_share"]
    if share.outside(np.array([found.max_site_share])).any():
        said = f"{found.max_site_share:g} is not {share}."
        wrong.append(UsageError("instance.number", "max_site_share", said, f"Give {share}."))
    names = {site.name for site in found.sites}
    if found.home and found.home not in names:
        wrong.append(
            UsageError(
                "instance.unknown",
                "home",
                f"There is no site {found.home!r}.",
                nearest(found.home, names),
            )
        )
    raise_first(wrong)
    return found


def plan_to(instance: Instance, plan: Plan) -> dict[str, Any]:
    """Return a plan as plain data with integers only.

    Costs are rounded up; bounds, probabilities and times down: nothing is promised that the plan
    does not. `runs[k]` of a class says, for the k-th copy of its items in their order, that so many
    items in a row use an option: `[[items, option], ...]`, -1 for none. `over_margin` of a class is how
    many of its copies stand in the margin of their site.
    """
    bound, used = plan.bound, usage(instance, plan)
    return {
        "solver": plan.solver,
        "cost_microusd": up(bound.cost_usd),
        "lower_bound_microusd": down(bound.lower_usd),
        "gap_ppm": gap_ppm(bound.gap),
        "within_rows_microusd": down(bound.within_rows_usd),
        "within_rows_gap_ppm": gap_ppm(bound.within_rows_gap),
        "within_rows_proof": PROOFS[bound.within_rows_proof],
        "probability_ppm": down(bound.probability),
        "options": [
            {
                "site": instance.sites[way.site].name,
                "model": instance.models[way.model].name,
                "spot": way.spot,
            }
            for way in options(instance)
        ],
        "classes": list(_classes(instance, plan, used)),
        "capacity": [
            {
                "site": instance.sites[row.site].name,
                "below_us": down(row.below_s) if math.isfinite(row.below_s) else None,
                "edge_us": down(row.edge_s),
                "slot_us": down(row.slot_s),
                "microusd_per_slot_hour": down(row.usd_per_slot_s * HOUR_S),
            }
            for row in bound.capacity
            if row.usd_per_slot_s > 0
        ],
        "windows": [
            {
                "site": instance.sites[one.site].name,
                "until_us": down(one.until_s),
                "microusd_per_slot_hour": down(one.usd_per_slot_s * HOUR_S),
            }
            for one in bound.windows
        ],
    }


def up(value: float) -> int:
    """Return millionths, rounded up: micro-dollars of a cost, parts per million of a gap."""
    return math.ceil(round(value * MILLION, DIGITS))


def down(value: float) -> int:
    """Return millionths, rounded down: of a bound, a probability, seconds."""
    return math.floor(round(value * MILLION, DIGITS))


def gap_ppm(gap: float) -> int | None:
    """Return a gap in parts per million, None where there is none, as above a bound of 0."""
    return up(gap) if math.isfinite(gap) else None


def _classes(instance: Instance, plan: Plan, used: Usage) -> Iterator[dict[str, Any]]:
    """Yield what is said of each class."""
    offsets = copy_offsets(instance.classes)
    first = np.searchsorted(used.item_class, np.arange(offsets.size))
    over = plan.bound.over_margin
    unplaced: dict[int, list[Unplaced]] = {}
    for missing in plan.bound.unplaced:
        unplaced.setdefault(missing.item_class, []).append(missing)
    for number, one in enumerate(instance.classes):
        copies = plan.option[offsets[number] : offsets[number + 1]].reshape(one.items, one.copies)
        yield {
            "name": one.name,
            "probability_ppm": down(float(plan.bound.class_probability[number])),
            "runs": [runs(column) for column in copies.T],
            "uses": [
                {
                    "option": int(used.option[pair]),
                    "copies": int(used.copies[pair]),
                    "copy_microusd": up(float(used.cost_usd[pair])),
                    "latest_start_us": down(float(used.latest_s[pair])),
                }
                for pair in range(first[number], first[number + 1])
            ],
            "over_margin": int(
                np.searchsorted(over, offsets[number + 1]) - np.searchsorted(over, offsets[number])
            ),
            "unplaced": [
                {"copies": missing.copies, "reason": missing.reason}
                for missing in unplaced.get(number, ())
            ],
        }


def runs(options: NDArray[np.int32]) -> list[list[int]]:
    """Return equal neighbours as `[how many, which]`."""
    begins = np.flatnonzero(np.concatenate(([True], options[1:] != options[:-1])))
    lengths = np.diff(np.append(begins, options.size))
    return [[int(length), int(options[at])] for length, at in zip(lengths, begins, strict=True)]


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schemas of the file forms by name: "instance" and "sites"."""
    return {
        "instance": json_schema(Instance, "An instance of placement"),
        "sites": json_schema(SiteList, "Sites"),
    }


def _key(needs: Needs) -> tuple[Hashable, ...]:
    def pairs(levels: Mapping[str, float]) -> frozenset[tuple[str, float]]:
        return frozenset(levels.items())

    return pairs(needs.capabilities), pairs(needs.hardware), needs.residency
