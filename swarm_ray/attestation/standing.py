"""Which words of a roster count, given the roots that somebody believes.

Decides what a certificate and an ending are worth. Anybody can make a root and sign with it; it has
no say over keys that other roots vouch for. Words are judged in the order in which they stand in
the log, so each hangs on earlier ones only and roots that vouch for each other in a circle hang on
nothing. Source: `docs/formats/attestation.md`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from swarm_ray.attestation.certificates import SUPERIOR, Ending, KeyChange, KeyEnrolled
from swarm_ray.errors import IntegrityError

Enrolments = Mapping[str, Sequence[tuple[int, KeyEnrolled]]]


@dataclass(frozen=True, slots=True)
class Standing:
    """A certificate that counts, and that of the believed root that it hangs on."""

    certificate: KeyEnrolled
    root: KeyEnrolled


@dataclass(slots=True)
class Standings:
    """The keys of a roster as somebody sees them who believes some roots.

    Args:
        enrolled: by keyid log time and event of each enrolment, in order.
        words: enrolments and endings with their log times, in order.
        trusted: keyids of the roots that are believed; None believes every root that vouches for
            itself.
    """

    enrolled: Enrolments
    words: Iterable[tuple[int, KeyChange]]
    trusted: Collection[str] | None
    ended: dict[str, int] = field(init=False, default_factory=dict)
    """By keyid: the earliest log time from which on an ending that counts holds."""
    _found: dict[str, list[Standing | IntegrityError]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        # What was found out late holds for what was certified before: the second time all
        # endings are known.
        for _ in range(2):
            self._found = {}
            for time_us, word in self.words:
                if isinstance(word, KeyEnrolled):
                    self._found.setdefault(word.keyid, []).append(self._judged(word, time_us))
                elif self._has_say(word, time_us):
                    self._end(word, time_us)

    def signer(self, keyid: str, role: str, time_us: int) -> Standing:
        """Return the certificate under which a key signed for a role at a log time.

        Raises:
            IntegrityError: `key.unknown`, `key.wrong_role`, `key.uncertified`, `key.expired`,
                `key.revoked`, `key.untrusted_root`; the last four also for a superior of the key.
        """
        mine = self._for_role(keyid, role)
        name = mine[-1][0].name
        if keyid in self.ended and time_us >= self.ended[keyid]:
            raise IntegrityError("key.revoked", f"the key of {role} {name!r} had been withdrawn")
        good = [
            found
            for one, found in mine
            if one.issuer and one.not_before_us <= time_us <= one.not_after_us
        ]
        for found in reversed(good):
            if isinstance(found, Standing):
                return found
        if good:
            # A copy: an error that is raised twice grows its traceback.
            why = next(found for found in good if isinstance(found, IntegrityError))
            raise IntegrityError(why.code, why.message, hint=why.hint)
        if any(one.issuer for one, _ in mine):
            raise IntegrityError("key.expired", f"the key of {role} {name!r} was not valid then")
        raise _uncertified(role, name)

    def check(self, word: KeyChange, time_us: int) -> None:
        """Refuse a word that would count for nothing at a log time.

        Raises:
            IntegrityError: `key.no_say` for an ending, for a certificate as `signer`.
        """
        if not isinstance(word, KeyEnrolled):
            if not self._has_say(word, time_us):
                raise IntegrityError(
                    "key.no_say",
                    f"key {word.issuer[:16]} has no say over key {word.keyid[:16]}",
                    hint="let a key sign that a root of this organisation vouches for",
                )
        elif isinstance(why := self._judged(word, time_us), IntegrityError):
            raise why

    def _for_role(
        self, keyid: str, role: str
    ) -> list[tuple[KeyEnrolled, Standing | IntegrityError]]:
        """Return what stands in the roster about a key in a role, as far as it has been judged."""
        judged = self._found.get(keyid, ())
        known = [
            (one, found)
            for (_, one), found in zip(self.enrolled.get(keyid, ()), judged, strict=False)
        ]
        if not known:
            raise IntegrityError("key.unknown", f"key {keyid[:16]} stands nowhere in the roster")
        mine = [found for found in known if found[0].role == role]
        if not mine:
            name = known[-1][0].name
            raise IntegrityError("key.wrong_role", f"the key of {name!r} is not one of a {role}")
        return mine

    def _judged(self, one: KeyEnrolled, time_us: int) -> Standing | IntegrityError:
        """Return what a certificate is worth, judged by what stands before it."""
        itself = one.issuer == one.keyid
        believed = itself if self.trusted is None else one.keyid in self.trusted
        if one.role == "root" and one.issuer and believed:
            return Standing(one, one)
        if not one.issuer:
            return _uncertified(one.role, one.name)
        if itself:
            return _untrusted(one.name)
        try:
            return Standing(one, self.signer(one.issuer, SUPERIOR[one.role], time_us).root)
        except IntegrityError as error:
            return error

    def _has_say(self, word: Ending, time_us: int) -> bool:
        """Say whether who ended a key may: the key itself, a superior of it, a root."""
        if word.issuer == word.keyid:
            return True
        roles = {SUPERIOR[one.role] for _, one in self.enrolled[word.keyid]} | {"root"}
        return any(self._stands(word.issuer, role, time_us) for role in sorted(roles))

    def _stands(self, keyid: str, role: str, time_us: int) -> bool:
        try:
            self.signer(keyid, role, time_us)
        except IntegrityError:
            return False
        return True

    def _end(self, word: Ending, time_us: int) -> None:
        since_us = word.holds_us(time_us)
        self.ended[word.keyid] = min(since_us, self.ended.get(word.keyid, since_us))


def _uncertified(role: str, name: str) -> IntegrityError:
    return IntegrityError("key.uncertified", f"nobody vouches for the key of {role} {name!r}")


def _untrusted(name: str) -> IntegrityError:
    return IntegrityError(
        "key.untrusted_root",
        f"{name!r} vouches for itself and is no root that you trust",
        hint="compare the root key with what its owner gave you by another way",
    )
