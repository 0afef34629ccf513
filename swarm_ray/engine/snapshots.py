"""Snapshots of open runs: a cache that spares a restart most of the replay.

Decides when a snapshot is worth its writing and whether a stored one may be believed: it must be of
this log at that size, of these semantics and this layout of the machines, and the entries behind it
must go on from it. Otherwise it is passed over with a warning and the whole log is replayed, so
nothing ever depends on one.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from swarm_ray.core.events import SEMANTICS, RunOpened
from swarm_ray.core.plan import Plan
from swarm_ray.core.snapshot import freeze, thaw
from swarm_ray.core.tables import RunState
from swarm_ray.engine.history import Thread, opening, read_entry, replay
from swarm_ray.errors import IntegrityError, SwarmError
from swarm_ray.ports.log import Log, Snapshot
from swarm_ray.values.codec import decode, encode

LOGGER = logging.getLogger("swarm_ray.snapshots")
TAIL_BYTES: Final = 4 * 2**20
"""Log behind the last snapshot that a restart may have to replay, about a fifth of a second."""
RESTING_SHARE: Final = 64
"""A run that waits for a person, or is left, gets its snapshot after this fraction of a tail."""
DONE: Final = "done"


@dataclass(slots=True)
class Tail:
    """Bytes of log behind the last snapshot of a run, and the size of that snapshot."""

    log_bytes: int = 0
    state_bytes: int = 0

    def due(self, tail_bytes: int, *, resting: bool) -> bool:
        """Say whether a snapshot is worth it. As many bytes of log as the last one had must have
        come since, so that snapshots together never cost more to write than the log itself."""
        enough = tail_bytes // RESTING_SHARE if resting else max(tail_bytes, self.state_bytes)
        return self.log_bytes >= enough


class Snapshots:
    """The snapshots of one coordinator's runs.

    Args:
        log: holds the logs and the snapshots.
        plan_of: the plan that an opening entry names.
        tail_bytes: log behind a snapshot that makes the next one due.
    """

    def __init__(
        self, log: Log, plan_of: Callable[[RunOpened], Plan], tail_bytes: int = TAIL_BYTES
    ) -> None:
        self._log = log
        self._plan_of = plan_of
        self._tail_bytes = tail_bytes
        self._tails: dict[str, Tail] = {}

    def recover(self, run: str) -> Thread:
        """Rebuild a run from its log, which must have been checked.

        Raises:
            IntegrityError: what `replay` raises.
        """
        return self._resumed(run) or self._replayed(run, None, 0)

    def appended(self, run: str, entries: Iterable[bytes]) -> None:
        """Entries of a run are durable."""
        self._tails.setdefault(run, Tail()).log_bytes += sum(map(len, entries))

    def take(self, threads: Mapping[str, Thread], *, leaving: bool = False) -> None:
        """Take the snapshots that are due. To be called when nothing else is to be done, and with
        `leaving` before the runs are left to a successor."""
        for run, thread in threads.items():
            resting = leaving or thread.run.state is RunState.WAITING
            if run in self._tails and self._tails[run].due(self._tail_bytes, resting=resting):
                self._take(run, thread)

    def forget(self, run: str, thread: Thread) -> None:
        """A run is closed. Its snapshot stays for those who resume it, unless nobody can."""
        tail = self._tails.pop(run, Tail())
        if tail.state_bytes and thread.run.closed is not None and thread.run.closed.status == DONE:
            self._log.drop_snapshot(run)

    def _take(self, run: str, thread: Thread) -> None:
        root = self._log.head(run).root
        state = encode(_record(thread, root), max_bytes=None)
        self._tails[run] = Tail(0, len(state))
        try:
            self._log.put_snapshot(Snapshot(run, thread.size, root, SEMANTICS, state))
        except SwarmError:
            LOGGER.warning("no snapshot of run %s could be stored", run, exc_info=True)

    def _resumed(self, run: str) -> Thread | None:
        try:
            snapshot = self._log.get_snapshot(run)
            if snapshot is None:
                return None
            return self._replayed(run, self._thread(snapshot), len(snapshot.state))
        except IntegrityError as error:
            LOGGER.warning("the snapshot of run %s is passed over: %s", run, error)
            return None

    def _thread(self, snapshot: Snapshot) -> Thread:
        if snapshot.semantics != SEMANTICS:
            raise IntegrityError(
                "snapshot.other_semantics",
                f"the snapshot was made under semantics {snapshot.semantics}, not {SEMANTICS}",
                hint="drop the snapshot and replay the log",
            )
        first, _ = read_entry(next(iter(self._log.entries(snapshot.log_id, 0, 1))))
        opened = opening(first)
        thread, root = _thread(decode(snapshot.state), self._plan_of(opened))
        told = (root, thread.size, thread.run.opened)
        if told != (snapshot.root, snapshot.size, opened):
            raise IntegrityError(
                "snapshot.other_run",
                f"the snapshot is not of run {snapshot.log_id} at {snapshot.size} entries",
                hint="drop the snapshot and replay the log",
            )
        return thread

    def _replayed(self, run: str, thread: Thread | None, state_bytes: int) -> Thread:
        tail = self._tails[run] = Tail(0, state_bytes)

        def counted() -> Iterable[bytes]:
            for entry in self._log.entries(run, thread.size if thread is not None else 0):
                tail.log_bytes += len(entry)
                yield entry

        return replay(counted(), self._plan_of, thread)


_PLACE: Final = {"size": int, "time_us": int, "handled": int, "digest": str}


def _record(thread: Thread, root: str) -> dict[str, Any]:
    place = {name: getattr(thread, name) for name in _PLACE}
    return {"root": root, "place": place, "machine": freeze(thread.run)}


def _thread(record: Any, plan: Plan) -> tuple[Thread, object]:
    place = record.get("place") if isinstance(record, dict) else None
    if not isinstance(place, dict) or {k: type(v) for k, v in place.items()} != _PLACE:
        raise IntegrityError(
            "snapshot.malformed",
            "the snapshot does not say where in its log it stands",
            hint="drop the snapshot and replay the log",
        )
    return Thread(thaw(record.get("machine"), plan), **place), record.get("root")
