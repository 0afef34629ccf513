"""What must hold between the parts of an instance."""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from swarm_placement.errors import UsageError
from swarm_placement.model import Durations, Instance, ItemClass, Needs, Site, Swarm
from swarm_placement.program.arcs import domain_name
from swarm_placement.validation.limits import ITEMS
from swarm_placement.validation.names import nearest, repeated


def empty(instance: Instance) -> Iterator[UsageError]:
    """Yield a problem where there is nothing to place or nowhere to place it."""
    if not instance.classes:
        yield _nothing("classes", "item")
    yield from no_sites(instance.sites)


def no_sites(sites: Sequence[Site]) -> Iterator[UsageError]:
    """Yield a problem where nothing can be executed."""
    if not sites:
        yield _nothing("sites", "site")
    for index, site in enumerate(sites):
        if not site.offers:
            yield _nothing(f"sites[{index}].offers", "model")


def deadline(swarm: Swarm) -> Iterator[UsageError]:
    """Yield a problem if convergence takes all the time there is."""
    if 0 < swarm.deadline_s <= swarm.reserve_s:
        yield UsageError(
            "instance.deadline",
            "swarm.reserve_s",
            f"The reserve of {swarm.reserve_s:g} s leaves nothing of a deadline in "
            f"{swarm.deadline_s:g} s.",
            "Make the reserve shorter or the deadline later.",
        )


def size(instance: Instance) -> Iterator[UsageError]:
    """Yield a problem if there are more copies than are planned at once."""
    total = sum(one.items * one.copies for one in instance.classes)
    if total > ITEMS:
        yield UsageError(
            "instance.size",
            "classes",
            f"{total:,} copies are more than {ITEMS:,}.",
            "Plan them in several swarms.",
        )


def residency(instance: Instance) -> Iterator[UsageError]:
    """Yield a problem for each set of tags that no site carries, at the first class that has it."""
    carried = set(chain(*(site.residency for site in instance.sites)))
    asked = {needs.residency for needs in distinct_needs(instance.classes)}
    missing = {tags for tags in asked if not any(tags <= site.residency for site in instance.sites)}
    if not missing:
        return
    first: dict[frozenset[str], int] = {}
    for index, one in enumerate(instance.classes):
        if one.needs.residency in missing:
            first.setdefault(one.needs.residency, index)
    for tags, index in first.items():
        strange = sorted(tags - carried)
        if strange:
            message, hint = f"No site carries {strange[0]!r}.", nearest(strange[0], carried)
        else:
            message = f"Sites carry {', '.join(sorted(tags))}, but no site carries all of them."
            hint = "Split the class, or add a site with all of them; residency is never relaxed."
        yield UsageError("instance.residency", f"classes[{index}].needs.residency", message, hint)


def distinct_needs(classes: Sequence[ItemClass]) -> list[Needs]:
    """Return each `Needs` object once, in the order of the classes; many classes usually share
    few."""
    return list({id(one.needs): one.needs for one in classes}.values())


def domains(instance: Instance) -> Iterator[UsageError]:
    """Yield a problem for each class with more copies than domains with the residency it needs."""
    room: dict[tuple[str, frozenset[str]], int] = {}
    for index, one in enumerate(instance.classes):
        if one.copies <= 1:
            continue
        key = (one.across, one.needs.residency)
        if key not in room:
            room[key] = _room(instance.sites, one)
        if one.copies > room[key] > 0:
            yield _too_many_copies(index, one, room[key])


def trust_domains(sites: Sequence[Site]) -> Iterator[UsageError]:
    """Yield a problem for each organisation in two trust domains: these would overlap."""
    owner: dict[str, tuple[str, int]] = {}
    for index, site in enumerate(sites):
        organisation, trust = domain_name("organisation", site), domain_name("trust_domain", site)
        other, first = owner.setdefault(organisation, (trust, index))
        if other != trust:
            yield UsageError(
                "instance.trust_domain",
                f"sites[{index}].trust_domain",
                f"The organisation {organisation!r} is in trust domain {trust!r} here and in "
                f"{other!r} at sites[{first}].",
                "Give all sites of an organisation the same trust domain.",
            )


def durations(instance: Instance) -> Iterator[UsageError]:
    """Yield problems with the table of durations: its kinds, its shape, its entries."""
    known = instance.durations
    if known is None:
        return
    yield from repeated("durations.kinds[{}]", known.kinds, "kind")
    shape = (len(known.kinds), len(instance.sites), len(instance.models))
    wrong = [
        (field, table.shape)
        for field, table in (("mean_s", known.mean_s), ("quantile_s", known.quantile_s))
        if table.shape != shape
    ]
    for field, found in wrong:
        yield UsageError(
            "instance.durations",
            f"durations.{field}",
            f"The shape is {found}, not kinds x sites x models = {shape}.",
            "Give one entry for each kind, site and model; null where it is unknown.",
        )
    if not wrong:
        yield from _entries(known)


def _entries(known: Durations) -> Iterator[UsageError]:
    unknown = np.isnan(known.mean_s) & np.isnan(known.quantile_s)
    for field, table in (("mean_s", known.mean_s), ("quantile_s", known.quantile_s)):
        bad: NDArray[np.bool_] = ~unknown & ~((table > 0) & (table < np.inf))
        for place in np.argwhere(bad):
            yield UsageError(
                "instance.durations",
                f"durations.{field}" + "".join(f"[{at}]" for at in place),
                f"{table[tuple(place)]:g} is no duration.",
                "Give finite seconds above 0, or leave both mean and quantile unknown.",
            )


def _nothing(field: str, what: str) -> UsageError:
    return UsageError("instance.empty", field, f"There is no {what}.", f"Give at least one {what}.")


def _room(sites: Sequence[Site], one: ItemClass) -> int:
    """Return how many domains there are among the sites with the residency a class needs."""
    allowed = [site for site in sites if one.needs.residency <= site.residency]
    if one.across == "node":
        return sum(site.nodes for site in allowed)
    return len({domain_name(one.across, site) for site in allowed})


def _too_many_copies(index: int, one: ItemClass, room: int) -> UsageError:
    what = one.across.replace("_", " ")
    tags = ", ".join(sorted(one.needs.residency))
    where = f" that carry {tags}" if tags else ""
    are, copies = ("is", "copy") if room == 1 else ("are", "copies")
    article = "an" if what[0] in "aeiou" else "a"
    return UsageError(
        "instance.domains",
        f"classes[{index}].copies",
        f"{one.copies} copies need as many {what}s{where}, and there {are} {room}.",
        f"Ask for at most {room} {copies}, or add {article} {what}.",
    )
