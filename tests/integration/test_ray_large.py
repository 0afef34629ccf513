"""A hundred thousand items on a real cluster, with a coordinator that is killed half-way."""

from collections import Counter
from dataclasses import replace

import pytest
from ray_story import Tenant, kill

from swarm_ray.client.session import Session
from swarm_ray.core.events import Settled
from swarm_ray.engine.history import read_entry

ITEMS = 100_000
PATIENCE_S = 600.0


def square(item):
    return item * item


@pytest.mark.large
def test_a_hundred_thousand_items_survive_the_death_of_their_coordinator(tenant: Tenant):
    tenant.settings = replace(tenant.settings, isolation="none")
    tenant.session = Session(tenant.settings)
    handle = tenant.map(square, list(range(ITEMS)), concurrency=64)
    wait_for_results(tenant, handle.id, ITEMS // 3)
    kill(tenant.coordinator_pid())
    result = handle.result(timeout=PATIENCE_S)
    assert result.output == [item * item for item in range(ITEMS)]
    (swarm,) = handle.view().swarms
    ended = Counter((one.item, one.attempt) for one in swarm.attempts if one.status == "ok")
    assert len(ended) == ITEMS, "each item has succeeded once"
    assert max(ended.values()) == 1, "no attempt is settled twice"


def wait_for_results(tenant: Tenant, run: str, count: int) -> None:
    """Follow the log until so many results are durable."""
    read = settled = 0
    while settled < count:
        page = tenant.service.entries(run, read, PATIENCE_S)
        assert page.entries, "nothing more came"
        read += len(page.entries)
        events = [read_entry(data)[0] for data in page.entries]
        settled += sum(len(event.rows) for event in events if isinstance(event, Settled))
