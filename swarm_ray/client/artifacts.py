"""Artifacts that workers made: what they are called, and how their bytes are had.

Decides the form of a reference: the commitment of the body that holds an attempt's artifacts, and
the place in it.
"""

from binascii import a2b_base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from swarm_ray.client.archive import RunSource
from swarm_ray.errors import UsageError
from swarm_ray.values.codec import decode_json


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a worker handed over beside its output; `handle.artifact(reference)` returns
    its bytes."""

    name: str
    media_type: str
    reference: str


def artifacts_in(commitment: str, extras: Any) -> tuple[Artifact, ...]:
    """Return the artifacts of an attempt; `extras` is the body under `commitment`, None when it
    was deleted or there is none."""
    found: Sequence[Any] = (extras or {}).get("artifacts", ())
    return tuple(
        Artifact(one["name"], one["media_type"], f"{commitment}/{place}")
        for place, one in enumerate(found)
    )


def read_artifact(source: RunSource, reference: str) -> bytes:
    """Return the bytes of an artifact.

    Raises:
        UsageError: `artifact.unknown` when no artifact has this reference.
        IntegrityError: `ledger.body_deleted` when it was collected as garbage.
    """
    commitment, _, place = reference.partition("/")
    if commitment and place.isdecimal():
        found = decode_json(source.bodies([commitment])[0])
        made = found.get("artifacts", []) if isinstance(found, dict) else []
        if int(place) < len(made):
            return a2b_base64(made[int(place)]["data"])
    raise UsageError(
        "artifact.unknown",
        f"no artifact has the reference {reference!r}",
        hint="take `reference` from `ItemResult.artifacts` or from an `artifact.produced` record",
    )
