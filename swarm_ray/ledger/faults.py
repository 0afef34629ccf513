"""The errors that reading and writing a ledger can end in.

Decides their codes, words and remedies in one place, so that every implementation of the ports
says the same. It checks nothing itself.
"""

from swarm_ray.errors import IntegrityError, UsageError


def body_mismatch(commitment: str) -> IntegrityError:
    """Return the error for a body that is not what its commitment names."""
    return IntegrityError(
        "ledger.body_mismatch",
        f"the stored body is not what {commitment[:16]} names",
        hint="restore the ledger from a copy, or delete the body",
        commitment=commitment,
    )


def unknown_log(log_id: str) -> UsageError:
    """Return the error for a log that does not exist."""
    return UsageError(
        "ledger.unknown_log", f"there is no log {log_id}", hint="list the logs", log_id=log_id
    )


def dropped_log(log_id: str) -> UsageError:
    """Return the error for reading a log whose entries were dropped."""
    return UsageError(
        "ledger.log_dropped",
        f"the entries of log {log_id} were dropped",
        hint="only its checkpoint in the index log remains",
        log_id=log_id,
    )


def corrupt_entry(log_id: str, seq: int, why: str) -> IntegrityError:
    """Return the error that names the first bad entry of a log."""
    return IntegrityError(
        "ledger.corrupt_entry",
        f"entry {seq} of log {log_id} {why}",
        hint="restore the ledger from a copy; do not resume from this one",
        log_id=log_id,
        seq=seq,
    )


def corrupt_head(log_id: str) -> IntegrityError:
    """Return the error for a log whose size, epoch or state is no such thing."""
    return IntegrityError(
        "ledger.corrupt_head",
        f"where log {log_id} stands cannot be read",
        hint="restore the ledger from a copy; do not resume from this one",
        log_id=log_id,
    )


def corrupt_epoch(role: str) -> IntegrityError:
    """Return the error for a writer whose epoch is no number."""
    return IntegrityError(
        "ledger.corrupt_epoch",
        f"the epoch of the {role} cannot be read",
        hint="restore the ledger from a copy; do not resume from this one",
    )


def root_mismatch(log_id: str, what: str) -> IntegrityError:
    """Return the error for a log whose recorded root does not follow from its entries."""
    return IntegrityError(
        "ledger.root_mismatch",
        f"the {what} of log {log_id} does not follow from its entries",
        hint="restore the ledger from a copy; do not resume from this one",
        log_id=log_id,
    )


def snapshot_mismatch(log_id: str) -> IntegrityError:
    """Return the error for a snapshot that does not fit its log."""
    return IntegrityError(
        "ledger.snapshot_mismatch",
        f"the snapshot of log {log_id} does not fit the log",
        hint="drop the snapshot and replay the log",
        log_id=log_id,
    )


def body_deleted(commitment: str) -> IntegrityError:
    """Return the error for a body whose bytes and salt were deleted."""
    return IntegrityError(
        "ledger.body_deleted",
        f"the body {commitment[:16]} was deleted",
        hint="what it said can no longer be shown or verified",
        commitment=commitment,
    )


def unknown_body(commitment: str) -> UsageError:
    """Return the error for a commitment that names no stored body."""
    return UsageError(
        "ledger.body_unknown",
        f"no body has the commitment {commitment[:16]}",
        hint="it may belong to a dropped run",
        commitment=commitment,
    )
