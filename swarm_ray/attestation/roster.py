"""The roster: which key speaks for whom, since when, until when, and on whose word.

Decides that every word about keys is signed by the key that it names as its issuer. What the words
are worth to somebody who believes certain roots is decided in `attestation.standing`. Its events are
entries of the admin log; it never reads one and never asks for the time.
"""

from collections.abc import Collection, Iterable
from typing import Final

from swarm_ray.attestation.certificates import (
    SUPERIOR,
    Ending,
    KeyChange,
    KeyEnrolled,
    KeyRevoked,
    KeyRotated,
    public_key,
)
from swarm_ray.attestation.keys import SIGNATURE_BYTES, PublicKey
from swarm_ray.attestation.standing import Standings
from swarm_ray.errors import IntegrityError, UsageError

MAX_ROOTS: Final = 64
"""So many roots may have replaced each other."""


class Roster:
    """The keys of an admin log. Fold the whole log, then ask: what was found out late about a key
    holds for what it signed before."""

    def __init__(self) -> None:
        self.enrolled: dict[str, list[tuple[int, KeyEnrolled]]] = {}
        """By keyid: log time and event of each enrolment, in order."""
        self._words: list[tuple[int, KeyChange]] = []
        self._roots: dict[str, tuple[str, ...]] = {}
        self._standings: dict[frozenset[str] | None, Standings] = {}

    def take(self, event: object, time_us: int) -> None:
        """Take in an event of the admin log; one that is not about keys changes nothing.

        Raises:
            IntegrityError: as `enrol` and `end`.
        """
        if isinstance(event, KeyEnrolled):
            self.enrol(event, time_us)
        elif isinstance(event, KeyRotated | KeyRevoked):
            self.end(event, time_us)

    def enrol(self, event: KeyEnrolled, time_us: int) -> None:
        """Take in an enrolment with its log time in microseconds.

        Raises:
            IntegrityError: `key.bad_certificate` when its signature does not fit, its issuer stands
                nowhere before it, or it is for no role; `key.malformed` and `key.low_order` for a
                key that is none.
        """
        try:
            key = public_key(event.public_key)
        except UsageError as error:
            raise IntegrityError(error.code, error.message, name=event.name) from error
        # `fromhex` also reads capitals and spaces, which would give one key several spellings.
        named = (key.keyid, key.raw.hex()) == (event.keyid, event.public_key)
        if not named or event.role not in SUPERIOR:
            raise _bad(f"the key of {event.role} {event.name!r} has another keyid, or no role")
        if event.issuer:
            superior = key if event.issuer == event.keyid else self._key_of(event.issuer)
            _check(superior, event.signature, event.signed(), f"{event.role} {event.name!r}")
        above = self._above(event)
        self.enrolled.setdefault(event.keyid, []).append((time_us, event))
        self._roots.setdefault(event.keyid, above)
        self._add(event, time_us)

    def end(self, event: Ending, time_us: int) -> None:
        """Take in the end of a key. It need not count: that its issuer signed it does not mean that
        the issuer has a say.

        Raises:
            IntegrityError: `key.bad_certificate` when its signature does not fit, or key or issuer
                stand nowhere before it.
        """
        known = self.enrolled.get(event.keyid)
        if not known:
            raise _bad(f"key {event.keyid[:16]} ends that never began")
        what = f"the end of {known[-1][1].role} {known[-1][1].name!r}"
        _check(self._key_of(event.issuer), event.signature, event.signed(), what)
        self._add(event, time_us)

    def knows(self, word: KeyChange) -> bool:
        """Return whether a word about keys stands here already."""
        return any(word == known for _, known in self._words)

    def admit(self, word: KeyChange, time_us: int, trusted: Collection[str]) -> None:
        """Take in a word only if it counts for somebody who believes these roots; what is refused
        leaves no trace.

        Raises:
            IntegrityError: as `enrol`, `end` and `Standings.check`.
        """
        self.take(word, time_us)
        try:
            self.under(trusted).check(word, time_us)
        except IntegrityError:
            self._forget_last()
            raise

    def roots_over(self, keyid: str) -> tuple[str, ...]:
        """Return the keyids of the roots that a key hangs on by the first word about each, the first
        root first: what somebody takes who was given no root."""
        return self._roots.get(keyid, ())

    def under(self, trusted: Collection[str] | None) -> Standings:
        """Return the keys as somebody sees them who believes these roots, named by keyid; None
        believes every root that vouches for itself."""
        chosen = None if trusted is None else frozenset(trusted)
        if chosen not in self._standings:
            self._standings[chosen] = Standings(self.enrolled, self._words, chosen)
        return self._standings[chosen]

    def signer(
        self, keyid: str, role: str, time_us: int, trusted: Collection[str] | None = None
    ) -> KeyEnrolled:
        """Return the certificate under which a key signed for a role at a log time.

        Raises:
            IntegrityError: as `Standings.signer`.
        """
        return self.under(trusted).signer(keyid, role, time_us).certificate

    def _above(self, event: KeyEnrolled) -> tuple[str, ...]:
        above = () if event.issuer == event.keyid else self._roots.get(event.issuer, ())
        if len(above) > MAX_ROOTS:
            raise _bad(f"more than {MAX_ROOTS} roots replaced each other")
        return (*above, event.keyid) if event.role == "root" else above

    def _add(self, word: KeyChange, time_us: int) -> None:
        self._words.append((time_us, word))
        self._standings.clear()

    def _forget_last(self) -> None:
        _, word = self._words.pop()
        self._standings.clear()
        if isinstance(word, KeyEnrolled):
            self.enrolled[word.keyid].pop()
            if not self.enrolled[word.keyid]:
                del self.enrolled[word.keyid], self._roots[word.keyid]

    def _key_of(self, keyid: str) -> PublicKey:
        if keyid not in self.enrolled:
            raise _bad(f"key {keyid[:16]} signs before it is enrolled")
        return public_key(self.enrolled[keyid][0][1].public_key)


def roster_of(events: Iterable[tuple[object, int]]) -> Roster:
    """Return the roster of the events of an admin log with their times; others are passed over.

    Raises:
        IntegrityError: as `Roster.enrol` and `Roster.end`.
    """
    roster = Roster()
    for event, time_us in events:
        roster.take(event, time_us)
    return roster


def _check(key: PublicKey, signature: str, signed: bytes, what: str) -> None:
    try:
        raw = bytes.fromhex(signature)
    except ValueError:
        raw = b""
    if len(raw) != SIGNATURE_BYTES or raw.hex() != signature or not key.verifies(raw, signed):
        raise _bad(f"the signature over {what} does not fit")


def _bad(why: str) -> IntegrityError:
    return IntegrityError(
        "key.bad_certificate", why, hint="this roster was altered or is not complete"
    )
