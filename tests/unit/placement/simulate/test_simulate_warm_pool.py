"""The pool that judges policies: small cases by hand, and the scalers policies are compared with."""

import numpy as np
import pytest

from swarm_placement.policies import LoadTerms, WarmPool
from swarm_placement.simulate.arrivals import Stream, stream
from swarm_placement.simulate.scalers import HoltHeadroom, KeepAlive, Reactive
from swarm_placement.simulate.warm_pool import PoolRecord, Scaler, simulate_pool


def told(arrival_s: list[float], service_s: float, horizon_s: float = 1_000.0) -> Stream:
    return Stream(np.array(arrival_s), np.full(len(arrival_s), service_s), horizon_s)


class Fixed:
    """Holds a number of slots, whatever happens."""

    def __init__(self, slots: int) -> None:
        self.slots = slots

    def observe(self, now_s: float, busy: int) -> None:
        pass

    def decide(self, now_s: float) -> int:
        return self.slots


def test_a_slot_that_is_held_serves_at_once_and_is_paid_throughout() -> None:
    record = simulate_pool(told([100.0, 200.0], 10.0), Fixed(1), cold_s=20.0, tick_s=5.0)
    assert (record.executions, record.cold, record.busy_s) == (2, 0, 20.0)
    assert record.paid_s == pytest.approx(995.0)  # from the first to the last decision


def test_without_holding_every_execution_waits_for_its_load() -> None:
    record = simulate_pool(told([100.0, 200.0], 10.0), Fixed(0), cold_s=20.0, tick_s=5.0)
    assert (record.cold, record.waited_s) == (2, 40.0)
    # Loaded twice for 20 s, busy twice for 10 s, given up at the next decision.
    assert record.paid_s == pytest.approx(60.0)


def test_who_comes_while_a_slot_loads_waits_for_the_rest() -> None:
    record = simulate_pool(told([15.0], 10.0), Fixed(1), cold_s=20.0, tick_s=100.0)
    assert record.waited_s == pytest.approx(5.0)


def test_what_happens_before_the_count_begins_is_not_counted() -> None:
    record = simulate_pool(
        told([100.0, 700.0], 10.0), Fixed(0), cold_s=20.0, tick_s=5.0, warm_up_s=500.0
    )
    assert (record.executions, record.paid_s) == (1, pytest.approx(30.0))


def test_keep_alive_holds_a_slot_for_its_time_and_no_longer() -> None:
    scaler = KeepAlive(60.0)
    scaler.observe(10.0, 2)
    scaler.observe(20.0, 1)
    scaler.observe(30.0, 0)
    assert [scaler.decide(at_s) for at_s in (79.0, 81.0, 89.0, 91.0)] == [2, 1, 1, 0]


def test_reactive_scaling_divides_by_its_target_and_falls_after_its_window() -> None:
    scaler = Reactive(target=0.5, poll_s=5.0, stable_s=30.0)
    scaler.observe(1.0, 4)
    assert scaler.decide(5.0) == 8
    scaler.observe(6.0, 1)
    assert [scaler.decide(at_s) for at_s in (10.0, 34.0, 40.0)] == [8, 8, 2]


def test_holt_sees_a_ramp_coming() -> None:
    scaler = HoltHeadroom(lead_s=20.0, deviations=0.0)
    for number in range(200):
        scaler.observe(5.0 * number, number)
        held = scaler.decide(5.0 * number + 1.0)
    assert 199 <= held <= 210


@pytest.mark.parametrize("family", ["daily", "bursts", "clock", "sparse", "tail"])
def test_streams_rise_end_in_time_and_repeat_by_seed(family: str) -> None:
    one, same = (stream(family, np.random.default_rng(5), 40_000.0) for _ in range(2))
    assert (np.diff(one.arrival_s) >= 0).all()
    assert ((one.arrival_s >= 0) & (one.arrival_s < one.horizon_s)).all()
    assert (one.arrival_s == same.arrival_s).all()


def frontier(stream_: Stream, scalers: list[Scaler]) -> list[PoolRecord]:
    return [
        simulate_pool(stream_, scaler, cold_s=20.0, tick_s=5.0, warm_up_s=20_000.0)
        for scaler in scalers
    ]


def test_by_the_clock_the_learnt_schedule_beats_every_keep_alive_on_both_axes() -> None:
    seed = 14
    ticking = stream("clock", np.random.default_rng(seed), 86_400.0)
    (ours,) = frontier(ticking, [WarmPool(LoadTerms(20.0, 10.0))])
    for rival in frontier(ticking, [KeepAlive(keep) for keep in (60.0, 300.0, 600.0, 1_200.0)]):
        ahead = ours.cold_share <= rival.cold_share or ours.idle_per_busy <= rival.idle_per_busy
        assert ahead, f"seed {seed}"
    assert ours.cold_share < 0.2, f"seed {seed}"
    assert ours.idle_per_busy < 8.0, f"seed {seed}"
