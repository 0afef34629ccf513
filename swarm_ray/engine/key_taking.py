"""How a coordinator takes changes of keys into its admin log.

Decides which changes are taken, set aside or left for later. No change, and nothing that looks like
one, stops the coordinator: whoever can write a file into a folder is not yet somebody with a say.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from swarm_ray.attestation.certificates import KeyChange, KeyEnrolled
from swarm_ray.attestation.roster import Roster
from swarm_ray.config import Settings
from swarm_ray.engine.admin import AdminLog, read_roster
from swarm_ray.engine.key_changes import (
    changes_in,
    kept_words,
    read_change,
    readable,
    refuse_change,
    tenant_changes,
)
from swarm_ray.engine.key_files import KeyFolder, open_ring
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.ports.log import LogReader

LOGGER = logging.getLogger("swarm_ray.keys")


@dataclass(slots=True)
class KeyTaking:
    """Takes the words of the organisation and the changes of one tenant into the tenant's log."""

    ledger: LogReader
    admin: AdminLog
    settings: Settings
    lose: Callable[[str, str], None]
    """Gives up a host by name, for a reason."""
    _settled: dict[Path, str] = field(init=False, default_factory=dict)
    """Files that need no second look, unless this key is enrolled."""
    _trouble: str = field(init=False, default="")

    def take(self) -> bool:
        """Take over what is new, in the order in which it was said; return whether anything was.
        Words whose signer none of our roots vouches for are set aside."""
        mine, kept = tenant_changes(self.settings.folder), kept_words(self.settings)
        self._pass_over([path for path in changes_in(kept) if self._is_open(path)])
        found = [path for path in changes_in(mine, kept) if self._is_open(path)]
        if not found:
            return False
        try:
            ring, roster = open_ring(self.settings), read_roster(self.ledger)
            roots = {one.keyid for one in KeyFolder(self.settings).roots()}
        except (OSError, UsageError) as error:
            # Keys are being replaced just now, or the files need a hand: looked at again.
            self._tell(str(error))
            return False
        except IntegrityError as error:
            self._tell(str(error))
            self._settled |= dict.fromkeys(found, "")
            return False
        for path in found:
            why = self._take_file(path, roster, {*roots, self.admin.first_root})
            if path.parent == mine:
                self._clear(path, why)
            elif why is not None:
                LOGGER.warning("a word about keys is passed over: %s", why)
        self.admin.lead(ring)
        return True

    def _is_open(self, path: Path) -> bool:
        return path not in self._settled or self._settled[path] in self.admin.keyids

    def _pass_over(self, kept: list[Path]) -> None:
        """Settle the words that stand in the log, and ends of keys that nobody enrolled here: the
        roster, which takes long in a long log, need not be asked at every start."""
        changes = dict(readable(kept))
        named = {one.keyid for one in changes.values() if isinstance(one, KeyEnrolled)}
        for path, change in changes.items():
            if change in self.admin.words:
                self._settled[path] = ""
            elif change.keyid not in named and change.keyid not in self.admin.keyids:
                self._settled[path] = change.keyid

    def _take_file(
        self, path: Path, roster: Roster, believed: Collection[str]
    ) -> IntegrityError | None:
        """Take one change, or return why not."""
        self._settled[path] = ""
        try:
            change = read_change(path)
            if roster.knows(change):
                return None
            if _is_early(change, roster):
                # The key may yet come: what a thief holds is withdrawn before he uses it.
                self._settled[path] = change.keyid
                return None
            roster.admit(change, self.admin.next_us(), believed)
        except IntegrityError as error:
            return error
        if host := self.admin.take(change):
            self.lose(host, "key.revoked")
        return None

    def _clear(self, path: Path, why: IntegrityError | None) -> None:
        """Take away what was taken, set aside what was refused."""
        try:
            if why is None:
                path.unlink()
            else:
                LOGGER.warning("a change of keys is refused: %s", why)
                refuse_change(path)
            del self._settled[path]
        except OSError as error:
            LOGGER.warning("a change of keys stays where it is: %s", error)

    def _tell(self, trouble: str) -> None:
        """Log what keeps all changes waiting, once."""
        if trouble != self._trouble:
            LOGGER.error("changes of keys wait: %s", trouble)
        self._trouble = trouble


def _is_early(change: KeyChange, roster: Roster) -> bool:
    return not isinstance(change, KeyEnrolled) and change.keyid not in roster.enrolled
