"""What people do with keys: look at them, enrol, rotate and revoke them.

Decides which superior signs a change, and whom it reaches: what concerns root and sites, and every
withdrawal, all tenants of the organisation in this home; the rest the tenant. A coordinator takes
it into its admin log at once when it runs, else when it starts.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from swarm_ray.attestation.certificates import (
    SUPERIOR,
    KeyChange,
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
from swarm_ray.engine.key_changes import (
    changes_in,
    damaged,
    hand_over,
    kept_words,
    readable,
    tenant_changes,
)
from swarm_ray.engine.key_files import KeyFolder, own_key, period, replace_key
from swarm_ray.engine.key_lineage import complete_words
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.ledger.opening import open_reader
from swarm_ray.ports.clock import Clock
from swarm_ray.values.visible import visible

_ENROLLED: Final = ("host", "site")


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
        believed = self._believed(roster)
        seen = roster.under(believed)
        found = [
            KeyStanding(events[-1][1], _state(events[-1][1], seen, now_us))
            for events in roster.enrolled.values()
        ]
        return [*found, *self._waiting(roster, believed, now_us)]

    def unreadable(self) -> list[IntegrityError]:
        """Return why some of the changes that lie here cannot be read."""
        return damaged(self._changes())

    def _believed(self, roster: Roster) -> set[str]:
        """Return the roots of this organisation: the one at work and those that led to it; where
        none is at hand, the first of the log."""
        if self.files.made:
            roots = [one.keyid for one in self.files.roots()]
            return {*roots, *roster.roots_over(roots[-1])}
        first = (keyid for keyid in roster.enrolled if roster.roots_over(keyid) == (keyid,))
        return {next(first, "")}

    def _waiting(self, roster: Roster, believed: set[str], now_us: int) -> list[KeyStanding]:
        """Return the keys that no entry names yet, as they will stand once the words that lie here
        are taken; the roster takes them for that."""
        before = set(roster.enrolled)
        for _, change in readable(self._changes()):
            try:
                if not roster.knows(change):
                    roster.admit(change, now_us, believed)
            except IntegrityError:
                continue  # the coordinator will say why it refuses it
        seen = roster.under(believed)
        return [
            KeyStanding(events[-1][1], "ended" if keyid in seen.ended else "waiting")
            for keyid, events in roster.enrolled.items()
            if keyid not in before
        ]

    def _changes(self) -> list[Path]:
        return changes_in(tenant_changes(self._settings.folder), kept_words(self._settings))

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
        """Return the one key whose keyid begins so, or that has this role or name; of several the
        one that is in force.

        Raises:
            UsageError: `key.not_known`, `key.ambiguous`.
        """
        found = [one for one in self.standings() if _is_meant(one.certificate, text)]
        if len(found) != 1:
            found = [one for one in found if one.state in ("valid", "waiting")] or found
        if len(found) == 1:
            return found[0].certificate
        raise UsageError(
            "key.ambiguous" if found else "key.not_known",
            f"{text!r} means {len(found)} keys",
            hint="write the beginning of a keyid; `swarm-ray keys list` shows them",
        )

    def enrol(self, role: str, name: str, public_key: str, days: int) -> KeyEnrolled:
        """Certify a key that somebody else holds; return its certificate.

        Raises:
            UsageError: `key.not_enrolled` for other roles than host and site, `key.bad_name`,
                `key.malformed`, `key.low_order`, `key.no_root`, `key.no_predecessor`.
        """
        if role not in _ENROLLED:
            raise UsageError(
                "key.not_enrolled",
                f"no key is enrolled as {visible(role)!r}",
                hint="enrol a host or a site; roots are made with `swarm-ray keys init` and replaced "
                "with `swarm-ray keys rotate root`, the others are made by the coordinator",
            )
        if not name or name.strip() != name or visible(name) != name:
            raise UsageError(
                "key.bad_name",
                f"'{visible(name)}' is no name for a {role}",
                hint="use characters that can be seen, and spaces only between them",
            )
        complete_words(self._settings)
        place = self._settings.site, self._settings.organisation
        site = name if role == "site" else place[0]
        draft = KeyEnrolled(role, name, public_key, "", site, place[1])
        certificate = certify(self._superior(role), period(draft, days, self._clock.now_us()))
        self._hand_over(certificate, everywhere=role == "site")
        return certificate

    def rotate(self, role: str) -> KeyEnrolled | None:
        """Replace the root's, the site's or the log's own key; return the new certificate, None for
        the log, whose coordinator certifies the new one.

        Raises:
            UsageError: `key.not_rotated` for other roles, `key.no_root`, `key.in_service`,
                `key.no_predecessor`.
        """
        complete_words(self._settings)
        match role:
            case "root":
                signer = self.files.root_signer()
                before, after = self.files.rotate_root()
                self._hand_over(_rotated(signer, before.keyid, after.keyid), everywhere=True)
                return after
            case "site":
                root = self.files.root_signer()
                before, after = self.files.rotate_site()
                self._hand_over(_rotated(root, before.keyid, after.keyid), everywhere=True)
                return after
            case "log":
                _, site_key = self.files.site()
                path = self._settings.folder / "keys" / "log.pem"
                old, fresh = own_key(path), replace_key(path)
                rotated = _rotated(site_key, old.keyid, fresh.keyid)
                self._hand_over(rotated, everywhere=False)
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
            UsageError: `key.in_use` for the root and the site at work, `key.no_root`,
                `key.no_predecessor`, what `find` raises.
        """
        complete_words(self._settings)
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
        self._hand_over(event, everywhere=True)
        return event

    def _superior(self, role: str) -> Signer:
        return self.files.site()[1] if SUPERIOR.get(role) == "site" else self.files.root_signer()

    def _hand_over(self, change: KeyChange, *, everywhere: bool) -> None:
        settings = self._settings
        hand_over(kept_words(settings) if everywhere else tenant_changes(settings.folder), [change])


def _rotated(signer: Signer, old: str, new: str) -> KeyRotated:
    """Return that a key was replaced. It holds from when the log says so, not from now: who believes
    only the old root must find it in order when it vouches for the new one."""
    event = KeyRotated(old, new, 0, signer.public.keyid)
    return replace(event, signature=signer.sign(event.signed()).hex())


def _is_meant(one: KeyEnrolled, text: str) -> bool:
    return one.keyid.startswith(text) or text in (one.role, one.name)


def _state(one: KeyEnrolled, seen: Standings, now_us: int) -> str:
    if one.keyid in seen.ended and seen.ended[one.keyid] <= now_us:
        return "ended"
    if not one.issuer:
        return "uncertified"
    return "valid" if one.not_before_us <= now_us <= one.not_after_us else "expired"
