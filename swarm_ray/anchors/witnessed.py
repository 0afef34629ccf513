"""Checkpoints cosigned by a witness: somebody else who saw that the log only grew."""

import time
from collections.abc import Callable
from typing import Final

import httpx

from swarm_ray.attestation.checkpoint import read_checkpoint, witnesses
from swarm_ray.attestation.cosigning import CosignRequest, cosigned, size_told
from swarm_ray.attestation.note import NoteKey, parse_note
from swarm_ray.errors import IntegrityError, StorageError
from swarm_ray.ports.anchors import Anchored, Prove

TIMEOUT_S: Final = 10.0
_ROUNDS: Final = 3
MAX_SKEW_S: Final = 60.0


class WitnessAnchor:
    """Asks one witness.

    Args:
        url: of the witness, to which `/add-checkpoint` is added.
        key: of the witness, known beforehand.
        now_s: Unix time in seconds; a signature dated long before it was asked for is refused.
    """

    def __init__(self, url: str, key: NoteKey, now_s: Callable[[], float] = time.time) -> None:
        self.name = f"witness {key.name}"
        self._url = f"{url.rstrip('/')}/add-checkpoint"
        self._key = key
        self._old_size = 0
        self._now_s = now_s

    def keep(self, note: bytes, prove: Prove) -> Anchored:
        """See the port. A witness that stands elsewhere says so, and is asked again from there.

        Raises:
            IntegrityError: `anchor.split_view` when the witness has seen another history,
                `anchor.wrong_clock`, `anchor.refused`, `note.bad_signature`, `note.malformed`.
            StorageError: `anchor.out_of_reach`.
        """
        parsed, asked_s = parse_note(note), self._now_s()
        checkpoint = read_checkpoint(parsed)
        for _ in range(_ROUNDS):
            # It is asked even if it has seen more: it may have been set right since.
            old_size = self._old_size if self._old_size <= checkpoint.size else 0
            proof = tuple(prove(old_size)) if 0 < old_size < checkpoint.size else ()
            answer = self._ask(CosignRequest(old_size, proof, parsed).to_bytes())
            if answer.status_code == httpx.codes.CONFLICT:
                told = size_told(answer.text)
                if told == old_size:
                    raise _split(self.name, "it has seen another root", checkpoint.size)
                if told > checkpoint.size:
                    raise _split(self.name, f"it has seen {told} entries", checkpoint.size)
                self._old_size = told
                continue
            return self._kept(answer, note, asked_s)
        raise IntegrityError(
            "anchor.refused",
            f"{self.name} stood elsewhere each of {_ROUNDS} times",
            hint="look for another coordinator that uses the same log key",
        )

    def _kept(self, answer: httpx.Response, note: bytes, asked_s: float) -> Anchored:
        parsed = parse_note(note)
        checkpoint = read_checkpoint(parsed)
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            raise _split(self.name, answer.text.strip(), checkpoint.size)
        if answer.is_server_error:
            raise _unreachable(self.name, self._url, f"it answers {answer.status_code}")
        if answer.status_code != httpx.codes.OK:
            raise IntegrityError(
                "anchor.refused",
                f"{self.name} answers {answer.status_code}: {answer.text.strip()[:200]}",
                hint="give the witness the key of this log (`swarm-ray keys list`)",
            )
        times = witnesses(cosigned(parsed, answer.text), [self._key])
        if self._key.name not in times:
            raise IntegrityError(
                "anchor.refused",
                f"{self.name} has not signed with the key that is known here",
                hint="ask its keeper for the key, and compare",
            )
        if times[self._key.name] < asked_s - MAX_SKEW_S:
            raise IntegrityError(
                "anchor.wrong_clock",
                f"{self.name} dates its signature before it was asked: {times[self._key.name]} s",
                hint="let its keeper set its clock; runs go on without it",
            )
        self._old_size = checkpoint.size
        return Anchored(
            self.name,
            checkpoint.size,
            checkpoint.root.hex(),
            answer.text.strip(),
            times[self._key.name] * 1_000_000,
        )

    def _ask(self, body: bytes) -> httpx.Response:
        try:
            return httpx.post(self._url, content=body, timeout=TIMEOUT_S)
        except httpx.HTTPError as error:
            raise _unreachable(self.name, self._url, str(error)) from error


def _unreachable(name: str, url: str, why: str) -> StorageError:
    return StorageError(
        "anchor.out_of_reach",
        f"{name} at {url}: {why}",
        hint="check the address; runs go on without it, and the log says so",
    )


def _split(name: str, why: str, size: int) -> IntegrityError:
    return IntegrityError(
        "anchor.split_view",
        f"{name} does not find its history in the checkpoint of size {size}: {why}",
        hint="the index log was rewritten or restored from an old copy; keep both and look why",
    )
