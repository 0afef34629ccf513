"""A slot stays loaded as long as its own idle times say it is worth it."""

import json
import math

import numpy as np
import pytest

from swarm_placement.errors import UsageError
from swarm_placement.policies import LoadTerms, WarmPool
from swarm_placement.policies.idle_times import BINS, EDGES_S, IdleTimes, bin_of

TERMS = LoadTerms(cold_s=20.0, worth=10.0)


def taught(idle_s: list[float]) -> IdleTimes:
    found = IdleTimes()
    for one in idle_s:
        found.observe(one)
    return found


def used(pool: WarmPool, moments_s: list[float], service_s: float = 10.0) -> float:
    for now_s in moments_s:
        pool.observe(now_s, 1)
        pool.observe(now_s + service_s, 0)
    return moments_s[-1] + service_s


def test_a_slot_that_is_used_again_within_seconds_stays_loaded() -> None:
    schedule = taught([2.0] * 50).schedule(20.0, 10.0)
    assert all(schedule[: bin_of(2.0) + 1])
    assert not schedule[bin_of(3_600.0)]


def test_a_slot_that_waits_for_hours_is_given_up_within_seconds() -> None:
    schedule = taught([7_200.0] * 50).schedule(20.0, 10.0)
    assert not any(schedule[bin_of(10.0) : bin_of(3_600.0)])


def test_a_use_that_comes_by_the_clock_finds_the_slot_loaded_and_not_before() -> None:
    schedule = taught([600.0] * 50).schedule(20.0, 10.0)
    assert schedule[bin_of(600.0)]
    assert not any(schedule[bin_of(30.0) : bin_of(300.0)])


def test_loading_that_is_worth_nothing_is_not_done_ahead() -> None:
    schedule = taught([600.0] * 50).schedule(20.0, 0.0)
    assert not schedule[bin_of(400.0)]


def test_the_schedule_is_the_cheapest_of_all_simple_rules() -> None:
    seed = 6
    rng = np.random.default_rng(seed)
    sample = rng.lognormal(4.0, 1.5, 400)
    model = IdleTimes()
    for one in sample:
        model.observe(float(one))
    schedule = model.schedule(20.0, 10.0)

    def cost(warm: list[bool]) -> float:
        """Mean idle slot-seconds plus what uses of a cold slot cost, over the recent sample."""
        total = 0.0
        for idle_s in sample[-150:]:
            last = bin_of(float(idle_s))
            total += sum(
                min(float(idle_s), EDGES_S[k + 1]) - EDGES_S[k] for k in range(last) if warm[k]
            )
            total += 0.0 if warm[last] else 20.0 * 11.0
            total += 20.0 * sum(warm[k + 1] and not warm[k] for k in range(last))
        return total

    ours = cost(list(schedule))
    keeps = [cost([edge < keep for edge in EDGES_S]) for keep in (0.0, 20.0, 60.0, 220.0, 900.0)]
    assert ours <= 1.05 * min(keeps), f"seed {seed}"


def test_a_stream_by_the_clock_is_loaded_just_before_its_tick() -> None:
    pool = WarmPool(TERMS)
    end_s = used(pool, [600.0 * k for k in range(1, 30)])
    assert pool.decide(end_s + 200.0) == 0
    assert pool.decide(end_s + 580.0) == 1


def test_busy_slots_are_always_held() -> None:
    pool = WarmPool(TERMS)
    pool.observe(5.0, 7)
    assert pool.decide(5.0) == 7


def test_high_ranks_are_given_up_before_low_ones() -> None:
    pool, now_s, held = WarmPool(TERMS), 0.0, 0
    for _ in range(40):
        for busy in (1, 2, 3, 2, 1):  # three at once, for a moment ...
            pool.observe(now_s, busy)
            now_s += 5.0
        pool.observe(now_s, 0)
        for number in range(30):  # ... then one after the other, for long
            now_s += 5.0
            if number == 15:
                held = pool.decide(now_s)
            pool.observe(now_s, 1)
            now_s += 20.0
            pool.observe(now_s, 0)
        now_s += 5.0
    assert held == 1


def test_the_cold_tail_holds_nothing() -> None:
    pool = WarmPool(TERMS)
    end_s = used(pool, [10_000.0, 60_000.0])
    assert pool.decide(end_s + 120.0) == 0


def test_the_state_is_plain_data() -> None:
    pool, rng = WarmPool(TERMS), np.random.default_rng(2)
    moments = np.cumsum(rng.exponential(60.0, 100) + 10.0).tolist()
    end_s = used(pool, moments)
    again = WarmPool.from_dict(json.loads(json.dumps(pool.to_dict())))
    held = [pool.decide(end_s + age_s) for age_s in range(0, 600, 10)]
    assert [again.decide(end_s + age_s) for age_s in range(0, 600, 10)] == held
    assert len(set(held)) == 2


def test_bins_cover_all_ages_and_nonsense_is_refused() -> None:
    assert (bin_of(0.0), bin_of(1e9)) == (0, BINS - 1)
    for cold_s, worth in ((0.0, 1.0), (20.0, -1.0), (float("nan"), 1.0)):
        with pytest.raises(UsageError, match="load time"):
            LoadTerms(cold_s, worth)


def test_time_does_not_go_back_and_counts_are_not_negative() -> None:
    pool = WarmPool(LoadTerms(20.0, 10.0))
    pool.observe(5.0, 2)
    for call in (
        lambda: pool.observe(4.0, 1),
        lambda: pool.observe(6.0, -1),
        lambda: pool.decide(math.nan),
    ):
        with pytest.raises(UsageError, match=r"policy\.warm_pool"):
            call()
    assert pool.busy == 2
