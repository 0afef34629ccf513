"""The ledger of the simulated world fails as asked, and keeps exactly what was synced."""

import pytest

from swarm_ray.errors import IntegrityError, SwarmError, UsageError
from swarm_ray.ports.log import Append
from swarm_ray.testing.memory_log import MemoryLog, SimulatedCrash

RUN = "018bcfe5680074309e0bb61cb08f4760"


@pytest.fixture
def memory():
    return MemoryLog(lambda size: bytes(size))


def test_a_crash_before_the_sync_loses_the_commit_and_the_staged_bodies(memory):
    epoch = memory.acquire_epoch("coordinator-1")
    memory.commit([Append(RUN, epoch, 0, [b"one"])])
    body = memory.put_body("a.b", b"x", "output", RUN)
    memory.arm("crash_before_sync")
    with pytest.raises(SimulatedCrash):
        memory.commit([Append(RUN, epoch, 1, [b"two"])])
    after = memory.reopen()
    assert list(after.entries(RUN)) == [b"one"]
    assert after.check(RUN).size == 1
    with pytest.raises(UsageError):
        after.get_body(body)


def test_a_crash_after_the_sync_keeps_the_commit_though_nobody_was_told(memory):
    epoch = memory.acquire_epoch("coordinator-1")
    body = memory.put_body("a.b", b"x", "output", RUN)
    memory.arm("crash_after_sync")
    with pytest.raises(SimulatedCrash):
        memory.commit([Append(RUN, epoch, 0, [b"one"])])
    after = memory.reopen()
    assert list(after.entries(RUN)) == [b"one"]
    assert after.get_body(body) == b"x"


def test_a_dead_process_does_nothing_more(memory):
    epoch = memory.acquire_epoch("coordinator-1")
    memory.arm("crash_before_sync")
    with pytest.raises(SimulatedCrash):
        memory.commit([Append(RUN, epoch, 0, [b"one"])])
    for call in (lambda: memory.epoch(), lambda: memory.commit(()), lambda: memory.logs()):
        with pytest.raises(SimulatedCrash):
            call()


def test_a_write_error_stores_nothing_and_the_next_try_succeeds(memory):
    epoch = memory.acquire_epoch("coordinator-1")
    memory.arm("write_error", after_syncs=1)
    memory.commit([Append(RUN, epoch, 0, [b"one"])])
    with pytest.raises(SwarmError) as caught:
        memory.commit([Append(RUN, epoch, 1, [b"two"])])
    assert caught.value.code == "ledger.write_failed"
    assert memory.head(RUN).size == 1
    memory.commit([Append(RUN, epoch, 1, [b"two"])])
    assert list(memory.entries(RUN)) == [b"one", b"two"]


def test_a_second_process_over_the_same_disk_takes_over(memory):
    old = memory.acquire_epoch("coordinator-1")
    other = memory.reopen()
    new = other.acquire_epoch("coordinator-2")
    with pytest.raises(IntegrityError):
        memory.commit([Append(RUN, old, 0, [b"one"])])
    other.commit([Append(RUN, new, 0, [b"one"])])


def test_a_changed_entry_on_the_disk_is_noticed(memory):
    epoch = memory.acquire_epoch("coordinator-1")
    memory.commit([Append(RUN, epoch, 0, [b"one", b"two"])])
    memory.disk.entries[RUN][1] = b"too"
    with pytest.raises(IntegrityError) as caught:
        memory.check(RUN)
    assert caught.value.code == "ledger.root_mismatch"
