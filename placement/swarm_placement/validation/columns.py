"""The numbers of an instance, field by field, held against `limits`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm_placement.errors import UnitWarning, UsageError
from swarm_placement.model import (
    Durations,
    Instance,
    ItemClass,
    Link,
    Model,
    Needs,
    Occupancy,
    Offer,
    Site,
    Spot,
)
from swarm_placement.program.attributes import NUMBERS, budgets, deadlines, numbers
from swarm_placement.validation.limits import HABITS, RANGES, Floats
from swarm_placement.validation.rules import distinct_needs

REMEDIES = {
    "slots": "Say how many copies run there at once, or leave the site out.",
    "items": "Say how many items are alike, or leave the class out.",
    "deadline_s": "Give the seconds from now; a deadline in the past cannot be met.",
    "copies": "Give 1 for no redundancy.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """All values of one field over the records of one type, and the path of each."""

    record: type
    field: str
    values: Floats
    path: Callable[[int], str]


def of_instance(instance: Instance) -> list[Column]:
    """Return all numbers of an instance."""
    parts: list[tuple[str, Any]] = [("swarm", instance.swarm)]
    parts += _site_parts(instance.sites, instance.models, instance.links)
    parts += _occupied(instance.occupancy)
    found = [*_of_classes(instance.classes), *_of_needs(instance.classes), *_of_records(parts)]
    if instance.durations is not None:
        found += _of_records([("durations", instance.durations)])
        found.append(_of_table(instance.durations))
    return found


def of_sites(
    sites: Sequence[Site],
    models: Sequence[Model],
    links: Sequence[Link],
    occupancy: Sequence[Occupancy] = (),
) -> list[Column]:
    """Return all numbers of sites and of what occupies them."""
    return _of_records([*_site_parts(sites, models, links), *_occupied(occupancy)])


def out_of_range(columns: Iterable[Column]) -> Iterator[UsageError]:
    """Yield a problem for each number that is outside of its range."""
    for column in columns:
        limit = RANGES[column.record].get(column.field)
        for number in np.flatnonzero(limit.outside(column.values)) if limit else ():
            yield UsageError(
                f"instance.{'deadline' if column.field == 'deadline_s' else 'number'}",
                column.path(int(number)),
                f"{column.values[number]:,.12g} is not {limit}.",
                REMEDIES.get(column.field, f"Give {limit}."),
            )


def unusual(columns: Iterable[Column]) -> Iterator[UnitWarning]:
    """Yield a warning per field that holds unusual numbers, with the first of them; those that are
    refused are not doubted too."""
    for column in columns:
        habit = HABITS.get(column.record, {}).get(column.field)
        if habit is None:
            continue
        odd = habit.broken(column.values) & np.isfinite(column.values)
        limit = RANGES[column.record].get(column.field)
        places = np.flatnonzero(odd & ~limit.outside(column.values) if limit else odd)
        if places.size:
            first = int(places[0])
            more = f" (and {places.size - 1:,} more)" if places.size > 1 else ""
            yield UnitWarning(
                f"{column.path(first)}: {column.values[first]:,.12g} looks like "
                f"{habit.looks}{more}. Remedy: {habit.hint}"
            )


def _site_parts(
    sites: Sequence[Site], models: Sequence[Model], links: Sequence[Link]
) -> Iterator[tuple[str, Model | Site | Offer | Spot | Link]]:
    for index, model in enumerate(models):
        yield f"models[{index}]", model
    for index, site in enumerate(sites):
        yield f"sites[{index}]", site
        for number, offer in enumerate(site.offers):
            yield f"sites[{index}].offers[{number}]", offer
        if site.spot is not None:
            yield f"sites[{index}].spot", site.spot
    for index, link in enumerate(links):
        yield f"links[{index}]", link


def _occupied(occupancy: Sequence[Occupancy]) -> list[tuple[str, Any]]:
    return [(f"occupancy[{index}]", one) for index, one in enumerate(occupancy)]


def _of_records(parts: Iterable[tuple[str, Any]]) -> list[Column]:
    cells: dict[tuple[type, str], tuple[list[str], list[float]]] = {}
    for path, record in parts:
        kind = type(record)
        for field in RANGES[kind]:
            paths, values = cells.setdefault((kind, field), ([], []))
            for place, value in _entries(getattr(record, field)):
                paths.append(f"{path}.{field}{place}")
                values.append(value)
    return [
        Column(kind, field, np.array(values, np.float64), paths.__getitem__)
        for (kind, field), (paths, values) in cells.items()
    ]


def _entries(value: Any) -> Iterable[tuple[str, float]]:
    """Return the numbers in a field, each with its place inside of it."""
    match value:
        case None:
            return ()
        case int() | float():
            return (("", value),)
        case tuple():
            return ((f"[{index}]", one) for index, one in enumerate(value))
        case _:
            return ((f".{name}", one) for name, one in value.items())


def _of_classes(classes: Sequence[ItemClass]) -> Iterator[Column]:
    """Yield the numbers of the classes, read in one pass: there may be 100,000 of them."""
    everywhere = np.arange(len(classes))
    for field, values in zip(NUMBERS, numbers(classes), strict=True):
        yield Column(ItemClass, field, values, _class_path(field, everywhere))
    for field, (values, given) in (
        ("deadline_s", deadlines(classes)),
        ("budget_usd", budgets(classes)),
    ):
        yield Column(ItemClass, field, values[given], _class_path(field, np.flatnonzero(given)))


def _class_path(field: str, places: NDArray[np.int64]) -> Callable[[int], str]:
    return lambda number: f"classes[{places[number]}].{field}"


def _of_needs(classes: Sequence[ItemClass]) -> Iterator[Column]:
    """Yield the levels that classes need; many classes usually share few `Needs`."""
    distinct = distinct_needs(classes)
    for field in RANGES[Needs]:
        levels = list(map(attrgetter(field), distinct))
        values = chain.from_iterable(one.values() for one in levels)
        many = sum(map(len, levels))
        path = _needs_path(field, classes, distinct)
        yield Column(Needs, field, np.fromiter(values, np.float64, many), path)


def _needs_path(
    field: str, classes: Sequence[ItemClass], distinct: Sequence[Needs]
) -> Callable[[int], str]:
    """Return what finds the path of a level at its first class."""

    def path(number: int) -> str:
        cells = ((one, name) for one in distinct for name in getattr(one, field))
        needs, name = next(islice(cells, number, None))
        at = next(index for index, one in enumerate(classes) if one.needs is needs)
        return f"classes[{at}].needs.{field}.{name}"

    return path


def _of_table(known: Durations) -> Column:
    """Return the means of a table of durations; `rules` looks at their range."""
    shape = known.mean_s.shape

    def path(number: int) -> str:
        return "durations.mean_s" + "".join(f"[{at}]" for at in np.unravel_index(number, shape))

    return Column(Durations, "mean_s", known.mean_s.ravel(), path)
