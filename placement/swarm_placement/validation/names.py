"""Names of an instance: each stands for one thing, and each that is used exists."""

import difflib
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import get_args

from swarm_placement.errors import UsageError
from swarm_placement.model import Domain, Instance, Link, Model, Occupancy, Site

LISTED = 8
"""So many of the known names are listed where none is similar."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the remedy for a name that is not known: the one it may have meant."""
    options = sorted(known)
    close = difflib.get_close_matches(name, options, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    dots = ", ..." if len(options) > LISTED else ""
    return f"Known: {', '.join(options[:LISTED])}{dots}." if options else "Declare it first."


def of_sites(
    sites: Sequence[Site], models: Sequence[Model], links: Sequence[Link]
) -> Iterator[UsageError]:
    """Yield problems with the names in sites, their offers and the links between them."""
    yield from repeated("models[{}].name", [model.name for model in models], "name")
    yield from repeated("sites[{}].name", [site.name for site in sites], "name")
    known = {model.name for model in models}
    for index, site in enumerate(sites):
        offered = [offer.model for offer in site.offers]
        yield from repeated(f"sites[{index}].offers[{{}}].model", offered, "model")
        for number, name in enumerate(offered):
            if name not in known:
                yield _unknown(f"sites[{index}].offers[{number}].model", name, "model", known)
    yield from _of_links({site.name for site in sites}, links)


def of_classes(instance: Instance) -> Iterator[UsageError]:
    """Yield problems with the names in classes."""
    classes, sites = instance.classes, {site.name for site in instance.sites}
    yield from repeated("classes[{}].name", list(map(attrgetter("name"), classes)), "name")
    kinds = instance.durations.kinds if instance.durations else ()
    for field, what, known in (
        ("data_site", "site", {"", *sites}),
        ("dataset", "site with the dataset", {"", *chain(*(s.datasets for s in instance.sites))}),
        ("kind", "durations of kind", {"", *kinds}),
        ("across", "domain", set(get_args(Domain))),
    ):
        get = attrgetter(field)
        if not known.issuperset(map(get, classes)):
            for index, one in enumerate(classes):
                if get(one) not in known:
                    yield _unknown(f"classes[{index}].{field}", get(one), what, known - {""})


def of_occupancy(sites: Sequence[Site], occupancy: Sequence[Occupancy]) -> Iterator[UsageError]:
    """Yield problems with the sites that are said to be occupied."""
    known = {site.name for site in sites}
    for index, occupied in enumerate(occupancy):
        if occupied.site not in known:
            yield _unknown(f"occupancy[{index}].site", occupied.site, "site", known)


def repeated(path: str, ids: Sequence[Hashable], what: str) -> Iterator[UsageError]:
    """Yield a problem for each id that stood before, or is empty; `path` has a `{}` for its index."""
    distinct = set(ids)
    if len(distinct) == len(ids) and "" not in distinct:
        return
    first: dict[Hashable, int] = {}
    for index, one in enumerate(ids):
        if one == "":
            yield UsageError(
                "instance.name", path.format(index), f"The {what} is empty.", "Give it a name."
            )
        elif first.setdefault(one, index) != index:
            yield UsageError(
                "instance.duplicate",
                path.format(index),
                f"The {what} {one!r} is the same as at {path.format(first[one])}.",
                "Give each its own, or merge the two.",
            )


def _of_links(sites: set[str], links: Sequence[Link]) -> Iterator[UsageError]:
    yield from repeated("links[{}]", [(one.source, one.target) for one in links], "way")
    for index, link in enumerate(links):
        for end, name in (("source", link.source), ("target", link.target)):
            if name not in sites:
                yield _unknown(f"links[{index}].{end}", name, "site", sites)
        if link.source == link.target:
            yield UsageError(
                "instance.link",
                f"links[{index}].target",
                f"The link leads from {link.source!r} to itself.",
                "Remove it; data inside a site is at hand.",
            )


def _unknown(path: str, name: str, what: str, known: Iterable[str]) -> UsageError:
    return UsageError(
        "instance.unknown", path, f"There is no {what} {name!r}.", nearest(name, known)
    )
