"""Which anchors an installation has."""

from swarm_ray.anchors.object_lock import ObjectLockAnchor
from swarm_ray.anchors.witnessed import WitnessAnchor
from swarm_ray.attestation.note import NoteKey
from swarm_ray.config import Settings
from swarm_ray.ports.anchors import Anchor


def open_anchors(settings: Settings) -> list[Anchor]:
    """Return the anchors that the settings name; none of them is asked yet.

    Raises:
        UsageError: `anchor.bad_url`, `anchor.extra_missing`, `note.bad_key`.
    """
    found: list[Anchor] = []
    if settings.anchor:
        found.append(ObjectLockAnchor(settings.anchor, settings.anchor_days))
    if settings.witness:
        key = NoteKey.from_text(settings.witness_key)
        found.append(WitnessAnchor(settings.witness, key))
    return found
