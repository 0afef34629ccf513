"""Asking a witness to cosign a checkpoint, and what an honest witness answers.

Decides the form of the request and the answer to it, given where the log stood when the witness
last cosigned. A witness keeps nothing but that: it never sees an entry.

Source: C2SP tlog-witness v1.0.0.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from swarm_ray.attestation.checkpoint import Checkpoint, cosign, read_checkpoint
from swarm_ray.attestation.note import Note, NoteKey, Signer, parse_note, verify_note
from swarm_ray.errors import IntegrityError
from swarm_ray.values.merkle import EMPTY_ROOT, HASH_BYTES, verify_consistency

MAX_REQUEST_BYTES: Final = 64 * 1024
MAX_PROOF_HASHES: Final = 63
SIZE_TYPE: Final = "text/x.tlog.size"
_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class CosignRequest:
    """The latest signed checkpoint with the proof that the log of `old_size` entries, the last that
    the witness cosigned as far as the asker knows, is its beginning."""

    old_size: int
    proof: tuple[bytes, ...]
    note: Note

    def to_bytes(self) -> bytes:
        """Return the body of the request."""
        lines = [f"old {self.old_size}", *(base64.b64encode(one).decode() for one in self.proof)]
        return "\n".join(lines).encode() + b"\n\n" + self.note.to_bytes()


@dataclass(frozen=True, slots=True)
class Seen:
    """Size and root that a witness last cosigned of one log."""

    size: int = 0
    root: bytes = EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Answer:
    """What a witness answers: HTTP status, body, media type; `seen` is what it must have stored
    before it answers, None when nothing changes."""

    status: int
    body: str
    media: str = "text/plain; charset=utf-8"
    seen: Seen | None = None


def parse_request(body: bytes) -> CosignRequest:
    """Read the body of a request; nothing in it is trusted yet.

    Raises:
        IntegrityError: `witness.malformed`, `note.malformed`.
    """
    head, blank, note = body.partition(b"\n\n")
    if not blank or len(body) > MAX_REQUEST_BYTES:
        raise _malformed("no empty line divides proof and checkpoint, or it is too long")
    try:
        first, *proof = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise _malformed("the proof is not text") from error
    old = _OLD.fullmatch(first)
    if old is None or len(proof) > MAX_PROOF_HASHES:
        raise _malformed("it does not begin with the old size, or its proof is too long")
    return CosignRequest(int(old[1]), tuple(map(_hash, proof)), parse_note(note))


def answer(
    request: CosignRequest,
    keys: Iterable[NoteKey],
    seen: Seen,
    name: str,
    signer: Signer,
    time_s: int,
) -> Answer:
    """Return what an honest witness answers.

    Args:
        request: as it came in.
        keys: of the logs that the witness follows, by origin; never taken from the request.
        seen: what was last cosigned of the log that the request is about.
        name: of the witness.
        signer: its key.
        time_s: Unix time in seconds.

    Returns: 200 with the cosignature line; 404 for a log it does not follow; 403 when no key of
    that log signed; 400 for an old size above the new one; 409 with the size it stands at, when
    the proof begins elsewhere, or two heads of one size differ; 422 when the log did not grow out
    of what was cosigned, which is the split view that witnesses exist for.
    """
    try:
        checkpoint = read_checkpoint(request.note)
    except IntegrityError as error:
        return Answer(400, error.message)
    own = [key for key in keys if key.name == checkpoint.origin]
    if not own:
        return Answer(404, f"no log {checkpoint.origin} is followed here")
    try:
        verify_note(request.note, own)
    except IntegrityError as error:
        return Answer(403, error.message)
    return _grown(request, checkpoint, seen) or _cosigned(
        request.note, checkpoint, name, signer, time_s
    )


def _grown(request: CosignRequest, checkpoint: Checkpoint, seen: Seen) -> Answer | None:
    """Return why a checkpoint does not continue what was seen, None when it does."""
    if request.old_size > checkpoint.size:
        return Answer(400, "the old size is above the new one")
    if request.old_size != seen.size:
        return Answer(409, f"{seen.size}\n", SIZE_TYPE)
    if checkpoint.size == seen.size:
        same = checkpoint.root == seen.root and not request.proof
        return None if same else Answer(409, f"{seen.size}\n", SIZE_TYPE)
    if not seen.size:
        return None if not request.proof else Answer(422, "nothing proves growth from nothing")
    try:
        verify_consistency(seen.size, checkpoint.size, seen.root, checkpoint.root, request.proof)
    except IntegrityError as error:
        return Answer(422, f"the log does not continue what was cosigned: {error.message}")
    return None


def _cosigned(note: Note, checkpoint: Checkpoint, name: str, signer: Signer, time_s: int) -> Answer:
    line = cosign(note, name, signer, time_s).signatures[-1].line()
    return Answer(200, f"{line}\n", seen=Seen(checkpoint.size, checkpoint.root))


def cosigned(note: Note, lines: str) -> Note:
    """Return the note with the signature lines of a witness's answer added; check them with
    `checkpoint.witnesses`.

    Raises:
        IntegrityError: `note.malformed`.
    """
    added = parse_note(f"x\n\n{lines}".encode()).signatures
    return Note(note.text, (*note.signatures, *added))


def size_told(body: str) -> int:
    """Return the size in the body of an answer 409.

    Raises:
        IntegrityError: `witness.malformed`.
    """
    text = body.strip()
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise _malformed("the witness does not say where it stands")
    return int(text)


def _hash(text: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("a hash of the proof is not base64") from error
    if len(found) != HASH_BYTES or base64.b64encode(found).decode() != text:
        raise _malformed("a hash of the proof has not 32 bytes")
    return found


def _malformed(why: str) -> IntegrityError:
    return IntegrityError("witness.malformed", f"this is no request to cosign: {why}")
