"""Stories of the pool: which host gets what, and never more lanes than the swarm may use."""

import random

import pytest

from swarm_ray.core.pool import CHOICE_ROWS, Choice, Pool
from swarm_ray.core.traffic import QUEUE_DEPTH


def pool_of(*slots: int) -> Pool:
    pool = Pool()
    for number, count in enumerate(slots):
        pool.join(f"host-{number}", f"site-{number % 2}", count)
    return pool


def choose(
    pool: Pool, concurrency: int, count: int, *, start: int = 0, sites: frozenset[str] = frozenset()
) -> list[Choice]:
    items = tuple(range(start, start + count))
    return pool.choose("s", concurrency, items, (1,) * count, sites)


def test_lanes_follow_slots_and_add_up_to_the_concurrency() -> None:
    choices = choose(pool_of(8, 4, 4), 8, 8)
    assert {choice.host: choice.lanes for choice in choices} == {
        "host-0": 4,
        "host-1": 2,
        "host-2": 2,
    }
    assert sorted(item for choice in choices for item in choice.items) == list(range(8))


def test_lanes_never_exceed_the_slots() -> None:
    choices = choose(pool_of(2, 2), 100, 100)
    assert sum(choice.lanes for choice in choices) == 4
    assert sum(len(choice.items) for choice in choices) == 4 * (1 + QUEUE_DEPTH)


def test_free_lanes_are_filled_before_queues() -> None:
    pool = pool_of(4, 4)
    [first, second] = choose(pool, 8, 6)
    assert sorted((len(first.items), len(second.items))) == [2, 4]


def test_what_waits_behind_the_lanes_is_spread_evenly() -> None:
    choices = choose(pool_of(4, 4), 8, 8 + 6)
    assert sorted(len(choice.items) for choice in choices) == [7, 7]


def test_a_choice_has_no_more_rows_than_an_entry_holds() -> None:
    choices = choose(pool_of(100), 100, 300)
    assert [len(choice.items) for choice in choices][:-1] == [CHOICE_ROWS] * (300 // CHOICE_ROWS)
    assert {choice.lanes for choice in choices} == {100}


def test_without_hosts_nothing_is_chosen() -> None:
    assert choose(Pool(), 4, 4) == []


def test_only_the_sites_that_may_hold_the_data() -> None:
    choices = choose(pool_of(4, 4, 4), 12, 12, sites=frozenset({"site-1"}))
    assert {choice.host for choice in choices} == {"host-1"}


def test_a_draining_host_gets_nothing_new_and_may_be_told_so_twice() -> None:
    pool = pool_of(4, 4)
    pool.drain("host-0")
    pool.drain("host-0")
    pool.drain("nobody")
    assert {choice.host for choice in choose(pool, 8, 4)} == {"host-1"}


def test_a_new_host_waits_until_the_old_one_can_run_no_more_than_its_part() -> None:
    pool = pool_of(8)
    [first] = choose(pool, 8, 8)
    assert first.lanes == 8
    pool.logged("s", "host-0", 8)
    pool.join("host-1", "site", 8)
    pool.observe("s", {"host-0": 8}, {"host-0": 8})
    assert choose(pool, 8, 8, start=8) == []
    pool.observe("s", {"host-0": 4}, {"host-0": 8})
    lanes = {choice.host: choice.lanes for choice in choose(pool, 8, 8, start=8)}
    assert lanes == {"host-0": 4, "host-1": 4}


def test_lanes_of_a_lost_host_are_given_to_others() -> None:
    pool = pool_of(4, 4)
    for choice in choose(pool, 4, 4):
        pool.logged("s", choice.host, len(choice.items))
    pool.lose("host-0")
    pool.lose("host-0")
    pool.observe("s", {"host-1": 2}, {"host-1": 2})
    [choice] = choose(pool, 4, 9, start=4)
    assert choice.host == "host-1"
    assert choice.lanes == 4


def test_a_new_coordinator_learns_the_lanes_from_the_log() -> None:
    pool = pool_of(4, 4)
    pool.observe("s", {"host-0": 4}, {"host-0": 4})
    assert choose(pool, 4, 4) == []


def test_a_swarm_that_ended_leaves_nothing() -> None:
    pool = pool_of(4)
    choose(pool, 4, 4)
    pool.forget("s")
    pool.logged("s", "host-0", 4)
    assert pool.shares == {}


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_no_more_can_run_than_allowed(seed: int) -> None:
    """Hosts run as many as their lanes or what they hold allow, whichever is less."""
    chance = random.Random(seed)
    pool = pool_of(*(chance.randrange(1, 9) for _ in range(4)))
    held: dict[str, int] = {}
    in_force: dict[str, int] = {}
    names = 4
    for _ in range(300):
        match chance.randrange(6):
            case 0:
                pool.join(f"host-{names}", "site", chance.randrange(1, 9))
                names += 1
            case 1 if pool.seats:
                gone = chance.choice(list(pool.seats))
                pool.lose(gone)
                held.pop(gone, None)
                in_force.pop(gone, None)
            case 2 | 3 if held:
                name = chance.choice(list(held))
                held[name] -= chance.randrange(1, held[name] + 1)
                if not held[name]:
                    del held[name], in_force[name]
            case _:
                pool.observe("s", held, dict(in_force))
                for choice in choose(pool, 12, chance.randrange(1, 40)):
                    pool.logged("s", choice.host, len(choice.items))
                    held[choice.host] = held.get(choice.host, 0) + len(choice.items)
                    before = in_force.get(choice.host, 0)
                    still = held[choice.host] - len(choice.items)
                    in_force[choice.host] = max(choice.lanes, min(before, still))
        running = sum(min(in_force[name], held[name]) for name in held)
        assert running <= 12
