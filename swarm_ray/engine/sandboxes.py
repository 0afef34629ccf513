"""The sandboxes of a delivery: how they are named, and which of them the log must describe first.

Decides that what a digest means stands in the log before the first results that name it, once per
run. A description is the word of a host: only its form can be checked.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from swarm_ray.core.events import SandboxSeen
from swarm_ray.sandbox.description import is_description
from swarm_ray.values.digests import sha256

MAX_SANDBOXES: Final = 8
"""In one delivery; the zygotes of a bundle on one host are mostly all alike."""


def named_sandboxes(descriptions: Iterable[str]) -> str:
    """Return the digests of descriptions in ascending order, joined by a space."""
    return " ".join(sorted(sha256(one.encode()) for one in descriptions))


def are_descriptions(texts: Sequence[str]) -> bool:
    """Say whether these can be the descriptions of one delivery: well-formed, different and few."""
    distinct = len(texts) == len(set(texts)) <= MAX_SANDBOXES
    return distinct and all(map(is_description, texts))


def unseen(known: set[str], descriptions: Iterable[str]) -> list[SandboxSeen]:
    """Return the events that describe what is not known yet; then it is `known`."""
    events = [SandboxSeen(sha256(one.encode()), one) for one in descriptions]
    events = [one for one in events if one.digest not in known]
    known.update(one.digest for one in events)
    return events
