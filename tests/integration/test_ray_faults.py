"""Processes die under a run on a real cluster: the run goes on, and nothing is done twice."""

import time

from ray_story import Tenant, below, kill, until


def slow(item, ctx):
    time.sleep(0.1)
    return item * 2


ITEMS = list(range(40))
DOUBLED = [item * 2 for item in ITEMS]


def started(tenant: Tenant):
    handle = tenant.map(slow, ITEMS, concurrency=4)
    until(lambda: len(tenant.settled(handle.id)) >= 4, "some results")
    return handle


def finished(tenant: Tenant, handle, *, lost: bool) -> None:
    result = tenant.end(handle)
    assert result.output == DOUBLED, result.cause
    settled = tenant.settled(handle.id)
    assert len(settled) == len(set(settled)), "an attempt was settled twice"
    ok_items = [item.attempts for item in result]
    assert (max(ok_items) > 1) == lost


def test_a_worker_that_is_killed_is_tried_again(tenant: Tenant):
    handle = started(tenant)
    [host] = tenant.host_pids()
    zygote = below(host)[0]
    victim = until(lambda: below(zygote), "a child")[0]
    kill(victim)
    assert tenant.end(handle).output == DOUBLED


def test_a_zygote_that_is_killed_is_replaced(tenant: Tenant):
    handle = started(tenant)
    [host] = tenant.host_pids()
    zygote = below(host)[0]
    kill(zygote)
    assert tenant.end(handle).output == DOUBLED
    assert zygote not in below(host)


def test_a_host_that_is_killed_is_replaced_and_its_attempts_are_made_again(tenant: Tenant):
    handle = started(tenant)
    [host] = tenant.host_pids()
    workers = below(host)
    kill(host)
    finished(tenant, handle, lost=True)
    [other] = tenant.host_pids()
    assert other != host
    until(lambda: not set(workers) & set(below(1)), "the end of the dead host's workers")


def test_a_coordinator_that_is_killed_comes_back_and_collects_what_hosts_owe(tenant: Tenant):
    handle = started(tenant)
    before = tenant.coordinator_pid()
    hosts = tenant.host_pids()
    kill(before)
    settled_before = tenant.settled(handle.id)
    finished(tenant, handle, lost=False)
    assert tenant.coordinator_pid() != before
    assert tenant.host_pids() == hosts
    assert settled_before == tenant.settled(handle.id)[: len(settled_before)]
