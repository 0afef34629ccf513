"""Which bodies the entries of a run name.

Decides what fields of events and rows are commitments; everything else in them is not deletable.
"""

from collections.abc import Iterable
from typing import Final

from swarm_ray.core.events import HostLost

COMMITMENTS: Final = (
    "inputs",
    "manifest",
    "context",
    "default",
    "detail",
    "answer",
    "output",
    "error",
    "extras",
    "outcome",
    "reason",
    "result",
    "report",
    "arguments",
)


def named_bodies(events: Iterable[object]) -> dict[str, str]:
    """Return by commitment the field that names it first."""
    named: dict[str, str] = {}
    for event in events:
        if isinstance(event, HostLost):
            continue  # its reason is a word, not the commitment of one
        for one in (event, *getattr(event, "rows", ())):
            for name in COMMITMENTS:
                value = getattr(one, name, "")
                if value:
                    named.setdefault(value, name)
    return named
