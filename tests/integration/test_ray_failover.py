"""A coordinator whose node dies, with its ledger on servers: Ray starts it elsewhere."""

from dataclasses import replace

import pytest
from ray_story import Tenant, until

from swarm_ray.client.session import Session
from swarm_ray.engine.history import read_entry
from swarm_ray.runtime.nodes import coordinator_on

pytestmark = pytest.mark.servers


def slow(item, ctx):
    import time

    time.sleep(0.1)
    return item * 2


def test_a_coordinator_whose_node_dies_goes_on_on_another(tenant: Tenant, servers: tuple[str, str]):
    ledger, bodies = servers
    tenant.settings = replace(tenant.settings, ledger=ledger, bodies=bodies, lease_s=3)
    tenant.session = Session(tenant.settings)
    coordinator_on(tenant.settings, tenant.keeper.add("away"))
    handle = tenant.map(slow, list(range(100)), concurrency=4)
    until(lambda: len(tenant.settled(handle.id)) > 10, "some results")
    before = tenant.settled(handle.id)
    tenant.keeper.kill("away")
    assert tenant.end(handle).output == [item * 2 for item in range(100)]
    after = tenant.settled(handle.id)
    assert after[: len(before)] == before
    assert len(after) == len(set(after))
    entries = tenant.service.entries(handle.id, 0, 0).entries
    assert len({read_entry(data)[1]["epoch"] for data in entries}) == 2, "nobody took over"
