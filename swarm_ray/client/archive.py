"""Runs read straight from the ledger on this machine, without any cluster.

Decides which part of the service port a ledger alone can answer, and what a short id means. Opens
the ledger read-only beside its writer; never changes anything.
"""

import difflib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from swarm_ray.config import Settings
from swarm_ray.core.events import RunClosed, RunOpened
from swarm_ray.engine.bundles import BundleShelf
from swarm_ray.engine.history import read_entry
from swarm_ray.engine.lock import is_coordinated
from swarm_ray.errors import UsageError
from swarm_ray.ledger.opening import open_reader, shared_place
from swarm_ray.ports.service import Page

POLL_S = 0.1
PAGE = 2_000
MIN_ID_CHARACTERS = 4


class RunSource(Protocol):
    """What can be read of runs: the reading half of `ports.service.Service`."""

    def entries(self, run: str, start: int, wait_s: float) -> Page:
        """Return the entries from `start` on, waiting up to `wait_s` for the first new one."""

    def bodies(self, commitments: Sequence[str]) -> list[bytes]:
        """Return bodies by commitment."""

    def plan(self, run: str) -> Mapping[str, Any]:
        """Return the linked process of a run."""

    def runs(self) -> list[str]:
        """Return the ids of all runs, oldest first."""


@dataclass(frozen=True, slots=True)
class Glance:
    """A run from its first and last entry. When it is not closed, `status` is `open` while a
    coordinator lives, else `unfinished`: interrupted or waiting, which only the whole log tells."""

    run: str
    process: str
    status: str
    opened_us: int
    last_us: int
    entries: int


class Archive:
    """A `RunSource` over the ledger and the bundles of a tenant.

    Raises:
        UsageError: `ledger.not_found` when nothing has run here yet.
    """

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.folder
        self._reader = open_reader(settings)
        self._shelf = BundleShelf(settings.folder / "bundles", shared_place(settings))

    @classmethod
    def of(cls, settings: Settings) -> "Archive | None":
        """Open the archive of a tenant; None when nothing has run here yet."""
        try:
            return cls(settings)
        except UsageError as error:
            if error.code != "ledger.not_found":
                raise
            return None

    def entries(self, run: str, start: int, wait_s: float) -> Page:
        """See the port."""
        # asked first: what is read of a log after its coordinator has gone is all there is
        coordinated = is_coordinated(self._folder)
        until = time.monotonic() + wait_s
        head = self._head(run)
        while head.size <= start and head.state == "open" and time.monotonic() < until:
            time.sleep(POLL_S)
            head = self._head(run)
        stop = min(head.size, start + PAGE)
        found = tuple(self._reader.entries(run, start, stop)) if stop > start else ()
        closed = head.state == "closed" and stop >= head.size
        return Page(found, closed=closed, waiting=False, coordinated=coordinated)

    def bodies(self, commitments: Sequence[str]) -> list[bytes]:
        """See the port."""
        return [self._reader.get_body(one) for one in commitments]

    def plan(self, run: str) -> Mapping[str, Any]:
        """See the port."""
        self._head(run)
        event, _ = read_entry(next(iter(self._reader.entries(run, 0, 1))))
        assert isinstance(event, RunOpened)
        return self._shelf.get(event.bundle).process

    def runs(self) -> list[str]:
        """See the port."""
        return [head.log_id for head in self._reader.logs("run") if head.state != "dropped"]

    def glance(self, run: str) -> Glance:
        """Return what the first and the last entry of a run say, however long its log is."""
        size = self._head(run).size
        first, opened = read_entry(next(iter(self._reader.entries(run, 0, 1))))
        last, ended = read_entry(next(iter(self._reader.entries(run, size - 1, size))))
        assert isinstance(first, RunOpened)
        going_on = "open" if is_coordinated(self._folder) else "unfinished"
        status = last.status if isinstance(last, RunClosed) else going_on
        return Glance(run, first.process, status, opened["time_us"], ended["time_us"], size)

    def effects(self) -> Iterable[bytes]:
        """Return the entries of the tenant's effects log, oldest first."""
        if any(head.log_id == "effects" for head in self._reader.logs("effects")):
            return self._reader.entries("effects")
        return ()

    def close(self) -> None:
        """Close the ledger."""
        self._reader.close()

    def _head(self, run: str) -> Any:
        try:
            return self._reader.head(run)
        except UsageError as error:
            if error.code != "ledger.unknown_log":
                raise
            raise unknown_run(run, self.runs()) from None


def resolve_run(text: str, known: Sequence[str]) -> str:
    """Return the id that a full id, or a unique beginning or end of one, means.

    `last` means the newest run. The display form `run-1a2b3c4d` is accepted.

    Raises:
        UsageError: `run.unknown` with near matches, `run.ambiguous`.
    """
    word = text.strip().lower().removeprefix("run-").replace("-", "")
    if word == "last" and known:
        return known[-1]
    if word in known:
        return word
    found = (
        [run for run in known if run.startswith(word) or run.endswith(word)]
        if len(word) >= MIN_ID_CHARACTERS
        else []
    )
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            "run.ambiguous",
            f"{text!r} means {len(found)} runs: {', '.join(one[-8:] for one in found[:5])}",
            hint="write more of the id",
        )
    raise unknown_run(text, known)


def unknown_run(text: str, known: Sequence[str]) -> UsageError:
    """Return the error for a run that is not there, with what was probably meant."""
    if not known:
        hint = "nothing has run here yet; start with `swarm-ray run review_pull_request`"
    else:
        ends = {run[-8:]: run for run in known}
        close = difflib.get_close_matches(text[-8:], ends, n=3, cutoff=0.5)
        newest = [run[-8:] for run in reversed(known[-3:])]
        hint = f"did you mean {', '.join(close)}?" if close else f"newest: {', '.join(newest)}"
    return UsageError("run.unknown", f"there is no run {text!r} here", hint=hint, run=text)
