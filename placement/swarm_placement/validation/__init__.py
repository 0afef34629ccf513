"""What is wrong with an instance, found before anything is solved.

Decides only what is bad input: numbers that mean nothing, names that point nowhere, requirements
that contradict each other. Whether a sound instance has a solution is the solver's to say.
"""

import warnings
from collections.abc import Sequence

from swarm_placement.errors import UnitWarning, UsageError
from swarm_placement.model import Instance, Link, Model, Occupancy, Site
from swarm_placement.validation import columns, names, proportions, rules

SHOWN = 5
"""So many of the further fields are named in the message of the first problem."""


def check(instance: Instance) -> None:
    """Accept an instance, or refuse it.

    Raises:
        UsageError: the first of `problems`; its message names the fields of the others.

    Warns:
        UnitWarning: each of `doubts`.
    """
    numbers = columns.of_instance(instance)
    raise_first(_problems(instance, numbers))
    for doubt in _doubts(instance, numbers):
        warnings.warn(doubt, stacklevel=2)


def raise_first(found: Sequence[UsageError]) -> None:
    """Raise the first problem, with the number and the fields of the others in its message.

    Raises:
        UsageError: if there is one.
    """
    if not found:
        return
    first, rest = found[0], found[1:]
    if rest:
        others = ", ".join(one.field for one in rest[:SHOWN])
        dots = ", ..." if len(rest) > SHOWN else ""
        message = f"{first.message} ({len(rest)} more: {others}{dots})"
        raise UsageError(first.code, first.field, message, first.hint)
    raise first


def problems(instance: Instance) -> list[UsageError]:
    """Return everything that makes the instance unusable; nothing for a sound one."""
    return _problems(instance, columns.of_instance(instance))


def site_problems(
    sites: Sequence[Site],
    models: Sequence[Model],
    links: Sequence[Link],
    occupancy: Sequence[Occupancy] = (),
) -> list[UsageError]:
    """Return what is wrong with sites, and what occupies them, before anybody asks anything of them."""
    return [
        *rules.no_sites(sites),
        *columns.out_of_range(columns.of_sites(sites, models, links, occupancy)),
        *names.of_sites(sites, models, links),
        *names.of_occupancy(sites, occupancy),
        *rules.trust_domains(sites),
    ]


def doubts(instance: Instance) -> list[UnitWarning]:
    """Return a warning per field whose numbers look as if they were in another unit."""
    return _doubts(instance, columns.of_instance(instance))


def site_doubts(
    sites: Sequence[Site], models: Sequence[Model], links: Sequence[Link]
) -> list[UnitWarning]:
    """Return the warnings about sites, before anybody asks anything of them."""
    return list(columns.unusual(columns.of_sites(sites, models, links)))


def _doubts(instance: Instance, numbers: list[columns.Column]) -> list[UnitWarning]:
    found = list(columns.unusual(numbers))
    said = {str(one).partition(": ")[0] for one in found}
    beside = proportions.unusual(instance)
    return found + [one for one in beside if str(one).partition(": ")[0] not in said]


def _problems(instance: Instance, numbers: list[columns.Column]) -> list[UsageError]:
    return [
        *rules.empty(instance),
        *columns.out_of_range(numbers),
        *names.of_sites(instance.sites, instance.models, instance.links),
        *names.of_classes(instance),
        *names.of_occupancy(instance.sites, instance.occupancy),
        *rules.deadline(instance.swarm),
        *rules.size(instance),
        *rules.residency(instance),
        *rules.domains(instance),
        *rules.trust_domains(instance.sites),
        *rules.durations(instance),
    ]
