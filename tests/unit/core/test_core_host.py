"""Stories of one host: order, lanes, duplicates, epochs, owing, dying."""

from dataclasses import replace

import pytest

from swarm_ray.core.events import Row, Settled, event_to_record
from swarm_ray.core.host import Host, Key, Kill, Order, Start
from swarm_ray.errors import Busy, IntegrityError
from swarm_ray.values.codec import MAX_ENTRY_BYTES, encode

LONGEST = Row(
    0, 99, "ok", "a" * 64, "\x00" * 48, 1_000_000, tokens=10**9, microusd=10**9, cpu_us=10**10,
    start_us=2 * 10**15, duration_us=10**10, sub_agents=10**4, extras="e" * 64, model="m" * 256,
)  # fmt: skip
SETTLED = Settled(
    "s" * 32,
    10**6,
    "h" * 200,
    (),
    10**9,
    "0" * 128,
    "0" * 64,
    "shared-kernel",
    " ".join(["d" * 64] * 8),
)


def host(slots: int = 4, credit: int = 100) -> Host:
    return Host(slots, credit, lease_us=1000)


def order(*items: int, swarm: str = "s", batch: int = 1, lanes: int = 4, attempt: int = 1) -> Order:
    return Order("run", swarm, batch, 1, lanes, items, (attempt,) * len(items))


def key(item: int, swarm: str = "s", attempt: int = 1) -> Key:
    return ("run", swarm, item, attempt)


def items(starts: list[Start]) -> list[int]:
    return [start.key[2] for start in starts]


def done(one: Key) -> Row:
    return Row(one[2], one[3], "ok", "out")


def test_attempts_start_in_order_up_to_the_slots() -> None:
    ada = host(slots=2)
    assert items(ada.accept(order(5, 6, 7))) == [5, 6]
    assert items(ada.finished(key(6), done(key(6)))) == [7]


def test_no_swarm_has_more_than_its_lanes() -> None:
    ada = host(slots=4)
    assert items(ada.accept(order(0, 1, 2, lanes=2))) == [0, 1]
    assert len(ada.accept(order(0, 1, 2, swarm="t", lanes=9))) == 2


def test_swarms_take_turns() -> None:
    ada = host(slots=1)
    ada.accept(order(0, 1, 2))
    ada.accept(order(0, 1, 2, swarm="t"))
    turns = [key(0)]
    while ada.running:
        one = next(iter(ada.running))
        turns += [start.key for start in ada.finished(one, done(one))]
    swarms = [one[1] for one in turns]
    assert swarms in (
        ["s", "t"] * 3,
        ["s", "s", "t", "s", "t", "t"],
        ["s", "t", "s", "t", "s", "t"],
    )
    assert len(turns) == 6


def test_the_newest_batch_says_how_many_lanes() -> None:
    ada = host(slots=9)
    ada.accept(order(0, batch=2, lanes=1))
    assert ada.accept(order(1, 2, 3, batch=1, lanes=4)) == []
    assert items(ada.accept(order(4, batch=3, lanes=2))) == [1]


def test_a_batch_that_comes_twice_runs_once() -> None:
    ada = host()
    ada.accept(order(0, 1))
    assert ada.accept(order(0, 1)) == []
    ada.finished(key(0), done(key(0)))
    assert ada.accept(order(0, 1)) == []
    assert ada.queued == 0


def test_attempts_stay_known_while_they_run_however_many_pass_by() -> None:
    ada = Host(2, 100, 1000, remembered=2)
    ada.accept(order(0))
    for item in range(1, 9):
        ada.accept(order(item))
        ada.finished(key(item), done(key(item)))
    assert ada.accept(order(0)) == []
    assert len(ada.seen) == 2


def test_credit_is_all_or_nothing() -> None:
    ada = host(slots=1, credit=3)
    ada.accept(order(0, 1, 2))
    with pytest.raises(Busy) as error:
        ada.accept(order(3, 4, 5, batch=2))
    assert error.value.code == "host.busy"
    assert ada.queued == 2
    assert ada.accept(order(3, batch=2)) == []


def test_an_older_coordinator_is_refused() -> None:
    ada = host()
    ada.lead(2, 0)
    with pytest.raises(IntegrityError) as error:
        ada.lead(1, 0)
    assert error.value.code == "host.stale_epoch"
    assert ada.epoch == 2


def test_results_are_owed_until_they_are_acknowledged() -> None:
    ada = host()
    ada.accept(order(0, 1))
    ada.finished(key(0), done(key(0)))
    [first] = ada.collect()
    assert ada.collect() == []
    ada.finished(key(1), done(key(1)))
    assert [outcome.sequence for outcome in ada.owed()] == [1, 2]
    ada.acknowledge([first.sequence, 77])
    assert [outcome.rows for outcome in ada.owed()] == [(done(key(1)),)]


def test_outcomes_have_at_most_64_rows_of_one_batch() -> None:
    ada = host(slots=200, credit=200)
    ada.accept(order(*range(100), batch=1, lanes=200))
    ada.accept(order(*range(100, 120), batch=2, lanes=200))
    for one in list(ada.running):
        ada.finished(one, done(one))
    assert [(outcome.batch, len(outcome.rows)) for outcome in ada.collect()] == [
        (1, 64),
        (1, 36),
        (2, 20),
    ]


def test_withdrawing_what_waits_and_what_runs() -> None:
    ada = host(slots=1)
    ada.accept(order(0, 1, 2))
    assert ada.withdraw([key(0), key(2)]) == [Kill(key(0))]
    [outcome] = ada.collect()
    assert outcome.rows == (Row(2, 1, "cancelled", code="attempt.withdrawn"),)
    cancelled = Row(0, 1, "cancelled", code="attempt.withdrawn")
    assert items(ada.finished(key(0), cancelled)) == [1]


def test_a_withdrawal_that_overtakes_its_order_still_counts() -> None:
    ada = host()
    assert ada.withdraw([key(0)]) == []
    assert items(ada.accept(order(0, 1))) == [1]
    [outcome] = ada.collect()
    assert outcome.rows == (Row(0, 1, "cancelled", code="attempt.withdrawn"),)
    assert ada.withdraw([key(0)]) == []
    assert ada.barred == {}


def test_a_kill_that_comes_too_late_changes_nothing() -> None:
    ada = host()
    ada.accept(order(0))
    ada.finished(key(0), done(key(0)))
    assert ada.withdraw([key(0)]) == []
    assert ada.finished(key(0), done(key(0))) == []


def test_nothing_of_a_finished_swarm_stays() -> None:
    ada = host(slots=1)
    ada.accept(order(0, 1))
    ada.withdraw([key(1)])
    ada.finished(key(0), done(key(0)))
    ada.accept(order(0, 1))
    assert (ada.queues, ada.lanes, ada.busy, ada.running, ada.queued) == ({}, {}, {}, {}, 0)


def test_a_host_without_a_coordinator_dies_when_its_lease_runs_out() -> None:
    ada = host()
    assert not ada.expired(10**9)
    ada.lead(1, 500)
    assert not ada.expired(1500)
    assert ada.expired(1501)
    ada.lead(1, 1501)
    assert not ada.expired(2501)


def test_what_workers_write_never_makes_a_delivery_too_large_for_an_entry() -> None:
    ada = host(slots=64)
    ada.accept(order(*range(64), lanes=64))
    for item in range(64):
        ada.finished(key(item), replace(LONGEST, item=item))
    outcomes = ada.collect()
    assert 1 < len(outcomes) < 64
    assert [row.item for outcome in outcomes for row in outcome.rows] == list(range(64))
    for outcome in outcomes:
        judged = tuple(replace(row, error="e" * 64, alike=99, rule=99) for row in outcome.rows)
        assert len(encode(event_to_record(replace(SETTLED, rows=judged)))) < MAX_ENTRY_BYTES - 200


def test_ordinary_rows_stay_together() -> None:
    ada = host(slots=64)
    ada.accept(order(*range(64), lanes=64))
    for item in range(64):
        row = Row(item, 1, "ok", "a" * 64, "approve", model="gpt-4o@https://api.example.org/v1")
        ada.finished(key(item), row)
    assert [len(outcome.rows) for outcome in ada.collect()] == [64]
