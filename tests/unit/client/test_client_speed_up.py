"""What a fan-out gained: waiting for a processor and for a person is no work saved."""

import time

import pytest

import swarm_ray as swarm
from swarm_ray.client.session import Session
from swarm_ray.client.speed_up import SpeedUp, speed_ups
from swarm_ray.engine.sequence import Attempt, sequential_us

SECOND = 1_000_000


def attempts(count: int, cpu_us: int, *, host: str = "ada", status: str = "ok", apart_us: int = 0):
    """Attempts of one second each that start so far apart."""
    return [
        Attempt(host, status, 5 * SECOND + item * apart_us, SECOND, cpu_us) for item in range(count)
    ]


def test_attempts_that_share_one_processor_saved_nothing():
    assert sequential_us(attempts(8, SECOND // 8)) == SECOND


def test_attempts_that_wait_for_something_else_would_have_waited_in_sequence():
    assert sequential_us(attempts(8, 1_000)) == 8 * (SECOND - 8 * 1_000) + 8 * 1_000


def test_one_attempt_after_the_other_takes_what_they_took():
    assert sequential_us(attempts(5, SECOND // 2, apart_us=SECOND)) == 5 * SECOND


def test_every_host_has_processors_of_its_own():
    one, other = attempts(4, SECOND // 4), attempts(4, SECOND // 4, host="bob")
    assert sequential_us([*one, *other]) == 2 * SECOND


def test_a_failed_attempt_is_load_but_no_work_saved():
    good, bad = attempts(1, SECOND // 2), attempts(1, SECOND // 2, status="transient")
    assert sequential_us([*good, *bad]) == SECOND // 2


@pytest.mark.parametrize(
    ("sequential_s", "told"),
    [(5, "at least 5.0 times as fast as in sequence"), (0.5, "no gain that the log can show")],
)
def test_the_gain_is_told_as_what_it_is(sequential_s: float, told: str):
    assert SpeedUp("greet", 8, int(sequential_s * SECOND), SECOND).told == told


ASKING = """\
process: ask_first
version: 1
inputs: {people: list}
steps:
  - name: sure
    ask: {question: Greet them all?, choices: ["yes", "no"], default: "no"}
    output: answer
output: answer
"""


def test_the_time_that_a_person_took_is_not_wall_time(session: Session, tmp_path):
    (tmp_path / "process.yaml").write_text(ASKING)
    handle = swarm.run(tmp_path, {"people": ["ann"]})
    with pytest.raises(swarm.SwarmError, match="waits for a decision"):
        handle.result(20)
    time.sleep(0.5)
    handle.decide("", "yes")
    assert handle.result(20).output == "yes"
    view = handle.view()
    assert view.waited_us >= 500_000
    assert view.wall_us == view.last_us - view.opened_us - view.waited_us
    assert handle.cost().wall_us == view.wall_us


def shout(item):
    return item.upper()


def test_the_report_of_convergence_estimates_what_the_page_estimates(session: Session):
    handle = swarm.map(shout, ["ann", "bob", "cid"])
    assert handle.result(20) is not None
    (gain,) = speed_ups(handle.view())
    model = handle.report()["map"]["cost_model"]
    assert model["sequential_us"] == gain.sequential_us > 0
    assert model["below_break_even"] is gain.below_break_even is True
