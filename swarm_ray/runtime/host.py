"""The host as a Ray actor: a thin door to `engine.hosting.HostShell`.

Decides nothing. Each method may be called again; none waits for an attempt to end.
"""

import os
import threading
from collections.abc import Sequence

from swarm_ray.attestation.keys import SigningKey
from swarm_ray.config import Settings
from swarm_ray.core.host import Key
from swarm_ray.engine.hosting import HostShell
from swarm_ray.engine.workshop import Workshops
from swarm_ray.models.service import model_services
from swarm_ray.ports.hosts import Delivery, HostInfo, Parcel
from swarm_ray.runtime.actors import refuse_foreign_path
from swarm_ray.sandbox.probe import choose

WATCH_S = 0.5


class HostActor:
    """One host. Durable: nothing; results are owed until the coordinator acknowledges them."""

    def __init__(
        self, settings: Settings, name: str, node_id: str, site: str, coordinator_key: bytes
    ) -> None:
        refuse_foreign_path()
        self._asked_to_stop = False
        driver = choose(None if settings.isolation == "auto" else settings.isolation)
        key = SigningKey.generate()
        self._info = HostInfo(
            name,
            site,
            settings.organisation,
            settings.host_slots,
            key.public.raw,
            driver.label,
            node_id,
            settings.region,
        )
        folder = settings.folder / "hosts" / name
        workshops = Workshops(driver, folder, settings.host_zygotes)
        self._shell = HostShell(
            self._info,
            key,
            coordinator_key,
            workshops,
            settings.lease_s * 1_000_000,
            model_services(settings),
        )
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        """End the process when the lease ran out: a host nobody leads must not work on."""
        while not self._shell.finished.wait(WATCH_S):
            continue
        if not self._asked_to_stop:
            os._exit(0)

    def info(self) -> HostInfo:
        """Say who this host is. Idempotent."""
        return self._info

    def bundle(self, digest: str, data: bytes) -> None:
        """Keep a bundle. Idempotent."""
        self._shell.bundle(digest, data)

    def submit(self, epoch: int, parcel: Parcel) -> None:
        """Take a batch. Idempotent: known attempts are not run again."""
        self._shell.submit(epoch, parcel)

    def collect(
        self,
        epoch: int,
        acknowledged: Sequence[int],
        wait_us: int,
        again: bool,  # noqa: FBT001  # Ray passes positions
    ) -> list[Delivery]:
        """Acknowledge and wait for results. After an error ask with `again`."""
        return self._shell.collect(epoch, acknowledged, wait_us, again=again)

    def withdraw(self, epoch: int, keys: Sequence[Key]) -> None:
        """Stop attempts. Idempotent."""
        self._shell.withdraw(epoch, keys)

    def stop(self) -> None:
        """End every worker and remove the host's folder; the caller kills the process after."""
        self._asked_to_stop = True
        self._shell.stop()
