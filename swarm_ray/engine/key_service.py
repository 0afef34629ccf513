"""What people do with keys: look at them, enrol, rotate and revoke them.

Decides which superior signs a change. A change is handed to the tenant's coordinator, which takes
it into the admin log at once when it runs, else when it starts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from swarm_ray.attestation.certificates import (
    SUPERIOR,
    KeyEnrolled,
    KeyRevoked,
    KeyRotated,
    certify,
)
from swarm_ray.attestation.note import Signer
from swarm_ray.attestation.roster import Roster
from swarm_ray.attestation.standing import Standings
from swarm_ray.config import Settings
from swarm_ray.engine.admin import read_roster
from swarm_ray.engine.key_changes import hand_over, pending_changes, read_change
from swarm_ray.engine.key_files import KeyFolder, own_key, period
from swarm_ray.errors import UsageError
from swarm_ray.ledger.opening import open_reader
from swarm_ray.ports.clock import Clock


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """A key of the roster and how it stands now: `valid`, `expired`, `ended`, `uncertified` (only
    the log vouches for it) or `waiting` (handed over, not in the log yet)."""

    certificate: KeyEnrolled
    state: str


class KeyService:
    """The keys of a tenant and of its organisation.

    Args:
        settings: of the tenant.
        clock: tells what is valid now.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.files: Final = KeyFolder(settings)

    def init(self, kms: str = "") -> KeyEnrolled:
        """Make root and site; return the certificate of the root. Raises as `KeyFolder`."""
        self.files.make_root(kms)
        self.files.site()
        return self.files.root()

    def standings(self) -> list[KeyStanding]:
        """Return all keys of the roster in order, the latest certificate of each.

        Raises:
            IntegrityError: what is wrong with the admin log.
        """
        now_us, roster = self._clock.now_us(), self.roster()
        seen = roster.under(self._believed(roster))
        found = [
            KeyStanding(events[-1][1], _state(events[-1][1], seen, now_us))
            for events in roster.enrolled.values()
        ]
        return [*found, *self._waiting(roster)]

    def _believed(self, roster: Roster) -> set[str]:
        """Return the roots of this organisation: the one at work and those that led to it; where
        none is at hand, the first of the log."""
        if self.files.made:
            root = self.files.root()
            return {root.keyid, root.issuer, *roster.roots_over(root.keyid)}
        first = (keyid for keyid in roster.enrolled if roster.roots_over(keyid) == (keyid,))
        return {next(first, "")}

    def _waiting(self, roster: Roster) -> Iterator[KeyStanding]:
        for path in pending_changes(self._settings.folder):
            change = read_change(path)
            if isinstance(change, KeyEnrolled) and change.keyid not in roster.enrolled:
                yield KeyStanding(change, "waiting")
        if self.files.made and not roster.enrolled:
            yield KeyStanding(self.files.root(), "waiting")

    def roster(self) -> Roster:
        """Return the roster of the tenant's admin log; an empty one when nothing has run here."""
        try:
            reader = open_reader(self._settings)
        except UsageError as error:
            if error.code != "ledger.not_found":
                raise
            return Roster()
        with reader:
            return read_roster(reader)

    def find(self, text: str) -> KeyEnrolled:
        """Return the one key whose keyid begins so, or that has this role or name.

        Raises:
            UsageError: `key.not_known`, `key.ambiguous`.
        """
        ones = [one.certificate for one in self.standings()]
        found = [one for one in ones if one.keyid.startswith(text) or text in (one.role, one.name)]
        if len(found) == 1:
            return found[0]
        raise UsageError(
            "key.ambiguous" if found else "key.not_known",
            f"{text!r} means {len(found)} keys",
            hint="write the beginning of a keyid; `swarm-ray keys list` shows them",
        )

    def enrol(self, role: str, name: str, public_key: str, days: int) -> KeyEnrolled:
        """Certify a key that somebody else holds; return its certificate.

        Raises:
            UsageError: `key.unknown_role`, `key.malformed`, `key.low_order`, `key.no_root`.
        """
        place = self._settings.site, self._settings.organisation
        site = name if role == "site" else place[0]
        draft = KeyEnrolled(role, name, public_key, "", site, place[1])
        certificate = certify(self._superior(role), period(draft, days, self._clock.now_us()))
        self._hand_over(certificate)
        return certificate

    def rotate(self, role: str) -> KeyEnrolled | None:
        """Replace the root's, the site's or the log's own key; return the new certificate, None for
        the log, whose coordinator certifies the new one.

        Raises:
            UsageError: `key.not_rotated` for other roles, `key.no_root`, `key.in_service`.
        """
        match role:
            case "root":
                signer = self.files.root_signer()
                before, after = self.files.rotate_root()
                rotated = _rotated(signer, before.keyid, after.keyid)
                site = self.files.certify_site()
                self._hand_over(before, after, site, rotated)
                return after
            case "site":
                before, after = self.files.rotate_site()
                root = self.files.root_signer()
                self._hand_over(after, _rotated(root, before.keyid, after.keyid))
                return after
            case "log":
                path = self._settings.folder / "keys" / "log.pem"
                old = own_key(path)
                path.unlink()
                _, site_key = self.files.site()
                self._hand_over(_rotated(site_key, old.keyid, own_key(path).keyid))
                return None
            case _:
                raise UsageError(
                    "key.not_rotated",
                    f"the key of a {role} is not replaced so",
                    hint="rotate root, site or log; hosts and coordinators get theirs at start",
                )

    def revoke(self, text: str, reason: str, minutes_ago: int) -> KeyRevoked:
        """Withdraw a key from a time on; return the change.

        Raises:
            UsageError: `key.in_use` for the root and the site at work, `key.no_root`, what `find`
                raises.
        """
        one = self.find(text)
        if self.files.made and one.keyid in (self.files.root().keyid, self.files.site()[0].keyid):
            raise UsageError(
                "key.in_use",
                f"the key of the {one.role} is at work",
                hint=f"replace it first: swarm-ray keys rotate {one.role}",
            )
        signer = self._superior(one.role)
        since_us = max(0, self._clock.now_us() - minutes_ago * 60_000_000)
        event = KeyRevoked(one.keyid, reason, since_us, signer.public.keyid)
        event = replace(event, signature=signer.sign(event.signed()).hex())
        self._hand_over(event)
        return event

    def _superior(self, role: str) -> Signer:
        return self.files.site()[1] if SUPERIOR.get(role) == "site" else self.files.root_signer()

    def _hand_over(self, *changes: KeyEnrolled | KeyRotated | KeyRevoked) -> None:
        hand_over(self._settings.folder, changes)


def _rotated(signer: Signer, old: str, new: str) -> KeyRotated:
    """Return that a key was replaced. It holds from when the log says so, not from now: who believes
    only the old root must find it in order when it vouches for the new one."""
    event = KeyRotated(old, new, 0, signer.public.keyid)
    return replace(event, signature=signer.sign(event.signed()).hex())


def _state(one: KeyEnrolled, seen: Standings, now_us: int) -> str:
    if one.keyid in seen.ended and seen.ended[one.keyid] <= now_us:
        return "ended"
    if not one.issuer:
        return "uncertified"
    return "valid" if one.not_before_us <= now_us <= one.not_after_us else "expired"
