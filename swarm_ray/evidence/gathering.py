"""Gathering a copy of a run from a ledger, as far as it was sealed.

Decides what belongs to a copy: the run's log up to the last sealed size, the index and the admin
log whole, the effects of this run with their paths, the commitments of its items, and those bodies
that are wanted and still there. It only reads.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from swarm_ray.attestation.checkpoint import read_checkpoint
from swarm_ray.attestation.note import parse_note
from swarm_ray.core import supervisor as sup
from swarm_ray.core.events import Event, SwarmOpened
from swarm_ray.effects.supervising import EFFECTS_LOG, read_effect
from swarm_ray.engine.admin import ADMIN_LOG
from swarm_ray.engine.history import read_entry
from swarm_ray.engine.vigil import CHECKPOINT_FILE
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.evidence.copy import Copy, EffectEntry
from swarm_ray.evidence.index import Stand, read_index
from swarm_ray.evidence.naming import named_bodies
from swarm_ray.ledger.reader import Reader
from swarm_ray.ports.log import INDEX_LOG, Body
from swarm_ray.values.digests import tag_frame
from swarm_ray.values.manifest import Manifest
from swarm_ray.values.merkle import leaf_hash
from swarm_ray.values.tree import Tree

_GONE: Final = frozenset({"ledger.body_deleted", "ledger.body_unknown"})

Wanted = Callable[[Body], bool]


def gather(reader: Reader, folder: Path, run: str, wanted: Wanted = lambda _: True) -> Copy:
    """Return the copy of a run.

    Args:
        reader: the tenant's ledger.
        folder: the tenant's folder, with the signed head of its index log.
        run: id.
        wanted: says of a body whether it shall be in the copy.

    Raises:
        UsageError: `export.not_sealed`, `ledger.unknown_log`, `ledger.log_dropped`.
        IntegrityError: what the ledger finds wrong.
    """
    note = _seal(folder)
    size = read_checkpoint(parse_note(note)).size
    index = list(reader.entries(INDEX_LOG, 0, size))
    stands = {log: found[-1] for log, found in read_index(index).stands.items()}
    if run not in stands:
        reader.head(run)
        raise _not_sealed("the run has not been sealed yet")
    logs = {"index": index}
    for name, log in (("admin", ADMIN_LOG), ("run", run)):
        stop = stands[log].size if log in stands else 0
        logs[name] = list(reader.entries(log, 0, stop))
    events = [read_entry(data)[0] for data in logs["run"]]
    effects, words = _effects(reader, run, stands.get(EFFECTS_LOG))
    return Copy(
        run,
        note,
        logs,
        {name: [leaf_hash(entry) for entry in entries] for name, entries in logs.items()},
        effects,
        dict(_items(reader, events)),
        [
            commitment
            for commitment in sorted(named_bodies([*events, *words]))
            if (body := _body(reader, commitment)) is not None and wanted(body)
        ],
        lambda commitment: opening_of(reader.open_body(commitment)),
    )


def opening_of(body: Body) -> bytes:
    """Return the bytes whose SHA-256 is the commitment of a body."""
    return tag_frame(body.tag) + body.salt + body.data


def _seal(folder: Path) -> bytes:
    try:
        return (folder / CHECKPOINT_FILE).read_bytes()
    except FileNotFoundError:
        raise _not_sealed("no head of the index log has been signed here") from None


def _not_sealed(why: str) -> UsageError:
    return UsageError(
        "export.not_sealed",
        why,
        hint="wait for the end of the run or a few minutes; start the coordinator if none runs",
    )


def _body(reader: Reader, commitment: str) -> Body | None:
    try:
        return reader.open_body(commitment)
    except (UsageError, IntegrityError) as error:
        if error.code not in _GONE:
            raise
        return None


def _items(reader: Reader, events: list[Event]) -> Iterator[tuple[str, bytes]]:
    for event in events:
        if isinstance(event, SwarmOpened):
            body = _body(reader, event.manifest)
            if body is not None:
                manifest = Manifest(body.data, event.root)
                raw = (manifest.item_commitment(item) for item in range(event.items))
                yield event.swarm, b"".join(map(bytes.fromhex, raw))


def _effects(
    reader: Reader, run: str, stand: Stand | None
) -> tuple[list[EffectEntry], list[sup.EffectEvent]]:
    if stand is None:
        return [], []
    entries = list(reader.entries(EFFECTS_LOG, 0, stand.size))
    tree, keys, found, words = Tree.over(entries), set(), [], []
    for seq, entry in enumerate(entries):
        event = read_effect(entry)
        if isinstance(event, sup.Proposed) and event.run == run:
            keys.add(event.key)
        if event.key in keys:
            found.append(EffectEntry(seq, entry, tuple(tree.inclusion(seq))))
            words.append(event)
    return found, words
