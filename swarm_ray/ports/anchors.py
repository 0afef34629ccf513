"""What the engine needs of an anchor: keep a signed checkpoint where we cannot take it back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

Prove = Callable[[int], Sequence[bytes]]
"""Returns the consistency proof from an older size of the index log to the checkpoint's."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """A checkpoint that an anchor keeps.

    `reference` is what finds or proves it there: the version of an object, the signature line of
    a witness. `time_us` is the anchor's own time, not ours.
    """

    anchor: str
    size: int
    root: str
    reference: str
    time_us: int


class Anchor(Protocol):
    """One place. Used from a thread of its own; it may take its time and fail."""

    @property
    def name(self) -> str:
        """Says which anchor it is, for people and for the log."""

    def keep(self, note: bytes, prove: Prove) -> Anchored:
        """Keep a signed checkpoint of the index log.

        Args:
            note: the signed note.
            prove: gives consistency proofs to it.

        Raises:
            SwarmError: `anchor.*`; the checkpoint is not kept, or cannot be shown to be.
        """
