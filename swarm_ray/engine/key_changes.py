"""Changes of keys on their way into the admin logs.

Decides how the program hands a change to the coordinators, which may be running, elsewhere busy or
not there: as a file that a coordinator takes over if a root of ours vouches for its signer, so that
whoever can write the file can do no more than repeat it. What concerns one tenant lies in its
folder and goes when it was taken; what concerns the organisation is kept for good, since tenants
that begin later need all of it.
"""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from swarm_ray.attestation.certificates import KeyChange, KeyEnrolled, KeyRevoked, KeyRotated
from swarm_ray.config import Settings
from swarm_ray.errors import IntegrityError
from swarm_ray.values.codec import MAX_ENTRY_BYTES, decode, encode
from swarm_ray.values.records import from_record, to_record

_KINDS: Final[dict[str, type[KeyChange]]] = {
    "key.enrolled": KeyEnrolled,
    "key.rotated": KeyRotated,
    "key.revoked": KeyRevoked,
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}
_SUFFIX: Final = ".change"


def organisation_folder(settings: Settings) -> Path:
    """Return where root and sites of the organisation lie, for all tenants of this home."""
    return settings.home / "keys" / settings.organisation


def kept_words(settings: Settings) -> Path:
    """Return the folder of the words that concern the whole organisation: certificates of roots and
    sites, their replacements, all withdrawals. They stay, in the order in which they were said."""
    return organisation_folder(settings) / "words"


def tenant_changes(folder: Path) -> Path:
    """Return where changes wait that concern the tenant of a folder only."""
    return folder / "keys" / "changes"


def hand_over(place: Path, changes: Iterable[KeyChange]) -> None:
    """Leave changes in a folder, after those that are there; they hold in a log once its
    coordinator has taken them."""
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    last = max(map(_number, place.iterdir()), default=0)
    for change in changes:
        # Clocks are set back; what was said later must stay later.
        last = max(last + 1, time.time_ns())
        while not _write(place, last, change):
            last += 1


def keep_earlier(place: Path, change: KeyChange, time_us: int) -> None:
    """Keep a word as of a Unix time in microseconds, once."""
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    number = time_us * 1_000
    while not _write(place, number, change):
        if _path(place, number).read_bytes() == _encoded(change):
            return
        number += 1


def changes_in(*places: Path) -> list[Path]:
    """Return the changes that lie in folders, in the order in which they were made."""
    found = (path for place in places for path in place.glob(f"*{_SUFFIX}"))
    return sorted(found, key=lambda path: (path.name, path))


def readable(paths: Iterable[Path]) -> Iterator[tuple[Path, KeyChange]]:
    """Yield the changes that can be read; `damaged` finds the others."""
    for path in paths:
        try:
            yield path, read_change(path)
        except IntegrityError:
            continue


def damaged(paths: Iterable[Path]) -> list[IntegrityError]:
    """Return why some changes cannot be read."""
    found = []
    for path in paths:
        try:
            read_change(path)
        except IntegrityError as error:
            found.append(error)
    return found


def made_us(path: Path) -> int:
    """Return when a change was made, Unix time in microseconds, by the name of its file."""
    return _number(path) // 1_000


def read_change(path: Path) -> KeyChange:
    """Return a change that was handed over.

    Raises:
        IntegrityError: `key.bad_change`, whatever else the file is.
    """
    why = "it has not the form of one"
    try:
        # Opening anything but a file might wait for ever.
        record: Any = decode(_beginning(path)) if path.is_file() else None
        if isinstance(record, dict) and record.keys() == {"event", "kind"}:
            kind = record["kind"]
            if isinstance(kind, str) and kind in _KINDS:
                return from_record(_KINDS[kind], record["event"])
    except OSError as error:
        why = f"{error.strerror}"
    except IntegrityError as error:
        why = error.message
    raise IntegrityError(
        "key.bad_change", f"{path.name} is no change of keys: {why}", hint=f"remove {path}"
    )


def refuse_change(path: Path) -> None:
    """Set a change aside that does not hold, for people to look at."""
    path.replace(path.with_suffix(".refused"))


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_ENTRY_BYTES)


def _write(place: Path, number: int, change: KeyChange) -> bool:
    """Write a change whole under a number; False if another has it."""
    path = _path(place, number)
    part = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
    part.write_bytes(_encoded(change))
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    finally:
        part.unlink()
    return True


def _encoded(change: KeyChange) -> bytes:
    return encode({"event": to_record(change), "kind": _NAMES[type(change)]})


def _path(place: Path, number: int) -> Path:
    return place / f"{number:020d}{_SUFFIX}"


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isascii() and path.stem.isdigit() else 0
