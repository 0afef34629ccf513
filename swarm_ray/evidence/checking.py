"""The judgement on a copy of a run: is it what was sealed, and what does it show.

Decides in which order things are checked, so that the first bad entry is named. It shows that
nothing was altered; whether what somebody said is true it cannot show.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from swarm_ray.attestation.checkpoint import Checkpoint, open_checkpoint, read_checkpoint
from swarm_ray.attestation.keys import PublicKey
from swarm_ray.attestation.note import NoteKey, parse_note
from swarm_ray.attestation.roster import Roster
from swarm_ray.attestation.standing import Standing
from swarm_ray.core.events import EffectSettled, Event, RunClosed, RunOpened, RunResumed
from swarm_ray.core.supervisor import EffectEvent
from swarm_ray.engine.admin import read_admin_entry
from swarm_ray.engine.history import opening, read_entry
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.evidence.batches import Batches
from swarm_ray.evidence.copy import Copy
from swarm_ray.evidence.effects import fates
from swarm_ray.evidence.index import IndexTale, Stand, bad_entry, read_index
from swarm_ray.evidence.naming import named_bodies
from swarm_ray.values.digests import sha256
from swarm_ray.values.merkle import Frontier, leaf_hash

RUN_ID: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Findings:
    """What a copy shows. Times are log times in microseconds.

    `root_key` is the public key (hexadecimal) that all others hang on, `trusted` whether it is one
    that was given from outside. `effects` counts what became of effects, `gone` by field the bodies
    that are not here. `rows` were checked against signatures; `unsigned` were signed by nobody,
    `unknown_inputs` cannot be checked because their input set is gone. `silences` counts times in
    which no sign of life of the coordinator stands in the index.
    """

    run: str
    process: str
    status: str
    entries: int
    sealed_us: int
    root_key: str
    trusted: bool
    batches: int
    rows: int
    unsigned: int
    unknown_inputs: int
    effects: dict[str, int] = field(default_factory=dict)
    bodies: int = 0
    gone: dict[str, int] = field(default_factory=dict)
    silences: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the findings as plain data."""
        return asdict(self)


def check(copy: Copy, trusted: Collection[str] | None = None) -> Findings:
    """Check everything in a copy.

    Args:
        copy: of a run.
        trusted: public root keys that are believed, hexadecimal; None takes the one in the copy
            that its seal hangs on.

    Raises:
        IntegrityError: `evidence.altered_entry`, `evidence.bad_entry`, `evidence.not_sealed`,
            `evidence.contradiction`, `evidence.bad_body`, `note.*`, `checkpoint.*`, `key.*`.
    """
    keyids = None if trusted is None else {keyid_of(key) for key in trusted}
    for name, entries in copy.logs.items():
        _check_leaves(name, entries, copy.leaves[name])
    head = read_checkpoint(parse_note(copy.checkpoint))
    tale = read_index(copy.logs["index"])
    _check_stand("index", copy.leaves["index"], [_stand_of(head)])
    _check_stand("admin", copy.leaves["admin"], tale.stands.get("admin", ()))
    roster = _roster(copy.logs["admin"])
    root = _check_signature(copy, head, tale, roster, keyids).root
    _check_stand("run", copy.leaves["run"], tale.stands.get(copy.run, ()))
    batches = Batches(roster, {root.keyid} if keyids is None else keyids, copy.items)
    events = _check_run(copy, batches)
    settled = [event for event in events if isinstance(event, EffectSettled)]
    stand = tale.stands.get("effects", [None])[-1]
    found, effects = fates(copy.run, copy.effects, stand, settled)
    bodies, gone = _check_bodies(copy, [*events, *effects])
    opened, last = events[0], events[-1]
    assert isinstance(opened, RunOpened)
    return Findings(
        copy.run,
        opened.process,
        last.status if isinstance(last, RunClosed) else "open",
        len(events),
        tale.time_us,
        root.public_key,
        trusted is not None,
        batches.checked,
        batches.rows,
        batches.unsigned,
        batches.unknown_inputs,
        dict(sorted(Counter(found.values()).items())),
        bodies,
        gone,
        len(tale.silences),
    )


def keyid_of(text: str) -> str:
    """Return the keyid of a public key in hexadecimal. Raises `key.malformed`."""
    try:
        return PublicKey(bytes.fromhex(text)).keyid
    except ValueError as error:
        raise UsageError(
            "key.malformed", f"{text!r} is no key", hint="give 64 hexadecimal characters"
        ) from error


def _check_leaves(log: str, entries: Sequence[bytes], leaves: Sequence[bytes]) -> None:
    for seq, (entry, leaf) in enumerate(zip(entries, leaves, strict=True)):
        if leaf_hash(entry) != leaf:
            raise IntegrityError(
                "evidence.altered_entry",
                f"entry {seq} of the {log} log was altered after it was written",
                log_id=log,
                seq=seq,
            )


def _stand_of(head: Checkpoint) -> Stand:
    return Stand("index", "index", head.size, head.root.hex(), "open")


def _check_stand(log: str, leaves: Sequence[bytes], stands: Sequence[Stand]) -> None:
    """Check that a log had each of these roots when it had its size, and ends at the last."""
    if not stands or stands[-1].size != len(leaves):
        raise IntegrityError(
            "evidence.not_sealed",
            f"the {log} log has {len(leaves)} entries here, "
            f"{stands[-1].size if stands else 'none'} were sealed: something is missing or added",
        )
    frontier, at = Frontier(), 0
    for stand in stands:
        for leaf in leaves[at : stand.size]:
            frontier.append(leaf)
        if frontier.root().hex() != stand.root:
            raise IntegrityError(
                "evidence.not_sealed",
                f"the first {stand.size} entries of the {log} log are not those that were sealed: "
                f"the first bad one is entry {at} or a later one",
                seq=at,
            )
        at = stand.size


def _roster(entries: Sequence[bytes]) -> Roster:
    roster = Roster()
    for seq, data in enumerate(entries):
        try:
            roster.take(*read_admin_entry(data))
        except IntegrityError as error:
            raise bad_entry("admin", seq, f"does not hold: {error.message}") from error
    return roster


def _check_signature(
    copy: Copy, head: Checkpoint, tale: IndexTale, roster: Roster, trusted: set[str] | None
) -> Standing:
    """Check the seal of the index; return how the key of the log stands."""
    logs = [
        one
        for events in roster.enrolled.values()
        for _, one in events
        if one.role == "log" and one.name == head.origin
    ]
    keys = {one.keyid: NoteKey(one.name, PublicKey(bytes.fromhex(one.public_key))) for one in logs}
    open_checkpoint(copy.checkpoint, keys.values())
    note = parse_note(copy.checkpoint)
    if len(note.signatures) != 1:
        raise IntegrityError("evidence.bad_seal", "the seal carries signatures of others")
    line = note.signatures[0]
    signer = [keyid for keyid, key in keys.items() if key.key_id == line.key_id][-1]
    # Without a root from outside, the first one above the key of the log that will do.
    above = roster.roots_over(signer)
    begun = above and any(one.issuer == above[0] for _, one in roster.enrolled[above[0]])
    found = [{one} for one in above] if begun else [set[str]()]
    choices = found if trusted is None else [trusted]
    for choice in choices[:-1]:
        try:
            return roster.under(choice).signer(signer, "log", tale.time_us)
        except IntegrityError:
            continue
    return roster.under(choices[-1]).signer(signer, "log", tale.time_us)


def _check_run(copy: Copy, batches: Batches) -> list[Event]:
    events: list[Event] = []
    time_us = epoch = 0
    for seq, data in enumerate(copy.logs["run"]):
        try:
            event, record = read_entry(data)
            first = opening(event) if not seq else None
        except IntegrityError as error:
            raise bad_entry("run", seq, f"does not hold: {error.message}") from error
        if first is not None and (first.run != copy.run or not RUN_ID.fullmatch(first.run)):
            raise bad_entry("run", seq, "opens another run, or one whose id is none")
        if seq and isinstance(event, RunOpened):
            raise bad_entry("run", seq, "opens the run once more")
        if record["time_us"] < time_us or record["epoch"] < epoch:
            raise bad_entry("run", seq, "is older than the one before it")
        if events and isinstance(events[-1], RunClosed) and not isinstance(event, RunResumed):
            raise bad_entry("run", seq, "was added after the end of the run")
        time_us, epoch = record["time_us"], record["epoch"]
        batches.take(seq, event, record)
        events.append(event)
    if not events:
        raise IntegrityError("evidence.not_sealed", "the run log is empty")
    batches.close()
    return events


def _check_bodies(copy: Copy, events: Sequence[Event | EffectEvent]) -> tuple[int, dict[str, int]]:
    """Check every body that is here; return their number and by field those that are not."""
    named = named_bodies(events)
    for commitment in copy.bodies:
        if commitment not in named:
            raise IntegrityError(
                "evidence.bad_body", f"no entry names the body {commitment[:16]} that is here"
            )
        if sha256(copy.read(commitment)) != commitment:
            raise IntegrityError(
                "evidence.bad_body",
                f"the {named[commitment]} {commitment[:16]} was altered after it was written",
            )
    here = set(copy.bodies)
    gone = Counter(name for commitment, name in named.items() if commitment not in here)
    return len(here), dict(sorted(gone.items()))
