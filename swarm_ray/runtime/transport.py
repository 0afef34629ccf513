"""Hosts over Ray: one detached actor per living node, called in batches.

Decides when a node gets a host and when a host counts as gone. Failures of Ray become errors of
ours; a call is never retried here.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from swarm_ray.config import Settings
from swarm_ray.core.host import Key
from swarm_ray.errors import SwarmError
from swarm_ray.ports.hosts import Delivery, HostInfo, Parcel
from swarm_ray.runtime.actors import NAMESPACE, start_host

LOGGER = logging.getLogger("swarm_ray.transport")
NODES_PERIOD_S = 1.0
CALL_TIMEOUT_S = 30.0
STOP_PATIENCE_S = 5.0
SITE_LABEL = "swarm-site"
ORGANISATION_LABEL, REGION_LABEL = "swarm-organisation", "swarm-region"


class RayHosts:
    """Keeps one host on every living node of the cluster.

    Args:
        settings: of the tenant.
        coordinator_key: raw public key that the hosts accept orders of.
        generation: distinguishes hosts of this coordinator from those of earlier ones.
    """

    def __init__(self, settings: Settings, coordinator_key: bytes, generation: int) -> None:
        self._settings = settings
        self._key = coordinator_key
        self._generation = generation
        self._handles: dict[str, Any] = {}
        self._infos: dict[str, HostInfo] = {}
        self._nodes: dict[str, str] = {}
        self._looked_s = 0.0
        self._count = 0
        self._joining: dict[str, asyncio.Task[None]] = {}

    async def adopt(self) -> None:
        """See `ports.hosts`; hosts are found by name and answer for themselves."""
        prefix = f"host/{self._settings.tenant}/"
        for actor in ray.util.list_named_actors(all_namespaces=True):
            if actor["namespace"] != NAMESPACE or not actor["name"].startswith(prefix):
                continue
            try:
                handle = ray.get_actor(actor["name"], namespace=NAMESPACE)
                info: HostInfo = await _answer(handle.info.remote())
            except (SwarmError, RayError, ValueError) as error:
                LOGGER.warning("host %s cannot be adopted: %s", actor["name"], error)
                continue
            self._infos[info.name] = info
            self._handles[info.name] = handle
            self._nodes[info.node] = info.name

    def seats(self) -> Sequence[HostInfo]:
        """Return the hosts that answered; starts one on each new node."""
        if time.monotonic() - self._looked_s >= NODES_PERIOD_S:
            self._looked_s = time.monotonic()
            self._look()
        return list(self._infos.values())

    def _look(self) -> None:
        alive = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
        for node_id in [node_id for node_id in self._nodes if node_id not in alive]:
            self._forget(self._nodes[node_id])
        for node_id, node in alive.items():
            if node_id not in self._nodes:
                self._count += 1
                site = node.get("Labels", {}).get(SITE_LABEL, self._settings.site)
                name = f"{site}-{node_id[-8:]}-{self._generation}.{self._count}"
                self._nodes[node_id] = name
                settings = _settings_on(node.get("Labels", {}), self._settings)
                joining = self._join(settings, name, node_id, site)
                task = asyncio.get_running_loop().create_task(joining)
                self._joining[name] = task

    async def _join(self, settings: Settings, name: str, node_id: str, site: str) -> None:
        try:
            handle = start_host(settings, name, node_id, site, self._key)
            self._handles[name] = handle  # ours to end, also before it has answered
            info: HostInfo = await _answer(handle.info.remote())
            self._infos[name] = info
        except (SwarmError, RayError) as error:
            LOGGER.warning("no host on node %s: %s", node_id[:8], error)
            self._handles.pop(name, None)
            self._nodes.pop(node_id, None)
        finally:
            self._joining.pop(name, None)

    def give_up(self, host: str) -> None:
        """See `ports.hosts`; a node that is still there gets a new host."""
        handle = self._handles.get(host)
        self._forget(host)
        if handle is not None:
            ray.kill(handle)

    def _forget(self, name: str) -> None:
        self._infos.pop(name, None)
        self._handles.pop(name, None)
        for node_id in [node for node, host in self._nodes.items() if host == name]:
            del self._nodes[node_id]

    def release(self) -> None:
        """End every host of this coordinator: they are asked to, then made to."""
        asked = [handle.stop.remote() for handle in self._handles.values()]
        if asked:
            ray.wait(asked, num_returns=len(asked), timeout=STOP_PATIENCE_S)
        for handle in self._handles.values():
            ray.kill(handle)
        self._handles.clear()
        self._infos.clear()

    # -- the port ---------------------------------------------------------------------------

    async def bundle(self, host: str, digest: str, data: bytes) -> None:
        """See `ports.hosts`."""
        await self._call(host, "bundle", digest, data)

    async def submit(self, host: str, epoch: int, parcel: Parcel) -> None:
        """See `ports.hosts`."""
        await self._call(host, "submit", epoch, parcel)

    async def collect(
        self, host: str, epoch: int, acknowledged: Sequence[int], wait_us: int, *, again: bool
    ) -> Sequence[Delivery]:
        """See `ports.hosts`."""
        found: Sequence[Delivery] = await self._call(
            host, "collect", epoch, list(acknowledged), wait_us, again
        )
        return found

    async def withdraw(self, host: str, epoch: int, keys: Sequence[Key]) -> None:
        """See `ports.hosts`."""
        await self._call(host, "withdraw", epoch, list(keys))

    async def _call(self, host: str, method: str, *args: Any) -> Any:
        handle = self._handles.get(host)
        if handle is None:
            raise SwarmError("host.gone", f"{host} is gone")
        try:
            return await _answer(getattr(handle, method).remote(*args))
        except SwarmError as error:
            if error.code in ("host.gone", "host.stopped"):
                self._forget(host)
            raise


def _settings_on(labels: Mapping[str, str], settings: Settings) -> Settings:
    """Return the settings of a host: labels of its node may name its trust domains."""
    return replace(
        settings,
        organisation=labels.get(ORGANISATION_LABEL, settings.organisation),
        region=labels.get(REGION_LABEL, settings.region),
    )


async def _answer(ref: Any) -> Any:
    """Wait for a Ray reference.

    Raises:
        SwarmError: what the method raised; `host.gone` when the actor is dead; `host.silent`
            when it did not answer in time.
    """
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):  # `wait_for` of 3.11 can lose a cancellation
            return await asyncio.wrap_future(ref.future())
    except TimeoutError:
        raise SwarmError("host.silent", "a host did not answer in time") from None
    except RayTaskError as error:
        cause = error.cause
        if isinstance(cause, SwarmError):
            raise cause from None
        raise
    except RayActorError as error:
        raise SwarmError("host.gone", f"the host died: {error}") from error
