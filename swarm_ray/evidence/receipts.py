"""Receipts: that one result stands in the log as its host signed it, in one small text.

Decides what a receipt holds beyond its C2SP form, and what it proves: host's statement → signed batch
→ entry of the run's log → entry of the index that seals the run → signed checkpoint. It cannot show
that nothing was added later, nor that no key was withdrawn since; an export shows more. One is made
only with keys that were in order.

Source: C2SP tlog-proof v1; `docs/formats/log.md`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from swarm_ray.attestation.batch import (
    ItemEvidence,
    assemble_batch,
    batch_signature,
    item_evidence,
    verify_item_evidence,
)
from swarm_ray.attestation.certificates import KeyEnrolled
from swarm_ray.attestation.keys import PublicKey
from swarm_ray.attestation.note import NoteKey, parse_note
from swarm_ray.attestation.receipt import Receipt, parse_receipt
from swarm_ray.attestation.roster import Roster, roster_of
from swarm_ray.core.events import Row, Settled
from swarm_ray.core.host import Outcome
from swarm_ray.engine.admin import read_admin_entry
from swarm_ray.engine.history import read_entry
from swarm_ray.engine.orders import result_header, result_statements
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.evidence.batches import Batches
from swarm_ray.evidence.copy import Copy
from swarm_ray.ports.hosts import HostInfo
from swarm_ray.values.codec import decode, decode_json, encode
from swarm_ray.values.merkle import leaf_hash, verify_inclusion
from swarm_ray.values.records import from_record, to_record
from swarm_ray.values.tree import Tree

FORMAT: Final = "swarm-ray-receipt/1"
_FIELDS: Final = {"entry", "evidence", "format", "keys", "path", "seal", "seq"}


@dataclass(frozen=True, slots=True)
class Proven:
    """What a receipt proves. `time_us` is the log time of the entry, `sealed_us` that of its seal;
    `output` commits to the output, or to the error text when `status` is not `ok`; `root_key` is
    the public key, hexadecimal, that all others hang on."""

    run: str
    swarm: str
    item: int
    attempt: int
    status: str
    output: str
    host: str
    site: str
    organisation: str
    seq: int
    time_us: int
    sealed_us: int
    root_key: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def receipt_of(copy: Copy, swarm: str, item: int) -> bytes:
    """Return the receipt of the last signed result of an item.

    Args:
        copy: of the run; it must have been checked.
        swarm: id.
        item: from 0.

    Raises:
        UsageError: `receipt.no_result` when no host has signed one, `receipt.no_items` when the set
            of items is gone, so that nobody can build the statements again.
    """
    roster = roster_of(map(read_admin_entry, copy.logs["admin"]))
    seq, event, batches = _settled(copy, roster, swarm, item)
    statements, envelope = _signed(event, batches, roster)
    index = next(at for at, row in enumerate(event.rows) if row.item == item)
    seal = max(at for at, data in enumerate(copy.logs["index"]) if _seals(data, copy.run))
    stand, time_us = (
        decode(copy.logs["index"][seal]),
        read_entry(copy.logs["run"][seq])[1]["time_us"],
    )
    log = _log_key(copy.checkpoint, roster)
    known = [
        roster.signer(event.keyid, "host", time_us),
        roster.signer(log.keyid, "log", stand["time_us"]),
    ]
    extra = {
        "entry": copy.logs["run"][seq].decode(),
        "evidence": item_evidence(envelope, statements, index).decode(),
        "format": FORMAT,
        "keys": [encode(to_record(one)).decode() for one in _chain(roster, known)],
        "path": [node.hex() for node in Tree.over(copy.logs["run"]).inclusion(seq)],
        "seal": copy.logs["index"][seal].decode(),
        "seq": seq,
    }
    path = tuple(Tree.over(copy.logs["index"]).inclusion(seal))
    return Receipt(seal, path, copy.checkpoint, encode(extra, max_bytes=None)).to_bytes()


def check_receipt(data: bytes, trusted: Collection[str] | None = None) -> Proven:
    """Check a receipt; return what it proves.

    Args:
        data: bytes of a receipt.
        trusted: keyids of the roots that are believed; None takes the one in the receipt that the
            key of the host hangs on.

    Raises:
        IntegrityError: `receipt.malformed`, `receipt.contradiction`, `note.*`, `merkle.*`, `key.*`,
            `attestation.*`.
    """
    try:
        return _checked(data, trusted)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise _malformed() from error  # a field is not what it must be


def _checked(data: bytes, trusted: Collection[str] | None) -> Proven:
    receipt = parse_receipt(data)
    extra = _extra(receipt)
    roster = Roster()
    for text in extra["keys"]:
        word = from_record(KeyEnrolled, decode(text.encode()))
        roster.enrol(word, word.serial)  # its signed time: that of the log is not in a receipt
    log, seal = _log_key(receipt.checkpoint, roster), extra["seal"].encode()
    receipt.verify(seal, [_note_key(log)])
    stand, entry = decode(seal), extra["entry"].encode()
    event, record = read_entry(entry)
    _agree(isinstance(event, Settled) and stand.get("kind") == "log.checkpoint", "seals no result")
    assert isinstance(event, Settled)
    path = [bytes.fromhex(node) for node in extra["path"]]
    root = bytes.fromhex(stand["root"])
    verify_inclusion(leaf_hash(entry), extra["seq"], stand["size"], path, root)
    roots = set(roster.roots_over(event.keyid)) if trusted is None else set(trusted)
    host = roster.under(roots).signer(event.keyid, "host", record["time_us"])
    roster.under(roots).signer(log.keyid, "log", stand["time_us"])
    evidence = extra["evidence"].encode()
    found = verify_item_evidence(
        evidence, {event.keyid: PublicKey(bytes.fromhex(host.certificate.public_key))}
    )
    _agree(
        batch_signature(decode(evidence)["envelope"].encode()).sig.hex() == event.envelope,
        "holds the signature of another batch",
    )
    row, said = _row(event, found), decode_json(found.statement)
    about, output = said["predicate"], said["subject"][0]["digest"]["swarmRayCommitment"]
    told = (about["run"], about["swarm"], about["item"], about["attempt"], about["status"])
    logged = (stand["log_id"], event.swarm, row.item, row.attempt, row.status)
    _agree(told == logged and output in (row.output, row.error, "0" * 64), "names another result")
    who = host.certificate
    return Proven(
        *told[:4], told[4], output, who.name, who.site, who.organisation, extra["seq"],
        record["time_us"], stand["time_us"], host.root.public_key,
    )  # fmt: skip


def _settled(copy: Copy, roster: Roster, swarm: str, item: int) -> tuple[int, Settled, Batches]:
    batches = Batches(roster, set(roster.enrolled), copy.items)
    last: tuple[int, Settled] | None = None
    for seq, data in enumerate(copy.logs["run"]):
        event, record = read_entry(data)
        if not isinstance(event, Settled):
            batches.take(seq, event, record)
        elif (
            event.swarm == swarm and event.envelope and any(row.item == item for row in event.rows)
        ):
            last = seq, event
    if last is None:
        raise UsageError(
            "receipt.no_result",
            f"no host has signed a result of item {item}",
            hint="items count from 0; wait for the end of the run, and for its seal",
        )
    if swarm not in copy.items:
        raise UsageError(
            "receipt.no_items",
            "the set of items was deleted: nobody can build again what the host signed",
            hint="make receipts before `swarm-ray gc --bodies input`",
        )
    return *last, batches


def _signed(event: Settled, batches: Batches, roster: Roster) -> tuple[list[bytes], bytes]:
    """Return the statements of an entry and the envelope over them."""
    parcel = batches.parcels[event.swarm, event.batch]
    one = roster.enrolled[event.keyid][-1][1]
    raw = bytes.fromhex(one.public_key)
    host = HostInfo(one.name, one.site, one.organisation, one.slots, raw, one.isolation)
    statements = result_statements(parcel, event.rows, host, event.isolation, event.sandbox)
    outcome = Outcome(event.sequence, parcel.order.run, event.swarm, event.batch, event.rows)
    header = result_header(parcel, outcome, parcel.order.epoch)
    signature = bytes.fromhex(event.envelope)
    return statements, assemble_batch(header, statements, event.keyid, signature)


def _seals(data: bytes, run: str) -> bool:
    record = decode(data)
    return bool(record.get("kind") == "log.checkpoint" and record.get("log_id") == run)


def _log_key(note: bytes, roster: Roster) -> KeyEnrolled:
    """Return the certificate of the key that signed a checkpoint."""
    signed = {line.key_id for line in parse_note(note).signatures}
    for events in roster.enrolled.values():
        one = events[-1][1]
        if one.role == "log" and _note_key(one).key_id in signed:
            return one
    raise IntegrityError("receipt.contradiction", "nobody vouches for the key of its checkpoint")


def _note_key(one: KeyEnrolled) -> NoteKey:
    return NoteKey(one.name, PublicKey(bytes.fromhex(one.public_key)))


def _chain(roster: Roster, known: Sequence[KeyEnrolled]) -> list[KeyEnrolled]:
    """Return certificates and all of the keys above them, superiors first."""
    above: list[KeyEnrolled] = []
    front = {one.issuer for one in known}
    while front:
        found = [one for keyid in front for _, one in roster.enrolled[keyid]]
        above += [one for one in found if one not in above]
        front = {one.issuer for one in found} - {one.keyid for one in above}
    return [*sorted(above, key=lambda one: (one.role != "root", one.serial)), *known]


def _extra(receipt: Receipt) -> Mapping[str, Any]:
    extra: Any = decode(receipt.extra or b"")
    texts = [extra["entry"], extra["evidence"], extra["seal"], *extra["keys"], *extra["path"]]
    whole = extra.keys() == _FIELDS and all(isinstance(one, str) for one in texts)
    if not whole or extra["format"] != FORMAT or type(extra["seq"]) is not int:
        raise _malformed()
    return dict(extra)


def _row(event: Settled, found: ItemEvidence) -> Row:
    _agree(found.index < len(event.rows) == found.count, "counts other rows")
    return event.rows[found.index]


def _agree(holds: object, why: str) -> None:
    if not holds:
        raise IntegrityError("receipt.contradiction", f"this receipt does not hold: it {why}")


def _malformed() -> IntegrityError:
    return IntegrityError("receipt.malformed", "this is not a receipt of a result")
