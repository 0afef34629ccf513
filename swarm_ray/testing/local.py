"""A whole deployment in one process without Ray: real coordinator, real host, real sandboxes.

Decides nothing; only the transport is short. For tests and for looking at things closely.
"""

import asyncio
from collections.abc import Sequence

from swarm_ray.attestation.keys import SigningKey
from swarm_ray.config import Settings
from swarm_ray.core.host import Key
from swarm_ray.engine.hosting import HostShell
from swarm_ray.engine.service import CoordinatorService
from swarm_ray.engine.workshop import Workshops
from swarm_ray.errors import SwarmError
from swarm_ray.models.service import model_services
from swarm_ray.ports.hosts import Delivery, HostInfo, Parcel
from swarm_ray.sandbox.probe import choose


class LocalHosts:
    """Hosts in this process. Implements `ports.hosts.Hosts`; `lose` and `add` change them."""

    def __init__(
        self,
        settings: Settings,
        coordinator_key: bytes,
        generation: int,
        organisations: Sequence[str] = (),
    ) -> None:
        self._settings = settings
        self._organisations = organisations or (settings.organisation,)
        self._key = coordinator_key
        self._generation = generation
        self._count = 0
        self.shells: dict[str, HostShell] = {}
        for _ in self._organisations:
            self.add()

    def add(self) -> HostShell:
        """Start another host."""
        self._count += 1
        name = f"{self._settings.site}-{self._generation}.{self._count}"
        driver = choose(None if self._settings.isolation == "auto" else self._settings.isolation)
        key = SigningKey.generate()
        info = HostInfo(
            name,
            self._settings.site,
            self._organisations[self._count % len(self._organisations)],
            self._settings.host_slots,
            key.public.raw,
            driver.label,
        )
        folder = self._settings.folder / "hosts" / name
        shell = HostShell(
            info,
            key,
            self._key,
            Workshops(driver, folder, self._settings.host_zygotes),
            self._settings.lease_s * 1_000_000,
            model_services(self._settings),
        )
        self.shells[name] = shell
        return shell

    def lose(self, name: str) -> None:
        """A host dies with everything it holds."""
        self.shells.pop(name).stop()

    def give_up(self, host: str) -> None:
        """See the port; another host takes its place, as on a node that is still there."""
        if host in self.shells:
            self.lose(host)
            self.add()

    def release(self) -> None:
        """See the port."""
        for name in list(self.shells):
            self.lose(name)

    async def adopt(self) -> None:
        """Nothing survives a process."""

    def seats(self) -> Sequence[HostInfo]:
        """See the port."""
        return [shell.info for shell in self.shells.values()]

    async def bundle(self, host: str, digest: str, data: bytes) -> None:
        """See the port."""
        await asyncio.to_thread(self._shell(host).bundle, digest, data)

    async def submit(self, host: str, epoch: int, parcel: Parcel) -> None:
        """See the port."""
        await asyncio.to_thread(self._shell(host).submit, epoch, parcel)

    async def collect(
        self, host: str, epoch: int, acknowledged: Sequence[int], wait_us: int, *, again: bool
    ) -> Sequence[Delivery]:
        """See the port."""
        shell = self._shell(host)
        return await asyncio.to_thread(
            lambda: shell.collect(epoch, acknowledged, wait_us, again=again)
        )

    async def withdraw(self, host: str, epoch: int, keys: Sequence[Key]) -> None:
        """See the port."""
        await asyncio.to_thread(self._shell(host).withdraw, epoch, keys)

    def _shell(self, host: str) -> HostShell:
        shell = self.shells.get(host)
        if shell is None:
            raise SwarmError("host.gone", f"{host} is gone")
        return shell


def local_service(settings: Settings, organisations: Sequence[str] = ()) -> CoordinatorService:
    """Return a running coordinator with one host in this process, or one for each organisation;
    `shut_down` ends it."""
    return CoordinatorService(
        settings, lambda found, key, epoch: LocalHosts(found, key, epoch, organisations)
    )
