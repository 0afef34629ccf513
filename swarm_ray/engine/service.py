"""A coordinator behind synchronous methods: one thread with an event loop of its own.

Decides nothing; `engine.coordinator` does the work. Every method says what holds when it
returns; after an error a caller may repeat it. It implements `ports.service.Service`.
"""

import asyncio
import fcntl
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from swarm_ray.attestation.keys import SigningKey, load_signing_key
from swarm_ray.config import Settings
from swarm_ray.core.events import CancelAsked, RunOpened, RunResumed
from swarm_ray.core.tables import RunState
from swarm_ray.effects.supervising import SupervisorThread
from swarm_ray.engine.bundles import BundleShelf
from swarm_ray.engine.coordinator import Coordinator
from swarm_ray.engine.garbage import collect_garbage
from swarm_ray.engine.inputs import complete_inputs
from swarm_ray.errors import SwarmError, UsageError
from swarm_ray.ledger.store import Store
from swarm_ray.ports.clock import SystemClock
from swarm_ray.ports.hosts import Hosts
from swarm_ray.ports.service import Page
from swarm_ray.ports.solver import LocalSolver
from swarm_ray.values.codec import encode_json

LOGGER = logging.getLogger("swarm_ray.coordinator")
CALL_TIMEOUT_S = 60.0
MAX_PAGE = 2_000


class CoordinatorService:
    """One tenant's coordinator on the machine of its ledger.

    Args:
        settings: of the tenant.
        make_hosts: transport by (settings, raw public key of the coordinator, epoch).
    """

    def __init__(
        self, settings: Settings, make_hosts: Callable[[Settings, bytes, int], Hosts]
    ) -> None:
        self._settings = settings
        self._make_hosts = make_hosts
        settings.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(settings.folder / "coordinator.lock")
        self._key = coordinator_key(settings.folder / "keys" / "coordinator.pem")
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._work, name="swarm-ray-coordinator", daemon=True
        )
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._start())
        except BaseException as error:  # noqa: BLE001  # raised by the constructor
            self._error = error
            return
        finally:
            self._started.set()
        self._loop.run_forever()
        self._store.close()

    async def _start(self) -> None:
        clock = SystemClock()
        self._store = Store.open(self._settings.folder)
        shelf = BundleShelf(self._settings.folder / "bundles")
        self._supervisor = SupervisorThread(lambda: Store.open(self._settings.folder), clock)
        name = f"coordinator-{os.getpid()}"
        epoch = self._store.epoch() + 1
        self._hosts = self._make_hosts(self._settings, self._key.public.raw, epoch)
        self._coordinator = Coordinator(
            self._store, self._hosts, LocalSolver(), self._supervisor, clock, self._key, shelf, name
        )
        await self._coordinator.start()

    # -- the service ------------------------------------------------------------------------

    def ready(self) -> dict[str, Any]:
        """Say who this is; returns when the coordinator has recovered its runs."""
        return {"pid": os.getpid(), "epoch": self._coordinator.epoch}

    def open_run(self, run: str, bundle: bytes, digest: str, inputs: Mapping[str, Any]) -> None:
        """Durable on return; idempotent by run id."""
        self._call(lambda: self._open_run(run, bundle, digest, inputs))
        self.entries(run, 0, CALL_TIMEOUT_S)

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
        found: list[str] = self._call(lambda: [head.log_id for head in self._store.logs("run")])
        return found

    def decide(self, run: str, question: str, choice: str, by: str, reason: str) -> None:
        """Accepted on return, durable within the next commit; a second answer is refused."""
        self._call(lambda: self._coordinator.decide(run, question, choice, by, reason))

    def cancel(self, run: str, by: str, swarm: str, item: int) -> None:
        """Accepted on return; idempotent."""
        self._call(lambda: self._post_open(run, CancelAsked(by, swarm, item)))

    def resume(self, run: str, by: str, *, failed: bool) -> None:
        """Accepted on return. Refused for a run that is open or ended well."""
        self._call(lambda: self._resume(run, by, failed=failed))

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

    def collect_garbage(self, keep_days: int) -> Mapping[str, int]:
        """Durable on return; idempotent."""
        found: Mapping[str, int] = self._call(
            lambda: collect_garbage(
                self._store, self._coordinator.epoch, self._settings.folder, keep_days
            )
        )
        return found

    def shut_down(self) -> None:
        """Stop hosts and loop; every open run goes on when a coordinator comes back."""
        self._await(self._coordinator.stop(), CALL_TIMEOUT_S)
        self._call(self._hosts.release)
        self._supervisor.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_TIMEOUT_S)
        os.close(self._lock)

    # -- in the loop ------------------------------------------------------------------------

    def _open_run(self, run: str, bundle: bytes, digest: str, inputs: Mapping[str, Any]) -> None:
        if any(head.log_id == run for head in self._store.logs("run")):
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
        self._coordinator.open_run(run, event)

    async def _entries(self, run: str, start: int, wait_s: float) -> Page:
        self._check()
        deadline = self._loop.time() + wait_s
        while True:
            size = self._size(run)
            left = deadline - self._loop.time()
            thread = self._coordinator.engine.threads.get(run)
            if size > start or left <= 0 or (thread is None and size):
                break
            await self._coordinator.moved(run, min(left, 1.0))
            self._check()
        if not size:
            raise UsageError("run.unknown", f"there is no run {run}")
        stop = min(size, start + MAX_PAGE)
        entries = tuple(self._store.entries(run, start, stop)) if stop > start else ()
        thread = self._coordinator.engine.threads.get(run)
        waiting = thread is not None and thread.run.state is RunState.WAITING
        return Page(entries, closed=thread is None and stop >= size, waiting=waiting)

    def _size(self, run: str) -> int:
        return next((one.size for one in self._store.logs("run") if one.log_id == run), 0)

    def _loaded(self, run: str) -> Any:
        from swarm_ray.engine.history import read_entry

        event, _ = read_entry(next(iter(self._store.entries(run, 0, 1))))
        assert isinstance(event, RunOpened)
        return self._coordinator.shelf.get(event.bundle)

    def _post_open(self, run: str, event: CancelAsked) -> None:
        self._coordinator.thread_of(run)
        self._coordinator.post(run, event)

    def _resume(self, run: str, by: str, *, failed: bool) -> None:
        if run in self._coordinator.engine.threads:
            return
        if not self._size(run):
            raise UsageError("run.unknown", f"there is no run {run}")
        self._coordinator.reopen(run, RunResumed(by, failed))

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


def coordinator_key(path: Path) -> SigningKey:
    """Return the coordinator's signing key, made on first use, readable by its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = SigningKey.generate()
        part = path.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_bytes(key.to_pem())
        part.replace(path)
    return load_signing_key(path)


def _lock(path: Path) -> int:
    """Take the lock of a ledger, which dies with this process.

    Raises:
        SwarmError: `runtime.ledger_in_use`.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise SwarmError(
            "runtime.ledger_in_use",
            f"another coordinator works on {path.parent}",
            hint="wait for it, stop it with `swarm-ray down`, or set SWARM_RAY_TENANT",
        ) from None
    return handle
