"""Checkpoints: where a log stands, signed by the log and by witnesses.

Decides the text of a checkpoint (origin, size, root) and what a witness signs. It never decides
whether a log may grow so: proofs do (`values.merkle`).

Source: C2SP tlog-checkpoint v1.0.0 and tlog-cosignature (Ed25519 form); extension lines are refused.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from swarm_ray.attestation.keys import SIGNATURE_BYTES
from swarm_ray.attestation.note import (
    COSIGNATURE,
    Note,
    NoteKey,
    NoteSignature,
    Signer,
    bad_signature,
    check_name,
    parse_note,
    sign_text,
    verify_note,
)
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values.merkle import EMPTY_ROOT, HASH_BYTES

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_TIME_BYTES: Final = 8
_LAST_TIME_S: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of the log `origin`: number of entries and RFC 6962 root, 32 bytes."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return the text that is signed, three lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> Note:
    """Return the checkpoint signed by its log; the name of the key is the origin.

    Raises:
        UsageError: `note.bad_name`.
    """
    text = checkpoint.text()
    return Note(text, (sign_text(text, checkpoint.origin, signer),))


def read_checkpoint(note: Note) -> Checkpoint:
    """Return what a note says as a checkpoint; its signatures are checked elsewhere.

    Raises:
        IntegrityError: `checkpoint.malformed`.
    """
    lines = note.text.split("\n")
    if len(lines) != 4 or not lines[0] or not _SIZE.fullmatch(lines[1]):
        raise _malformed("it is not origin, size and root on a line each")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("its root is not base64") from error
    found = Checkpoint(lines[0], int(lines[1]), root)
    if len(root) != HASH_BYTES or found.text() != note.text:
        raise _malformed("its root is not the base64 of 32 bytes")
    if not found.size and root != EMPTY_ROOT:
        raise _malformed("an empty log has another root")
    return found


def open_checkpoint(data: bytes, keys: Iterable[NoteKey]) -> Checkpoint:
    """Return a checkpoint that one of the keys of its log signed.

    Raises:
        IntegrityError: `note.malformed`, `checkpoint.malformed`, `note.bad_signature`,
            `note.unknown_signers`.
    """
    note = parse_note(data)
    checkpoint = read_checkpoint(note)
    verify_note(note, [key for key in keys if key.name == checkpoint.origin])
    return checkpoint


def cosign(note: Note, name: str, signer: Signer, time_s: int) -> Note:
    """Return the checkpoint with the signature line of a witness added.

    Args:
        note: the checkpoint as its log signed it; the witness has checked that the log only grew.
        name: of the witness.
        signer: its key, used for nothing else.
        time_s: Unix time in seconds.

    Raises:
        IntegrityError: `checkpoint.malformed`.
        UsageError: `note.bad_name`, `checkpoint.bad_time`.
    """
    read_checkpoint(note)
    if not 0 <= time_s <= _LAST_TIME_S:
        raise UsageError(
            "checkpoint.bad_time", f"{time_s} is no time", hint="pass Unix time in seconds"
        )
    key = NoteKey(check_name(name), signer.public, COSIGNATURE)
    signed = time_s.to_bytes(_TIME_BYTES, "big") + signer.sign(_witnessed(note.text, time_s))
    line = NoteSignature(name, key.key_id, signed)
    return replace(note, signatures=(*note.signatures, line))


def witnesses(note: Note, keys: Iterable[NoteKey]) -> dict[str, int]:
    """Return the names of the known witnesses that cosigned, with their times in Unix seconds.

    Raises:
        IntegrityError: `note.bad_signature` when the line of a known witness does not fit.
    """
    known = {(key.name, key.key_id): key for key in keys if key.kind == COSIGNATURE}
    found: dict[str, int] = {}
    for one in note.signatures:
        key = known.get((one.name, one.key_id))
        if key is None:
            continue
        time_s = int.from_bytes(one.data[:_TIME_BYTES], "big")
        signature = one.data[_TIME_BYTES:]
        if len(signature) != SIGNATURE_BYTES or not key.public.verifies(
            signature, _witnessed(note.text, time_s)
        ):
            raise bad_signature(one.name)
        found[one.name] = time_s
    return found


def _witnessed(text: str, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def _malformed(why: str) -> IntegrityError:
    return IntegrityError("checkpoint.malformed", f"this is not a checkpoint: {why}")
