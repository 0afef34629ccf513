"""The service port over a coordinator actor.

Decides how long a call waits and how Ray's failures read. A coordinator that is being restarted
is waited for; its answers after that come from its log.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from swarm_ray.errors import SwarmError
from swarm_ray.ports.log import Retention
from swarm_ray.ports.service import Page

CALL_TIMEOUT_S = 120.0
RESTART_PATIENCE_S = 60.0
RESTART_PAUSE_S = 0.2


class RayService:
    """Implements `ports.service.Service`; every method may be repeated."""

    def __init__(self, handle: Any, *, private: bool = False) -> None:
        self._handle = handle
        self._private = private
        self._ended = False

    @property
    def private(self) -> bool:
        """See the port; the cluster ends with this process."""
        return self._private

    def ready(self) -> Mapping[str, Any]:
        """Wait until the coordinator has recovered; say who it is."""
        found: Mapping[str, Any] = self._call("ready")
        return found

    def folder(self) -> str:
        """Return the folder of the coordinator's ledger, also of one that has failed."""
        return str(self._call("folder"))

    def open_run(self, run: str, bundle: bytes, digest: str, inputs: Mapping[str, Any]) -> None:
        """See the port."""
        self._call("open_run", run, bundle, digest, dict(inputs))

    def entries(self, run: str, start: int, wait_s: float) -> Page:
        """See the port."""
        page: Page = self._call("entries", run, start, wait_s)
        return page

    def bodies(self, commitments: Sequence[str]) -> list[bytes]:
        """See the port."""
        found: list[bytes] = self._call("bodies", list(commitments))
        return found

    def plan(self, run: str) -> Mapping[str, Any]:
        """See the port."""
        found: Mapping[str, Any] = self._call("plan", run)
        return found

    def runs(self) -> list[str]:
        """See the port."""
        found: list[str] = self._call("runs")
        return found

    def decide(self, run: str, question: str, choice: str, by: str, reason: str) -> None:
        """See the port."""
        self._call("decide", run, question, choice, by, reason)

    def cancel(self, run: str, by: str, swarm: str, item: int) -> None:
        """See the port."""
        self._call("cancel", run, by, swarm, item)

    def resume(self, run: str, by: str, *, failed: bool) -> None:
        """See the port."""
        self._call("resume", run, by, failed=failed)

    def hosts(self) -> list[Mapping[str, Any]]:
        """See the port."""
        found: list[Mapping[str, Any]] = self._call("hosts")
        return found

    def erase_bodies(
        self, classes: Sequence[Retention], keep_days: int, run: str, *, dry_run: bool = False
    ) -> Sequence[str]:
        """See the port."""
        found: Sequence[str] = self._call(
            "erase_bodies", list(classes), keep_days, run, dry_run=dry_run
        )
        return found

    def collect_garbage(
        self, keep_days: int, *, dry_run: bool = False
    ) -> Mapping[str, Sequence[str]]:
        """See the port."""
        found: Mapping[str, Sequence[str]] = self._call(
            "collect_garbage", keep_days, dry_run=dry_run
        )
        return found

    def shut_down(self) -> None:
        """Stop hosts and coordinator; open runs go on when they are started again."""
        if self._ended:
            return
        try:
            self._call("shut_down")
        finally:
            self.end()

    def end(self) -> None:
        """End the actor as it stands; what it did is in its log."""
        self._ended = True
        ray.kill(self._handle, no_restart=True)

    def _call(self, method: str, *args: Any, **named: Any) -> Any:
        until_s = time.monotonic() + RESTART_PATIENCE_S
        while True:
            try:
                ref = getattr(self._handle, method).remote(*args, **named)
                return ray.get(ref, timeout=CALL_TIMEOUT_S)
            except RayTaskError as error:
                if isinstance(error.cause, SwarmError):
                    raise error.cause from None
                raise
            except GetTimeoutError:
                raise SwarmError(
                    "runtime.no_answer",
                    f"the coordinator did not answer `{method}` within {CALL_TIMEOUT_S:.0f} s",
                    hint="look at `ray list actors` and the coordinator's log",
                ) from None
            except RayActorError as error:
                if error.actor_init_failed or time.monotonic() > until_s:
                    raise SwarmError(
                        "runtime.coordinator_gone",
                        f"the coordinator is gone: {error}",
                        hint="start it again with `swarm-ray up`",
                    ) from error
                time.sleep(RESTART_PAUSE_S)
