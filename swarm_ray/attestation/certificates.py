"""Certificates of keys, and their endings: the words of which a roster consists.

Decides the form of a certificate, what of it is signed, and which role may certify and end keys of
which (root, then site, then coordinator, log and host). Whether a word counts is decided in
`attestation.standing`.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Final

from swarm_ray.attestation.dsse import pae
from swarm_ray.attestation.keys import PublicKey
from swarm_ray.attestation.note import Signer
from swarm_ray.errors import UsageError
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
    """A key was replaced by `successor`; what it signs from `since_us` on does not count, with 0
    after the entry of the log that says so: until then it may vouch for its successor."""

    keyid: str
    successor: str
    since_us: int
    issuer: str
    signature: str = ""

    def signed(self) -> bytes:
        """Return the bytes that the issuer signs."""
        return _ending(self)

    def holds_us(self, time_us: int) -> int:
        """Return from which log time on it holds, said by an entry of this log time."""
        return self.since_us or time_us + 1


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

    def holds_us(self, time_us: int) -> int:
        """Return from which log time on it holds; when it was said does not matter."""
        del time_us
        return self.since_us


Ending = KeyRotated | KeyRevoked
KeyChange = KeyEnrolled | Ending
"""A word about a key."""


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
    key = public_key(draft.public_key)
    named = replace(draft, keyid=key.keyid, issuer=signer.public.keyid)
    return replace(named, signature=signer.sign(named.signed()).hex())


def lineage(root: KeyEnrolled, words: Iterable[KeyChange]) -> tuple[KeyEnrolled, ...]:
    """Return the certificates of a root and of those that it replaced, the oldest first; it ends at
    one that vouches for itself, or whose superior is not among the words."""
    roots: dict[str, KeyEnrolled] = {}
    for word in words:
        if isinstance(word, KeyEnrolled) and word.role == "root":
            # The first word about a root says where it comes from, as in a roster.
            roots.setdefault(word.keyid, word)
    found = {root.keyid: root}
    while root.issuer in roots and root.issuer not in found:
        root = roots[root.issuer]
        found[root.keyid] = root
    return tuple(reversed(found.values()))


def public_key(text: str) -> PublicKey:
    """Return the key that 64 hexadecimal characters stand for.

    Raises:
        UsageError: `key.malformed`, `key.low_order`.
    """
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    return PublicKey(raw)
