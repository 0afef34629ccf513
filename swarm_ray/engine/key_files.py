"""The private keys of an installation: files that only their owner can read.

Decides where each key lies, that it is made on first use, and that a site key comes with the
certificate of its root. Below the home: `keys/<organisation>/` with root and sites, shared by all
tenants, and all that was ever said about them; below a tenant's folder: `keys/` with those of its
coordinator and its log. A root may lie elsewhere once the site is certified, or in a key service.
"""

import os
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from swarm_ray.attestation.certificates import KeyEnrolled, certify, lineage
from swarm_ray.attestation.keys import SigningKey, load_signing_key
from swarm_ray.attestation.kms import KmsRoot
from swarm_ray.attestation.note import Signer
from swarm_ray.attestation.roster import MAX_ROOTS
from swarm_ray.config import Settings
from swarm_ray.engine.key_changes import (
    changes_in,
    hand_over,
    kept_words,
    organisation_folder,
    readable,
)
from swarm_ray.errors import UsageError
from swarm_ray.values.codec import decode, encode
from swarm_ray.values.records import from_record, to_record

DAY_US: Final = 86_400_000_000
ROOT_DAYS: Final = 3_650
SITE_DAYS: Final = 365
RENEW_DAYS: Final = 30
"""A site's certificate with less left is renewed, if the root is at hand."""
SKEW_US: Final = 60_000_000
"""How far back a certificate reaches: clocks differ and are set."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys that a coordinator holds, and the certificates of the two above it."""

    tenant: str
    root: KeyEnrolled
    site: KeyEnrolled
    site_key: SigningKey
    coordinator_key: SigningKey
    log_key: SigningKey


class KeyFolder:
    """The keys of one organisation and one of its sites.

    Args:
        settings: names home, organisation and site.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.folder: Final = organisation_folder(settings)
        self._root_pem = self.folder / "root.pem"
        self._root_kms = self.folder / "root.kms"
        self._root_certificate = self.folder / "root.certificate"
        self._site_pem = self.folder / f"site-{settings.site}.pem"
        self._site_certificate = self.folder / f"site-{settings.site}.certificate"

    @property
    def made(self) -> bool:
        """True when the organisation has a root."""
        return self._root_certificate.exists()

    def make_root(self, kms: str = "") -> None:
        """Make the root of the organisation: a file, or with `kms` the key of that id in the key
        service, and its certificate. Once made it stays.

        Raises:
            UsageError: `key.exists`, what `KmsRoot` raises.
        """
        if self.made:
            raise UsageError(
                "key.exists",
                f"{self._settings.organisation} has a root already",
                hint="replace it with `swarm-ray keys rotate root`",
            )
        if kms:
            root: Signer = KmsRoot(kms)
            _write(self._root_kms, kms.encode())
        else:
            root = own_key(self._root_pem)
        self._keep_root(root, root)

    def root_signer(self) -> Signer:
        """Return the root's private half, from its file or the key service.

        Raises:
            UsageError: `key.no_root` when neither is at hand, `key.other_root` when the file holds
                another root than the certificate, `key.exposed`, `key.malformed`.
        """
        if self._root_kms.exists():
            return KmsRoot(self._root_kms.read_text().strip())
        if not self._root_pem.exists():
            raise UsageError(
                "key.no_root",
                f"the root key of {self._settings.organisation} is not here",
                hint=f"put it back as {self._root_pem} for as long as it is needed"
                if self.made
                else "make one with `swarm-ray keys init`",
            )
        root = load_signing_key(self._root_pem)
        if self.made and root.public.keyid != self.root().keyid:
            raise UsageError(
                "key.other_root",
                f"{self._root_pem} is not the root key of {self._settings.organisation}",
                hint=f"put the key {self.root().keyid[:16]} there",
            )
        return root

    def rotate_root(self) -> tuple[KeyEnrolled, KeyEnrolled]:
        """Replace a root that lies in a file, and have the new one certify the site; return the
        certificates of the old one and of the new one, which the old one signs.

        Raises:
            UsageError: as `root_signer`; `key.in_service` for a root in a key service,
                `key.too_many_roots` for one more than a roster follows.
        """
        if self._root_kms.exists():
            raise UsageError(
                "key.in_service",
                "a root in a key service is replaced there",
                hint="make a key there, then a new home with `swarm-ray keys init --kms`",
            )
        if len(self.roots()) >= MAX_ROOTS:
            raise UsageError(
                "key.too_many_roots",
                f"{MAX_ROOTS} roots have replaced each other, and nobody follows more",
                hint="begin a new home, and tell its root to whoever checks your runs",
            )
        old, before = self.root_signer(), self.root()
        self._root_pem.rename(self.folder / f"root-{before.keyid[:16]}.pem")
        fresh = own_key(self._root_pem)
        after = self._keep_root(fresh, old)
        self.certify_site()
        return before, after

    def root(self) -> KeyEnrolled:
        """Return the certificate of the root."""
        return _read(self._root_certificate)

    def roots(self) -> tuple[KeyEnrolled, ...]:
        """Return the certificates of the root and of those that it replaced, the oldest first, as
        far as they are kept."""
        words = (word for _, word in readable(changes_in(kept_words(self._settings))))
        return lineage(self.root(), words)

    def certificates(self) -> list[KeyEnrolled]:
        """Return the newest certificates of the root and of all sites that were made here."""
        sites = sorted(self.folder.glob("site-*.certificate"))
        return [self.root(), *map(_read, sites)]

    def rotate_site(self) -> tuple[KeyEnrolled, KeyEnrolled]:
        """Replace the site's key; return the certificates of the old one and of the new one.

        Raises:
            UsageError: as `root_signer`.
        """
        root, before = self.root_signer(), _read(self._site_certificate)
        key = replace_key(self._site_pem)
        return before, self._certify_site(root, key)

    def certify_site(self) -> KeyEnrolled:
        """Certify the site's key anew. Raises as `root_signer`."""
        return self._certify_site(self.root_signer(), own_key(self._site_pem))

    def site(self) -> tuple[KeyEnrolled, SigningKey]:
        """Return the site's certificate and key; both are made, and renewed, as far as the root is
        at hand: also when the root has a successor, or a rotation stopped halfway.

        Raises:
            UsageError: `key.expired` when the certificate has run out and the root is elsewhere,
                `key.no_certificate` when it is that of another key; `key.no_root`.
        """
        if not self._site_certificate.exists():
            root = self.root_signer()
            key = own_key(self._site_pem)
            return self._certify_site(root, key), key
        certificate, key = _read(self._site_certificate), load_signing_key(self._site_pem)
        left_us = certificate.not_after_us - _now_us()
        at_hand = self._root_kms.exists() or self._root_pem.exists()
        fits = (certificate.keyid, certificate.issuer) == (key.public.keyid, self.root().keyid)
        if at_hand and (left_us < RENEW_DAYS * DAY_US or not fits):
            certificate = self._certify_site(self.root_signer(), key)
        elif certificate.keyid != key.public.keyid:
            raise UsageError(
                "key.no_certificate",
                f"the certificate of site {self._settings.site} is that of another key",
                hint=f"put the root key back as {self._root_pem} and start again",
            )
        elif left_us < 0:
            raise UsageError(
                "key.expired",
                f"the certificate of site {self._settings.site} has run out",
                hint=f"put the root key back as {self._root_pem} and start again",
            )
        return certificate, key

    def _keep_root(self, root: Signer, issuer: Signer) -> KeyEnrolled:
        name = self._settings.organisation
        draft = KeyEnrolled("root", name, root.public.raw.hex(), "", organisation=name)
        certificate = certify(issuer, period(draft, ROOT_DAYS))
        # First: whoever sees the certificate may have this root certify its site.
        hand_over(kept_words(self._settings), [certificate])
        _write(self._root_certificate, encode(to_record(certificate)))
        return certificate

    def _certify_site(self, root: Signer, key: SigningKey) -> KeyEnrolled:
        name, organisation = self._settings.site, self._settings.organisation
        draft = KeyEnrolled("site", name, key.public.raw.hex(), "", name, organisation)
        certificate = certify(root, period(draft, SITE_DAYS))
        _write(self._site_certificate, encode(to_record(certificate)))
        # Last: a coordinator that sees the word looks for certificate and key.
        hand_over(kept_words(self._settings), [certificate])
        return certificate


def period(draft: KeyEnrolled, days: int, now_us: int | None = None) -> KeyEnrolled:
    """Return a draft that is valid from now on for so many days; its serial is the time in
    microseconds."""
    now = _now_us() if now_us is None else now_us
    return replace(
        draft,
        serial=now,
        not_before_us=max(0, now - SKEW_US),
        not_after_us=now + days * DAY_US,
    )


def open_ring(settings: Settings) -> KeyRing:
    """Return the keys of a tenant's coordinator; those that are missing are made.

    Raises:
        UsageError: `key.exposed`, `key.malformed`, `key.no_root`, `key.expired`.
    """
    keys = KeyFolder(settings)
    if not keys.made:
        keys.make_root()
    site, site_key = keys.site()
    own = settings.folder / "keys"
    coordinator_key, log_key = own_key(own / "coordinator.pem"), own_key(own / "log.pem")
    return KeyRing(settings.tenant, keys.root(), site, site_key, coordinator_key, log_key)


def own_key(path: Path) -> SigningKey:
    """Return the key in a file; it is made when it is not there. Two that make one at the same
    time end up with the same.

    Raises:
        UsageError: `key.exposed`, `key.malformed`.
    """
    if not path.exists():
        _write(path, SigningKey.generate().to_pem(), keep=True)
    return load_signing_key(path)


def replace_key(path: Path) -> SigningKey:
    """Put a new key into a file in place of the one there, and return it."""
    _write(path, SigningKey.generate().to_pem())
    return load_signing_key(path)


def _write(path: Path, data: bytes, *, keep: bool = False) -> None:
    """Write a file for its owner only, whole or not at all; `keep` leaves one that is there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    part.touch(mode=0o600)
    part.write_bytes(data)
    if keep:
        try:
            os.link(part, path)
        except FileExistsError:
            return
        finally:
            part.unlink()
    else:
        part.replace(path)


def _read(path: Path) -> KeyEnrolled:
    return from_record(KeyEnrolled, decode(path.read_bytes()))


def _now_us() -> int:
    return time.time_ns() // 1000
