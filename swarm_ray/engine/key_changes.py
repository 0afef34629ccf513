"""Changes of keys on their way into the admin log.

Decides how the program hands a change to the coordinator, which may be running, elsewhere busy or
not there: as a file that the coordinator takes over if a root of ours vouches for its signer, so
that whoever can write the file can do no more than repeat it.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from swarm_ray.attestation.certificates import KeyEnrolled, KeyRevoked, KeyRotated
from swarm_ray.errors import IntegrityError
from swarm_ray.values.codec import decode, encode
from swarm_ray.values.records import from_record, to_record

KeyChange = KeyEnrolled | KeyRotated | KeyRevoked

_KINDS: Final[dict[str, type[KeyChange]]] = {
    "key.enrolled": KeyEnrolled,
    "key.rotated": KeyRotated,
    "key.revoked": KeyRevoked,
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}
_FOLDER: Final = "changes"


def hand_over(folder: Path, changes: Iterable[KeyChange]) -> None:
    """Leave changes for the coordinator of a tenant's folder; they hold once it has taken them."""
    place = folder / "keys" / _FOLDER
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    for change in changes:
        record = {"event": to_record(change), "kind": _NAMES[type(change)]}
        name = f"{time.time_ns():020d}"
        part = place / f"{name}.part"
        part.write_bytes(encode(record))
        part.replace(place / f"{name}.change")


def pending_changes(folder: Path) -> list[Path]:
    """Return the changes that wait in a tenant's folder, in the order in which they were made."""
    return sorted((folder / "keys" / _FOLDER).glob("*.change"))


def read_change(path: Path) -> KeyChange:
    """Return a change that was handed over.

    Raises:
        IntegrityError: `key.bad_change`, `codec.*`, `record.*`.
    """
    record: Any = decode(path.read_bytes())
    kind = _KINDS.get(record.get("kind", "")) if isinstance(record, dict) else None
    if kind is None:
        raise IntegrityError(
            "key.bad_change", f"{path.name} is no change of keys", hint=f"remove {path}"
        )
    return from_record(kind, record.get("event"))


def refuse_change(path: Path) -> None:
    """Set a change aside that does not hold, for people to look at."""
    path.replace(path.with_suffix(".refused"))
