"""The roster: which key speaks for whom, since when, until when, and on whose word.

Decides the form of a certificate, who may certify and end whose key (root, then site, then
coordinator, log and host), and whether a signature of some time was made with a key in good
standing. Its events are entries of the admin log; it never reads one and never asks for the time.
"""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Final

from swarm_ray.attestation.dsse import pae
from swarm_ray.attestation.keys import SIGNATURE_BYTES, PublicKey
from swarm_ray.attestation.note import Signer
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values.codec import encode

CERTIFICATE_TYPE: Final = "application/vnd.swarm-ray.certificate.v1+json"
ENDING_TYPE: Final = "application/vnd.swarm-ray.key-ending.v1+json"
SUPERIOR: Final = {
    "root": "root",
    "site": "root",
    "coordinator": "site",
    "log": "site",
    "host": "site",
}
"""The role that certifies and ends keys of a role."""


@dataclass(frozen=True, slots=True)
class KeyEnrolled:
    """A key may sign for a role from now on.

    `public_key` is 64 hexadecimal characters. With an `issuer` (keyid of its superior) the entry is
    a certificate: `signature` (hexadecimal) covers every other field, and the key is good from
    `not_before_us` to `not_after_us`, Unix time in microseconds. `serial` tells renewals apart.
    Without one, as in logs of earlier versions, only the log vouches for the key.
    """

    role: str
    name: str
    public_key: str
    keyid: str
    site: str = ""
    organisation: str = ""
    isolation: str = ""
    slots: int = 0
    serial: int = 0
    not_before_us: int = 0
    not_after_us: int = 0
    issuer: str = ""
    signature: str = ""

    def signed(self) -> bytes:
        """Return the bytes that the issuer signs."""
        fields = asdict(self)
        del fields["signature"]
        return pae(CERTIFICATE_TYPE, encode(fields))


@dataclass(frozen=True, slots=True)
class KeyRotated:
    """A key was replaced by `successor`; what it signs from `since_us` on does not count."""

    keyid: str
    successor: str
    since_us: int
    issuer: str
    signature: str = ""

    def signed(self) -> bytes:
        """Return the bytes that the issuer signs."""
        return _ending(self)


@dataclass(frozen=True, slots=True)
class KeyRevoked:
    """A key must not be believed any more: what it signs from `since_us` on does not count."""

    keyid: str
    reason: str
    since_us: int
    issuer: str
    signature: str = ""

    def signed(self) -> bytes:
        """Return the bytes that the issuer signs."""
        return _ending(self)


Ending = KeyRotated | KeyRevoked


def _ending(event: Ending) -> bytes:
    fields = asdict(event)
    del fields["signature"]
    return pae(ENDING_TYPE, encode(fields))


def certify(signer: Signer, draft: KeyEnrolled) -> KeyEnrolled:
    """Return a certificate with issuer and signature filled in.

    Raises:
        UsageError: `key.unknown_role`, `key.malformed`, `key.low_order`, `key.bad_period`.
    """
    if draft.role not in SUPERIOR:
        raise UsageError(
            "key.unknown_role",
            f"no key has the role {draft.role!r}",
            hint=f"choose one of: {', '.join(SUPERIOR)}",
        )
    if not 0 <= draft.not_before_us < draft.not_after_us:
        raise UsageError(
            "key.bad_period", "the key would never be valid", hint="let it end after it begins"
        )
    key = _public(draft.public_key)
    named = replace(draft, keyid=key.keyid, issuer=signer.public.keyid)
    return replace(named, signature=signer.sign(named.signed()).hex())


def _public(text: str) -> PublicKey:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    return PublicKey(raw)


class Roster:
    """The keys of an admin log. Fold the whole log, then ask: what was found out late about a key
    holds for what it signed before."""

    def __init__(self) -> None:
        self.enrolled: dict[str, list[tuple[int, KeyEnrolled]]] = {}
        """By keyid: log time and event of each enrolment, in order."""
        self.ended: dict[str, Ending] = {}
        """By keyid: the ending that holds from the earliest time."""

    def take(self, event: object, time_us: int) -> None:
        """Take in an event of the admin log; one that is not about keys changes nothing.

        Raises:
            IntegrityError: as `enrol` and `end`.
        """
        if isinstance(event, KeyEnrolled):
            self.enrol(event, time_us)
        elif isinstance(event, KeyRotated | KeyRevoked):
            self.end(event)

    def enrol(self, event: KeyEnrolled, time_us: int) -> None:
        """Take in an enrolment with its log time in microseconds.

        Raises:
            IntegrityError: `key.bad_certificate` when its signature does not fit, or its issuer
                stands nowhere before it; `key.malformed` for a key that is none.
        """
        try:
            key = _public(event.public_key)
        except UsageError as error:
            raise IntegrityError(error.code, error.message, name=event.name) from error
        if key.keyid != event.keyid:
            raise _bad(f"the key of {event.role} {event.name!r} has another keyid")
        if event.issuer:
            superior = key if event.issuer == event.keyid else self._key_of(event.issuer)
            _check(superior, event.signature, event.signed(), f"{event.role} {event.name!r}")
        self.enrolled.setdefault(event.keyid, []).append((time_us, event))

    def end(self, event: Ending) -> None:
        """Take in the end of a key.

        Raises:
            IntegrityError: `key.bad_certificate` unless a superior of the key signed it, or the
                key itself.
        """
        known = self.enrolled.get(event.keyid)
        if not known:
            raise _bad(f"key {event.keyid[:16]} ends that never began")
        what = f"the end of {known[-1][1].role} {known[-1][1].name!r}"
        _check(self._key_of(event.issuer), event.signature, event.signed(), what)
        roles = {SUPERIOR.get(one.role, "") for _, one in known} | {"root"}
        if event.issuer != event.keyid and not any(
            one.role in roles for _, one in self.enrolled[event.issuer]
        ):
            raise _bad(f"{what} is signed by a key that has no say in it")
        before = self.ended.get(event.keyid)
        if before is None or event.since_us < before.since_us:
            self.ended[event.keyid] = event

    def roots(self) -> list[KeyEnrolled]:
        """Return the certificates of all roots that vouch for themselves, in order."""
        return [
            one
            for events in self.enrolled.values()
            for _, one in events
            if one.role == "root" and one.issuer == one.keyid
        ]

    def signer(
        self, keyid: str, role: str, time_us: int, trusted: Collection[str] | None = None
    ) -> KeyEnrolled:
        """Return the certificate under which a key signed for a role at a time.

        Args:
            keyid: the key that signed.
            role: what it signed as.
            time_us: log time of what it signed.
            trusted: keyids of the roots that are believed; None believes those of the log.

        Raises:
            IntegrityError: `key.unknown`, `key.wrong_role`, `key.uncertified`, `key.expired`,
                `key.revoked`, `key.untrusted_root`; the last four also for a superior of the key.
        """
        standing = [one for _, one in self.enrolled.get(keyid, ())]
        if not standing:
            raise IntegrityError("key.unknown", f"key {keyid[:16]} stands nowhere in the roster")
        name = standing[-1].name
        mine = [found for found in self.enrolled[keyid] if found[1].role == role]
        if not mine:
            raise IntegrityError("key.wrong_role", f"the key of {name!r} is not one of a {role}")
        ending = self.ended.get(keyid)
        if ending is not None and time_us >= ending.since_us:
            raise IntegrityError("key.revoked", f"the key of {role} {name!r} had been withdrawn")
        certified = [found for found in mine if found[1].issuer]
        if not certified:
            raise IntegrityError(
                "key.uncertified", f"nobody vouches for the key of {role} {name!r}"
            )
        good = [one for one in certified if one[1].not_before_us <= time_us <= one[1].not_after_us]
        if not good:
            raise IntegrityError("key.expired", f"the key of {role} {name!r} was not valid then")
        since_us, certificate = good[-1]
        if role == "root" and (certificate.issuer == keyid or keyid in (trusted or ())):
            if trusted is not None and keyid not in trusted:
                raise _untrusted(name)
        elif certificate.issuer == keyid:
            raise _untrusted(name)
        else:
            self.signer(certificate.issuer, SUPERIOR[role], since_us, trusted)
        return certificate

    def _key_of(self, keyid: str) -> PublicKey:
        if keyid not in self.enrolled:
            raise _bad(f"key {keyid[:16]} signs before it is enrolled")
        return _public(self.enrolled[keyid][0][1].public_key)


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


def _untrusted(name: str) -> IntegrityError:
    return IntegrityError(
        "key.untrusted_root",
        f"{name!r} vouches for itself and is no root that you trust",
        hint="compare the root key with what its owner gave you by another way",
    )


def _bad(why: str) -> IntegrityError:
    return IntegrityError(
        "key.bad_certificate", why, hint="this roster was altered or is not complete"
    )
