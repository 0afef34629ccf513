"""A coordinator behind synchronous methods: one thread with an event loop of its own.

Decides nothing; `engine.coordinator` does the work. Every method says what holds when it
returns; after an error a caller may repeat it. It implements `ports.service.Service`.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from swarm_ray.config import Settings
from swarm_ray.core.events import SEMANTICS, CancelAsked, RunOpened, RunResumed
from swarm_ray.core.tables import RunState
from swarm_ray.effects.supervising import SupervisorThread
from swarm_ray.engine.bundles import BundleShelf
from swarm_ray.engine.coordinator import Coordinator
from swarm_ray.engine.garbage import (
    Garbage,
    find_contents,
    find_garbage,
    host_folders,
    remove_garbage,
    remove_host_folders,
)
from swarm_ray.engine.history import read_entry
from swarm_ray.engine.inputs import complete_inputs
from swarm_ray.engine.key_files import open_ring
from swarm_ray.engine.lock import LOCK_PATIENCE_S, take_lock
from swarm_ray.errors import UsageError
from swarm_ray.ledger.opening import open_ledger, shared_place
from swarm_ray.ledger.store import Store
from swarm_ray.ports.clock import SystemClock
from swarm_ray.ports.hosts import Hosts
from swarm_ray.ports.log import Retention
from swarm_ray.ports.service import Page
from swarm_ray.ports.solver import LocalSolver
from swarm_ray.values.codec import encode_json

LOGGER = logging.getLogger("swarm_ray.coordinator")
CALL_TIMEOUT_S = 60.0
VERSION = version("swarm-ray")
MAX_PAGE = 2_000


class CoordinatorService:
    """One tenant's coordinator on the machine of its ledger.

    Args:
        settings: of the tenant.
        make_hosts: transport by (settings, raw public key of the coordinator, epoch).
        open_store: opens the ledger of a tenant; called in the threads that use it.
        patience_s: how long to wait for a ledger that another coordinator holds.

    Raises:
        SwarmError: `runtime.ledger_in_use`.
        IntegrityError: what makes the ledger untrustworthy; nothing of it was changed.
    """

    def __init__(
        self,
        settings: Settings,
        make_hosts: Callable[[Settings, bytes, int], Hosts],
        open_store: Callable[[Settings], Store] = open_ledger,
        patience_s: float = LOCK_PATIENCE_S,
    ) -> None:
        self._settings = settings
        self._make_hosts = make_hosts
        self._open_store = open_store
        settings.folder.mkdir(parents=True, exist_ok=True)
        self._lock = take_lock(settings.folder, patience_s)
        self._closers: list[Callable[[], object]] = [lambda: os.close(self._lock)]
        self._ring = open_ring(settings)
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._work, name="swarm-ray-coordinator", daemon=True
        )
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._start())
            self._started.set()
            self._loop.run_forever()
        except BaseException as error:  # noqa: BLE001  # raised by the constructor
            self._error = error
        finally:
            for close in reversed(self._closers):
                close()
            self._loop.close()
            self._started.set()

    async def _start(self) -> None:
        """Open everything; whatever was opened is closed in reverse order, even after a failure."""
        clock = SystemClock()
        self._store = self._open_store(self._settings)
        self._closers.append(self._store.close)
        shelf = BundleShelf(self._settings.folder / "bundles", shared_place(self._settings))
        self._supervisor = SupervisorThread(lambda: self._open_store(self._settings), clock)
        self._closers.append(self._supervisor.stop)
        name = f"coordinator-{os.getpid()}"
        epoch = self._store.epoch() + 1
        self._hosts = self._make_hosts(self._settings, self._ring.coordinator_key.public.raw, epoch)
        self._closers += [self._remove_host_folders, self._hosts.release]
        self._coordinator = Coordinator(
            self._store,
            self._hosts,
            LocalSolver(),
            self._supervisor,
            clock,
            self._ring,
            shelf,
            self._settings,
            name,
        )
        before = host_folders(self._settings.folder)
        await self._coordinator.start()
        living = {info.name for info in self._hosts.seats()}
        remove_host_folders(self._settings.folder, before - living)

    def _remove_host_folders(self) -> None:
        """Once no host of the tenant is left, a folder below its own is that of a dead one."""
        remove_host_folders(self._settings.folder, host_folders(self._settings.folder))

    # -- the service ------------------------------------------------------------------------

    @property
    def private(self) -> bool:
        """True: whoever holds the object shares its process."""
        return True

    def ready(self) -> dict[str, Any]:
        """Say who this is; returns when the coordinator has recovered its runs."""
        self._call(lambda: None)
        return {
            "pid": os.getpid(),
            "epoch": self._coordinator.epoch,
            "isolation": self._settings.isolation,
            "folder": self.folder(),
            "version": VERSION,
            "semantics": SEMANTICS,
        }

    def folder(self) -> str:
        """Return the folder of the ledger; answers in whatever state the coordinator is."""
        return str(self._settings.folder)

    def open_run(self, run: str, bundle: bytes, digest: str, inputs: Mapping[str, Any]) -> None:
        """Durable on return; idempotent by run id."""
        self._await(self._open_run(run, bundle, digest, inputs), CALL_TIMEOUT_S)

    def entries(self, run: str, start: int, wait_s: float) -> Page:
        """Read-only."""
        found: Page = self._await(self._entries(run, start, wait_s), wait_s + CALL_TIMEOUT_S)
        return found

    def bodies(self, commitments: Sequence[str]) -> list[bytes]:
        """Read-only."""
        found: list[bytes] = self._call(lambda: [self._store.get_body(one) for one in commitments])
        return found

    def plan(self, run: str) -> Mapping[str, Any]:
        """Read-only."""
        found: Mapping[str, Any] = self._call(lambda: self._loaded(run).process)
        return found

    def runs(self) -> list[str]:
        """Read-only."""
        found: list[str] = self._call(
            lambda: [head.log_id for head in self._store.logs("run") if head.state != "dropped"]
        )
        return found

    def decide(self, run: str, question: str, choice: str, by: str, reason: str) -> None:
        """Durable on return; a second answer is refused."""
        self._await(self._decide(run, question, choice, by, reason), CALL_TIMEOUT_S)

    def cancel(self, run: str, by: str, swarm: str, item: int) -> None:
        """Durable on return; idempotent."""
        self._await(self._cancel(run, CancelAsked(by, swarm, item)), CALL_TIMEOUT_S)

    def resume(self, run: str, by: str, *, failed: bool) -> None:
        """Durable on return. Nothing for a run that is open; refused when it ended well."""
        self._await(self._resume(run, RunResumed(by, failed)), CALL_TIMEOUT_S)

    def hosts(self) -> list[Mapping[str, Any]]:
        """Read-only."""
        found: list[Mapping[str, Any]] = self._call(
            lambda: [
                {
                    "name": info.name,
                    "site": info.site,
                    "organisation": info.organisation,
                    "slots": info.slots,
                    "isolation": info.isolation,
                }
                for info in self._hosts.seats()
            ]
        )
        return found

    def erase_bodies(
        self, classes: Sequence[Retention], keep_days: int, run: str, *, dry_run: bool = False
    ) -> Sequence[str]:
        """Durable on return; idempotent."""

        def erase() -> tuple[str, ...]:
            found = find_contents(self._store, keep_days, classes, run)
            if not dry_run:
                self._store.erase_bodies(found)
            return found

        return tuple(self._call(erase))

    def collect_garbage(
        self, keep_days: int, *, dry_run: bool = False
    ) -> Mapping[str, Sequence[str]]:
        """Durable on return; idempotent."""
        found: Mapping[str, Sequence[str]] = self._call(
            lambda: self._collect_garbage(keep_days, dry_run=dry_run).names()
        )
        return found

    def shut_down(self) -> None:
        """Stop hosts and loop; every open run goes on when a coordinator comes back. Idempotent."""
        if self._thread.is_alive():
            self._await(self._coordinator.stop(), CALL_TIMEOUT_S)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CALL_TIMEOUT_S)

    # -- in the loop ------------------------------------------------------------------------

    async def _open_run(
        self, run: str, bundle: bytes, digest: str, inputs: Mapping[str, Any]
    ) -> None:
        self._check()
        if self._size(run):
            return
        loaded = self._coordinator.shelf.put(bundle, digest)
        complete = complete_inputs(loaded.process["inputs"], inputs)
        body = self._store.put_body("inputs", encode_json(complete), "input", run)
        event = RunOpened(
            run,
            self._settings.tenant,
            loaded.plan.process,
            digest,
            loaded.plan_digest,
            body,
            isolation=self._settings.isolation,
        )
        await self._coordinator.posted(run, event)

    async def _entries(self, run: str, start: int, wait_s: float) -> Page:
        self._check()
        deadline = self._loop.time() + wait_s
        while (size := self._known(run)) <= start and run in self._coordinator.engine.threads:
            left = deadline - self._loop.time()
            if left <= 0:
                break
            await self._coordinator.moved(run, min(left, 1.0))
            self._check()
        stop = min(size, start + MAX_PAGE)
        entries = tuple(self._store.entries(run, start, stop)) if stop > start else ()
        thread = self._coordinator.engine.threads.get(run)
        waiting = thread is not None and thread.run.state is RunState.WAITING
        return Page(entries, closed=thread is None and stop >= size, waiting=waiting)

    def _collect_garbage(self, keep_days: int, *, dry_run: bool) -> Garbage:
        folder, living = self._settings.folder, [info.name for info in self._hosts.seats()]
        garbage = find_garbage(self._store, folder, keep_days, living)
        if not dry_run:
            remove_garbage(garbage, self._store, self._coordinator.epoch, folder)
        return garbage

    def _size(self, run: str) -> int:
        try:
            return self._store.head(run).size
        except UsageError as error:
            if error.code != "ledger.unknown_log":
                raise
            return 0

    def _known(self, run: str) -> int:
        """Return the size of a run's log.

        Raises:
            UsageError: `run.unknown`.
        """
        self._coordinator.trust(run)
        size = self._size(run)
        if not size:
            raise UsageError(
                "run.unknown", f"there is no run {run}", hint="list the runs with `swarm-ray runs`"
            )
        return size

    def _loaded(self, run: str) -> Any:
        self._known(run)
        event, _ = read_entry(next(iter(self._store.entries(run, 0, 1))))
        assert isinstance(event, RunOpened)
        return self._coordinator.shelf.get(event.bundle)

    async def _decide(self, run: str, question: str, choice: str, by: str, reason: str) -> None:
        self._check()
        event = self._coordinator.questions.decision(run, question, choice, by, reason)
        await self._coordinator.posted(run, event)

    async def _cancel(self, run: str, event: CancelAsked) -> None:
        self._check()
        self._coordinator.thread_of(run)
        await self._coordinator.posted(run, event)

    async def _resume(self, run: str, event: RunResumed) -> None:
        self._check()
        if run not in self._coordinator.engine.threads:
            self._known(run)
            self._coordinator.reopen(run)
            await self._coordinator.posted(run, event)

    # -- crossing threads -------------------------------------------------------------------

    def _check(self) -> None:
        if self._coordinator.failure is not None:
            raise self._coordinator.failure

    def _call(self, work: Callable[[], Any]) -> Any:
        async def perform() -> Any:
            self._check()
            return work()

        return self._await(perform(), CALL_TIMEOUT_S)

    def _await(self, work: Any, timeout_s: float) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)
