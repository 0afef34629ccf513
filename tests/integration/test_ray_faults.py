"""Processes die under a run on a real cluster: the run goes on, and nothing is done twice."""

import ctypes
import time
from collections import defaultdict

from ray_story import Tenant, below, kill, name_of, processes, until


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


LONG = 7  # the item whose worker is the victim


def named(item, ctx):
    """Its process carries the item's number, so that it can be told from those in reserve."""
    ctypes.CDLL(None).prctl(15, f"item-{item}".encode())
    time.sleep(2 if item == LONG else 0.1)
    return item * 2


def at_work() -> dict[int, int]:
    """Processes that execute an item, by item."""
    found = {}
    for pid in processes():
        name, _, number = name_of(pid).partition("-")
        if name == "item" and number.isdecimal():
            found[int(number)] = pid
    return found


def ends(tenant: Tenant, handle) -> dict[int, list[tuple[int, str, str]]]:
    """By item, every settled attempt in order: its number, status and code."""
    found = defaultdict(list)
    for row in tenant.rows(handle.id):
        found[row.item].append((row.attempt, row.status, row.code))
    return found


ONCE = [(1, "ok", "")]
AGAIN = [(1, "transient", "worker.died"), (2, "ok", "")]


def test_a_worker_that_is_killed_is_recorded_and_tried_once_more(tenant: Tenant):
    handle = tenant.map(named, ITEMS, concurrency=4)
    victim = until(lambda: at_work().get(LONG), f"the worker of item {LONG}")
    kill(victim)
    assert tenant.end(handle).output == DOUBLED
    assert ends(tenant, handle) == {item: AGAIN if item == LONG else ONCE for item in ITEMS}
    until(lambda: not at_work(), "the end of every worker")


def test_a_zygote_that_is_killed_is_replaced_and_what_it_lost_is_tried_once_more(tenant: Tenant):
    handle = tenant.map(named, ITEMS, concurrency=4)
    until(lambda: LONG in at_work(), f"the worker of item {LONG}")
    [host] = tenant.host_pids()
    zygote, *workers = below(host)
    kill(zygote)
    assert tenant.end(handle).output == DOUBLED
    found = ends(tenant, handle)
    lost = [item for item in ITEMS if found[item] != ONCE]
    assert LONG in lost
    assert len(lost) <= 4, "more was lost than was at work"
    assert {item: found[item] for item in lost} == dict.fromkeys(lost, AGAIN)
    assert zygote not in below(host)
    until(lambda: not set(workers) & set(processes()), "the end of the zygote's workers")
    until(lambda: not at_work(), "the end of every worker")


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
