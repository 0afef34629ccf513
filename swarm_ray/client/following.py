"""Following a run: a cursor over its log with the folded view, wherever the log lives.

Decides how often to ask and what a finished page means. Bodies are read on demand and in batches.
One follower serves one reader; two readers have two cursors.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from swarm_ray.client.archive import RunSource
from swarm_ray.core.plan import Plan
from swarm_ray.core.tables import RunState
from swarm_ray.engine.lifecycle import Lifecycle, Record
from swarm_ray.engine.viewer import Viewer
from swarm_ray.engine.views import RunView
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values.codec import decode_json
from swarm_ray.values.records import from_record

BODIES_AT_ONCE = 256
PACE_S = 0.05
PATIENCE_S = 5.0
_GONE = ("ledger.body_deleted", "ledger.body_unknown")


class Bodies:
    """Bodies of runs by commitment; a body that was deleted reads as None."""

    def __init__(self, source: RunSource) -> None:
        self._source = source

    def value(self, commitment: str) -> Any:
        """Return a body as the JSON value it is; None for an empty commitment or a deleted
        body."""
        data = self.raw(commitment)
        return None if data is None else decode_json(data)

    def text(self, commitment: str) -> str:
        """Return a body as text, empty when there is none."""
        data = self.raw(commitment)
        return "" if data is None else data.decode("utf-8", errors="replace")

    def raw(self, commitment: str) -> bytes | None:
        """Return the bytes of a body, None when it was deleted or none is named."""
        if not commitment:
            return None
        try:
            return self._source.bodies([commitment])[0]
        except (IntegrityError, UsageError) as error:
            if error.code not in _GONE:
                raise
            return None

    def values(self, commitments: Sequence[str]) -> list[Any]:
        """Return many bodies as JSON values, in order; None for each that was deleted."""
        return [None if data is None else decode_json(data) for data in self._many(commitments)]

    def texts(self, commitments: Sequence[str]) -> list[str]:
        """Return many bodies as texts, in order; empty for each that was deleted."""
        return [(data or b"").decode("utf-8", errors="replace") for data in self._many(commitments)]

    def _many(self, commitments: Sequence[str]) -> Iterator[bytes | None]:
        for start in range(0, len(commitments), BODIES_AT_ONCE):
            part = commitments[start : start + BODIES_AT_ONCE]
            try:
                yield from self._source.bodies(part)
            except (IntegrityError, UsageError) as error:
                if error.code not in _GONE:
                    raise
                yield from [self.raw(one) for one in part]


class Follower:
    """A cursor over the log of one run. Safe to use from several threads.

    Raises:
        UsageError: `run.unknown`, with the first pull.
    """

    def __init__(self, source: RunSource, run: str) -> None:
        self.run = run
        self.bodies = Bodies(source)
        self._source = source
        self._lock = threading.Lock()
        self._viewer: Viewer | None = None
        self._lifecycle: Lifecycle | None = None
        self._page_closed = False
        self._coordinated = True
        self._next_s = 0.0

    @property
    def waiting(self) -> bool:
        """True when, as far as was read, only a person can move the run."""
        return self._viewer is not None and self._viewer.run.state is RunState.WAITING

    @property
    def ended(self) -> bool:
        """True when the log is closed and read to its end."""
        return self._page_closed

    def rests(self, *, private: bool) -> bool:
        """Say whether nothing more will happen by itself: the run has ended, or it waits for a
        person. A question that expires is worth waiting for only where somebody else can answer
        it; the coordinator of a `private` cluster is within reach of this program alone.
        """
        if self.ended or not self.waiting:
            return self.ended
        return private or not any(one.until_us for one in self.view().questions)

    @property
    def started(self) -> bool:
        """True when at least one entry was read."""
        return self._viewer is not None and self._viewer.entries > 0

    def pull(self, wait_s: float) -> list[Record]:
        """Read what is new, waiting up to `wait_s` seconds for the first entry; return the
        lifecycle records that it means."""
        with self._lock:
            viewer, lifecycle = self._prepared()
            found: list[Record] = []
            for data in self._page(viewer, wait_s):
                event = viewer.take(data)
                stamp = {"time_us": viewer.time_us, "run": self.run}
                found += [{**record, **stamp} for record in lifecycle.after(event)]
            return found

    def _page(self, viewer: Viewer, wait_s: float) -> Iterable[bytes]:
        self._pace(wait_s)
        page = self._source.entries(self.run, viewer.entries, wait_s)
        self._page_closed, self._coordinated = page.closed, page.coordinated
        return page.entries

    def _pace(self, wait_s: float) -> None:
        """Let entries gather: a busy run must not spend its time answering us."""
        now = time.monotonic()
        time.sleep(max(0.0, min(wait_s, self._next_s - now)))
        self._next_s = max(now, self._next_s) + PACE_S

    def _prepared(self) -> tuple[Viewer, Lifecycle]:
        if self._viewer is None or self._lifecycle is None:
            plan = from_record(Plan, self._source.plan(self.run)["plan"])
            self._viewer = Viewer(plan)
            self._lifecycle = Lifecycle(self._viewer)
        return self._viewer, self._lifecycle

    def topics(self) -> tuple[str, ...]:
        """Return the topics that the steps of the run's process declare, in their order."""
        with self._lock:
            viewer, _ = self._prepared()
            steps = viewer.plan.steps
            return tuple(dict.fromkeys(topic for step in steps for topic in step.topics))

    def catch_up(self) -> RunView:
        """Read everything that is there now and return the view. Lifecycle records of what is
        read here are told to nobody."""
        with self._lock:
            viewer, lifecycle = self._prepared()
            while True:
                before = viewer.entries
                viewer.feed(self._page(viewer, 0))
                if self._page_closed or viewer.entries == before:
                    lifecycle.skip()
                    return self._view_of(viewer)

    def wait_beyond(self, entries: int, patience_s: float = PATIENCE_S) -> None:
        """Read until there are more than so many entries: what was just asked for is in the log
        then. Gives up after `patience_s`, since a request may also change nothing."""
        until = time.monotonic() + patience_s
        while self.entries <= entries and (left := until - time.monotonic()) > 0:
            self.pull(min(left, 0.5))

    @property
    def entries(self) -> int:
        """Number of entries read."""
        return self._viewer.entries if self._viewer is not None else 0

    def view(self) -> RunView:
        """Return the run as of the last entry read."""
        with self._lock:
            assert self._viewer is not None
            return self._view_of(self._viewer)

    def _view_of(self, viewer: Viewer) -> RunView:
        view = viewer.view()
        return view if self._coordinated else view.without_coordinator()
