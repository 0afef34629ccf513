"""Where this program's runs live: settings and, once it is needed, the coordinator's service.

Decides when a cluster is touched (with the first call that needs one) and refuses to touch any
from inside a worker. One session per program unless another is put in its place with `using`.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from swarm_ray.config import Settings, read_settings
from swarm_ray.errors import ContainmentError, UsageError
from swarm_ray.ports.service import Service

SCOPE_VARIABLE = "SWARM_RAY_SCOPE"
"""Set by the sandbox in the environment of every worker."""


class Session:
    """Settings with a service that is connected on first use.

    Args:
        settings: what the installation says.
        service: an existing service, for example one of `swarm_ray.testing`; None connects to
            the Ray cluster that the settings name.
    """

    def __init__(self, settings: Settings, service: Service | None = None) -> None:
        self.settings = settings
        self._service = service
        self._lock = threading.Lock()

    def service(self) -> Service:
        """Return the coordinator's service, connecting (and starting a private cluster when
        there is none) the first time."""
        with self._lock:
            if self._service is None:
                from swarm_ray.runtime import connect

                self._service = connect(self.settings)
            return self._service

    @property
    def connected(self) -> bool:
        """True when the service was needed already."""
        return self._service is not None

    def isolate(self, driver: str) -> None:
        """Use this sandbox driver (empty: as the settings say) when the service is connected.

        Raises:
            UsageError: `client.connected_already` when the service runs with another one.
        """
        if driver in ("", self.settings.isolation):
            return
        if self._service is not None:
            raise UsageError(
                "client.connected_already",
                f"this session is connected with isolation {self.settings.isolation!r}",
                hint="set SWARM_RAY_ISOLATION before the first call",
            )
        self.settings = replace(self.settings, isolation=driver)


_LOCK = threading.Lock()
_SESSIONS: list[Session] = []


def current_session() -> Session:
    """Return the session of this program, made from `SWARM_RAY_*` when it is first asked for.

    Raises:
        ContainmentError: `containment.nested_swarm` inside a worker.
        UsageError: `config.*`.
    """
    refuse_nested(os.environ)
    with _LOCK:
        if not _SESSIONS:
            _SESSIONS.append(Session(read_settings(os.environ)))
        return _SESSIONS[-1]


@contextmanager
def using(session: Session) -> Iterator[Session]:
    """Let every call of this program use a session while the block runs."""
    with _LOCK:
        _SESSIONS.append(session)
    try:
        yield session
    finally:
        with _LOCK:
            _SESSIONS.remove(session)


def refuse_nested(environment: Mapping[str, str]) -> None:
    """Refuse to open or join a swarm from inside a worker.

    Raises:
        ContainmentError: `containment.nested_swarm`.
    """
    if SCOPE_VARIABLE in environment:
        raise ContainmentError(
            "containment.nested_swarm",
            "this code runs in a worker, and a worker may not start or join a swarm",
            hint="express parallel work as a step of the parent process",
        )
