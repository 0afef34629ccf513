"""The words of an organisation in a home that an earlier version made.

Decides where they are found: what earlier versions kept of root and sites was the newest
certificate only; all others stand in the admin logs of tenants, or wait for them.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from swarm_ray.attestation.certificates import (
    KeyChange,
    KeyEnrolled,
    KeyRevoked,
    KeyRotated,
    lineage,
)
from swarm_ray.attestation.roster import Roster
from swarm_ray.config import Settings
from swarm_ray.engine.admin import admin_events
from swarm_ray.engine.key_changes import (
    changes_in,
    keep_earlier,
    kept_words,
    made_us,
    readable,
    tenant_changes,
)
from swarm_ray.engine.key_files import KeyFolder
from swarm_ray.errors import IntegrityError, SwarmError, UsageError
from swarm_ray.ledger.opening import open_reader

LOGGER = logging.getLogger("swarm_ray.keys")
_OURS: Final = ("root", "site")


def complete_words(settings: Settings) -> None:
    """See to it that the key folder keeps the words about every root up to the first; a log that
    lacks one could never be verified.

    Raises:
        UsageError: `key.no_predecessor` when the certificate of a root is nowhere.
    """
    files, place = KeyFolder(settings), kept_words(settings)
    if not files.made:
        return
    root = files.root()
    kept = [word for _, word in readable(changes_in(place))]
    if root in kept and _reaches_the_first(lineage(root, kept)):
        return
    found: dict[KeyChange, int] = {}
    for word, time_us in _told(files, settings):
        found[word] = min(time_us, found.get(word, time_us))
    # In the order in which it was heard: nobody can put his word before those of a log.
    line = lineage(root, found)
    words = list(_holding(found, {one.keyid for one in line}))
    if not _reaches_the_first(line) or not set(line) <= set(words):
        raise UsageError(
            "key.no_predecessor",
            f"the root {root.keyid[:16]} replaced others whose certificates are not all here",
            hint="copy the folder `keys` from the home in which the root was replaced, or begin a "
            "new home",
        )
    # The first root last: whoever is interrupted here begins again.
    for word in reversed(words):
        keep_earlier(place, word, found[word])


def _reaches_the_first(line: tuple[KeyEnrolled, ...]) -> bool:
    return line[0].issuer == line[0].keyid


def _holding(found: dict[KeyChange, int], believed: set[str]) -> Iterator[KeyChange]:
    """Yield the words about roots and sites that count for who believes these roots, in order."""
    roster = Roster()
    for word in sorted(found, key=found.__getitem__):
        try:
            roster.admit(word, found[word], believed)
        except IntegrityError:
            continue
        yield word


def _told(files: KeyFolder, settings: Settings) -> Iterator[tuple[KeyChange, int]]:
    """Yield what was said about roots and sites, with the time: of certificates when they were
    made, of endings when they reached a log."""
    for certificate in files.certificates():
        yield certificate, certificate.serial
    for word, time_us in _heard(settings):
        if isinstance(word, KeyEnrolled):
            if word.role in _OURS:
                yield word, word.serial or time_us
        else:
            yield word, time_us


def _heard(settings: Settings) -> Iterator[tuple[KeyChange, int]]:
    """Yield the words about keys in the logs of all tenants that are found here, and those that
    wait for them."""
    names = {path.name for path in (settings.home / "tenants").glob("*")}
    tenants = [replace(settings, tenant=name) for name in sorted({*names, settings.tenant})]
    for one in tenants:
        try:
            with open_reader(one) as reader:
                for event, time_us in admin_events(reader):
                    if isinstance(event, KeyEnrolled | KeyRotated | KeyRevoked):
                        yield event, time_us
        except SwarmError as error:
            if error.code != "ledger.not_found":
                LOGGER.warning("the keys of tenant %s cannot be read: %s", one.tenant, error)
    for path, change in readable(changes_in(*(tenant_changes(one.folder) for one in tenants))):
        yield change, made_us(path)
