"""The index log as evidence: where the other logs stood, and whether the coordinator lived.

Decides which entries an index may hold and what they say together. The signature over the index is
checked elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from swarm_ray.engine.vigil import HEARTBEAT_KIND
from swarm_ray.errors import IntegrityError
from swarm_ray.ledger.rules import CHECKPOINT_KIND
from swarm_ray.values.codec import decode
from swarm_ray.values.digests import is_digest

LATE: Final = 2
"""Silence of so many periods of the heartbeat is told."""
_FIELDS: Final = {
    CHECKPOINT_KIND: {
        "epoch": int,
        "kind": str,
        "log_id": str,
        "log_kind": str,
        "root": str,
        "size": int,
        "state": str,
        "time_us": int,
    },
    HEARTBEAT_KIND: {"epoch": int, "every_us": int, "kind": str, "state": str, "time_us": int},
}


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a log stood: `root` are 64 hexadecimal characters."""

    log_id: str
    kind: str
    size: int
    root: str
    state: str


@dataclass(slots=True)
class IndexTale:
    """What an index says: by log id where it stood, oldest first; the time of the last entry; and
    the silences, as pairs of times in microseconds, in which a living coordinator would have
    spoken."""

    stands: dict[str, list[Stand]] = field(default_factory=dict)
    time_us: int = 0
    silences: list[tuple[int, int]] = field(default_factory=list)


def read_index(entries: Sequence[bytes]) -> IndexTale:
    """Return what the entries of an index log say.

    Raises:
        IntegrityError: `evidence.bad_entry` naming the first entry that cannot stand there.
    """
    tale, every_us, epoch = IndexTale(), 0, 0
    for seq, data in enumerate(entries):
        record = _record(seq, data)
        time_us = record["time_us"]
        if record["epoch"] < epoch or time_us < 0:
            raise bad_entry("index", seq, "was written by a coordinator that had been replaced")
        if every_us and time_us - tale.time_us > LATE * every_us:
            tale.silences.append((tale.time_us, time_us))
        # A clock may be set back: the time of the index is the latest that it has seen.
        tale.time_us, epoch = max(tale.time_us, time_us), record["epoch"]
        if record["kind"] == HEARTBEAT_KIND:
            every_us = 0 if record["state"] == "stopping" else record["every_us"]
        else:
            _stand(tale, seq, record)
    return tale


def _stand(tale: IndexTale, seq: int, record: dict[str, Any]) -> None:
    found = Stand(
        record["log_id"], record["log_kind"], record["size"], record["root"], record["state"]
    )
    before = tale.stands.setdefault(found.log_id, [])
    if not is_digest(found.root) or found.size < (before[-1].size if before else 0):
        raise bad_entry("index", seq, f"lets the log {found.log_id} shrink")
    before.append(found)


def _record(seq: int, data: bytes) -> dict[str, Any]:
    try:
        record: Any = decode(data)
    except IntegrityError as error:
        raise bad_entry("index", seq, f"cannot be read: {error.message}") from error
    kind = record.get("kind") if isinstance(record, dict) else None
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None or record.keys() != fields.keys():
        raise bad_entry("index", seq, "is none of those that an index holds")
    if any(type(record[name]) is not kind for name, kind in fields.items()):
        raise bad_entry("index", seq, "has a field of another type")
    return dict(record)


def bad_entry(log: str, seq: int, why: str) -> IntegrityError:
    """Return the error that names the first bad entry of a log, counted from 0."""
    return IntegrityError("evidence.bad_entry", f"entry {seq} of the {log} log {why}", seq=seq)
