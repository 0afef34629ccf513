"""Hosts over Ray: one detached actor per living node, called in batches.

Decides when a node gets a host and when a host counts as gone. Failures of Ray become errors of
ours; a call is never retried here.
"""

import asyncio
import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from swarm_ray.attestation.keys import KEY_BYTES
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
ISOLATION = re.compile(r"[a-z][a-z-]{0,31}")
MOST_SLOTS = 65_536


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
        alive = {node["NodeID"][-8:]: node for node in ray.nodes() if node["Alive"]}
        for actor in ray.util.list_named_actors(all_namespaces=True):
            if actor["namespace"] != NAMESPACE or not actor["name"].startswith(prefix):
                continue
            name = actor["name"].removeprefix(prefix)
            try:
                handle = ray.get_actor(actor["name"], namespace=NAMESPACE)
                node = alive[name.rsplit("-", 2)[-2]]  # as `_look` names them
                info = self._vouched(name, node, await _answer(handle.info.remote()))
            except (SwarmError, RayError, ValueError, LookupError) as error:
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
                site = _site_on(node, self._settings)
                name = f"{site}-{node_id[-8:]}-{self._generation}.{self._count}"
                self._nodes[node_id] = name
                joining = self._join(name, node)
                task = asyncio.get_running_loop().create_task(joining)
                self._joining[name] = task

    async def _join(self, name: str, node: Mapping[str, Any]) -> None:
        node_id = node["NodeID"]
        settings, site = _settings_on(node, self._settings), _site_on(node, self._settings)
        try:
            handle = start_host(settings, name, node_id, site, self._key)
            self._handles[name] = handle  # ours to end, also before it has answered
            self._infos[name] = self._vouched(name, node, await _answer(handle.info.remote()))
        except (SwarmError, RayError) as error:
            LOGGER.warning("no host on node %s: %s", node_id[:8], error)
            self._handles.pop(name, None)
            self._nodes.pop(node_id, None)
        finally:
            self._joining.pop(name, None)

    def _vouched(self, name: str, node: Mapping[str, Any], said: Any) -> HostInfo:
        settings = _settings_on(node, self._settings)
        return vouched(
            said,
            HostInfo(
                name, _site_on(node, self._settings), settings.organisation, 0, b"", "",
                node["NodeID"], settings.region,
            ),
        )  # fmt: skip

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


def vouched(said: Any, known: HostInfo) -> HostInfo:
    """Return who a host is: its name and its trust domains are what the cluster says of its node;
    of the host itself only key, slots and isolation are taken.

    Raises:
        SwarmError: `host.bad_info` when it says no such thing.
    """
    if not isinstance(said, HostInfo) or not _is_sound(said):
        raise SwarmError("host.bad_info", f"host {known.name} does not say who it is")
    return replace(known, public_key=said.public_key, slots=said.slots, isolation=said.isolation)


def _is_sound(said: Any) -> bool:
    key, slots, isolation = said.public_key, said.slots, said.isolation
    if type(key) is not bytes or len(key) != KEY_BYTES or type(slots) is not int:
        return False
    named = isinstance(isolation, str) and ISOLATION.fullmatch(isolation) is not None
    return named and 0 < slots <= MOST_SLOTS


def _site_on(node: Mapping[str, Any], settings: Settings) -> str:
    return str(node.get("Labels", {}).get(SITE_LABEL, settings.site))


def _settings_on(node: Mapping[str, Any], settings: Settings) -> Settings:
    """Return the settings of a host: labels of its node may name its trust domains."""
    labels = node.get("Labels", {})
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
