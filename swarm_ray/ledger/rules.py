"""The rules of appending that hold for every ledger, whatever stores it.

Decides whether an append is admitted against the head of its log and which bodies may go. Raises
the errors of the contract in `ports.log`; it stores nothing.
"""

from collections.abc import Iterable
from typing import Any

from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.ledger.faults import body_mismatch, dropped_log
from swarm_ray.ports.log import NEEDED_BY_RESUME, Append, Body, Head, LogState
from swarm_ray.values.codec import MAX_ENTRY_BYTES, decode, encode
from swarm_ray.values.commitments import opens
from swarm_ray.values.digests import Digest
from swarm_ray.values.merkle import EMPTY_ROOT

CHECKPOINT_KIND = "log.checkpoint"


def admit(append: Append, head: Head | None, writer_epoch: int) -> None:
    """Check an append against its log.

    Raises:
        IntegrityError: `ledger.stale_epoch`, `ledger.size_conflict`, `ledger.log_closed`.
        UsageError: `ledger.log_dropped`, `ledger.wrong_kind`, `ledger.entry_too_large`,
            `ledger.entry_empty`.
    """
    check_epoch(append.epoch, writer_epoch)
    size = head.size if head else 0
    if append.expected_size != size:
        raise IntegrityError(
            "ledger.size_conflict",
            f"log {append.log_id} has {size} entries, the writer expected {append.expected_size}",
            hint="another writer appended; read the log again before deciding",
            log_id=append.log_id,
            size=size,
        )
    if head is not None:
        _admit_state(append, head)
    for entry in append.entries:
        _admit_entry(append.log_id, entry)


def check_epoch(epoch: int, writer_epoch: int) -> None:
    """Refuse a writer that has been replaced. Raises `ledger.stale_epoch`."""
    if epoch != writer_epoch:
        raise IntegrityError(
            "ledger.stale_epoch",
            f"the writer holds epoch {epoch}, the ledger is at {writer_epoch}",
            hint="another process took over; stop this one",
            epoch=writer_epoch,
        )


def check_bodies(bodies: Iterable[Body]) -> None:
    """Refuse bodies that their commitment does not name. Raises `ledger.body_mismatch`."""
    for body in bodies:
        if not opens(body.commitment, body.tag, body.salt, body.data):
            raise body_mismatch(body.commitment)


def check_deletable(commitment: str, retention: str, run_state: LogState | None, run: str) -> None:
    """Refuse to delete what a resume needs. Raises `ledger.body_needed`."""
    if run and retention in NEEDED_BY_RESUME and run_state in (None, "open"):
        raise UsageError(
            "ledger.body_needed",
            f"the {retention} body {commitment[:16]} is needed to resume run {run}",
            hint="close or cancel the run first",
            commitment=commitment,
            run=run,
        )


def check_droppable(head: Head) -> None:
    """Refuse to drop a run that is open or whose end is not in the index log.

    Raises:
        UsageError: `ledger.run_open`, `ledger.not_indexed`, `ledger.wrong_kind`.
    """
    if head.kind != "run":
        raise UsageError(
            "ledger.wrong_kind", f"{head.log_id} is no run log", hint="only runs can be dropped"
        )
    if head.state == "open":
        raise UsageError(
            "ledger.run_open", f"run {head.log_id} is open", hint="close or cancel it first"
        )
    if head.indexed_size != head.size:
        raise UsageError(
            "ledger.not_indexed",
            f"the last entries of run {head.log_id} are not in the index log",
            hint="append a checkpoint of the run to the index first",
        )


def check_position(head: Head, position: int) -> int:
    """Return the position if the log reaches it. Raises `ledger.out_of_range`."""
    if not 0 <= position <= head.size:
        raise UsageError(
            "ledger.out_of_range",
            f"log {head.log_id} has {head.size} entries, not {position}",
            hint="ask for a position up to the size",
            size=head.size,
        )
    return position


def new_head(append: Append) -> Head:
    """Return the head of a log before its first entry."""
    return Head(append.log_id, append.kind, 0, 0, Digest(EMPTY_ROOT.hex()), "open", 0)


def state_after(append: Append, state: LogState) -> LogState:
    """Return the state of a log once the append is stored."""
    if append.closes:
        return "closed"
    return "open" if append.reopens else state


def checkpoint_entry(head: Head, time_us: int) -> bytes:
    """Return the entry of the index log that records where another log stands."""
    return encode(
        {
            "epoch": head.epoch,
            "kind": CHECKPOINT_KIND,
            "log_id": head.log_id,
            "log_kind": head.kind,
            "root": head.root,
            "size": head.size,
            "state": head.state,
            "time_us": time_us,
        }
    )


def read_checkpoint(entry: bytes) -> dict[str, Any]:
    """Return the fields of an entry of the index log.

    Raises:
        IntegrityError: `ledger.not_a_checkpoint`, or what `decode` raises.
    """
    fields = decode(entry)
    if not isinstance(fields, dict) or fields.get("kind") != CHECKPOINT_KIND:
        raise IntegrityError("ledger.not_a_checkpoint", "the index log holds another entry")
    return fields


def _admit_state(append: Append, head: Head) -> None:
    if head.kind != append.kind:
        raise UsageError(
            "ledger.wrong_kind",
            f"log {head.log_id} is of kind {head.kind}, not {append.kind}",
            hint="use another log id",
        )
    if head.state == "dropped":
        raise dropped_log(head.log_id)
    if head.state == "closed" and not append.reopens:
        raise IntegrityError(
            "ledger.log_closed",
            f"log {head.log_id} is closed",
            hint="reopen the run before appending to it",
            log_id=head.log_id,
        )


def _admit_entry(log_id: str, entry: bytes) -> None:
    if not entry:
        raise UsageError("ledger.entry_empty", f"an empty entry for {log_id}", hint="encode it")
    if len(entry) > MAX_ENTRY_BYTES:
        raise UsageError(
            "ledger.entry_too_large",
            f"an entry for {log_id} has {len(entry)} bytes, the limit is {MAX_ENTRY_BYTES}",
            hint="split its rows over several entries or name a body",
            size_bytes=len(entry),
        )
