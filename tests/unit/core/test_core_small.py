"""Stories of the small machines: retry, window, vote, purse, supervisor, tables."""

from enum import Enum

import pytest

from swarm_ray.core import tables
from swarm_ray.core.backlog import Backlog
from swarm_ray.core.events import Row
from swarm_ray.core.patience import GRACE_S, Patience
from swarm_ray.core.plan import Budget, Retry
from swarm_ray.core.purse import Purse
from swarm_ray.core.retry import judge, pause_us
from swarm_ray.core.supervisor import Ended, Granted, Proposed, Refused, Started, Supervisor
from swarm_ray.core.tables import TABLES, advance
from swarm_ray.core.voting import tally
from swarm_ray.core.window import Window
from swarm_ray.errors import InternalError

# -- retry ---------------------------------------------------------------------------------


def test_pauses_grow_up_to_a_ceiling() -> None:
    rule = Retry(10, 100, 2_000_000, 1_000, jitter_ppm=0)
    pauses = [pause_us(Row(0, tried, "transient"), rule, tried, "s") for tried in range(1, 7)]
    assert pauses == [100, 200, 400, 800, 1_000, 1_000]


def test_jitter_lengthens_a_pause_by_at_most_its_share_and_differs_between_items() -> None:
    rule = Retry(initial_interval_us=1_000, jitter_ppm=250_000)
    pauses = {pause_us(Row(item, 1, "transient"), rule, 1, "s") for item in range(200)}
    assert min(pauses) >= 1_000
    assert max(pauses) < 1_250
    assert len(pauses) > 50


def test_the_same_failure_pauses_the_same_in_every_replay() -> None:
    assert pause_us(Row(7, 2, "lost"), Retry(), 2, "s") == pause_us(
        Row(7, 2, "lost"), Retry(), 2, "s"
    )


def test_a_host_may_ask_for_a_longer_pause() -> None:
    row = Row(0, 1, "rate_limited", retry_after_us=9_000_000)
    assert pause_us(row, Retry(), 1, "s") == 9_000_000


@pytest.mark.parametrize(
    ("status", "tried", "identical", "verdict"),
    [
        ("transient", 1, 1, "again"),
        ("rate_limited", 1, 1, "again"),
        ("lost", 2, 1, "again"),
        ("transient", 3, 1, "give_up"),
        ("transient", 1, 3, "give_up"),
        ("input", 1, 1, "give_up"),
        ("containment", 1, 1, "give_up"),
        ("budget", 1, 1, "give_up"),
        ("structural", 1, 1, "abort"),
    ],
)
def test_what_a_failure_means(status: str, tried: int, identical: int, verdict: str) -> None:
    assert judge(status, Retry(), tried, identical) == verdict  # type: ignore[arg-type]


# -- window --------------------------------------------------------------------------------


def test_the_window_stays_between_one_and_its_cap() -> None:
    window = Window(3, adaptive=True)
    for now in range(0, 20_000_000, 1_000_000):
        window.rate_limited(now)
    assert window.limit == 1
    for _ in range(1000):
        window.success()
    assert window.limit == 3


def test_the_window_grows_by_one_per_round_of_successes() -> None:
    window = Window(100, adaptive=True)
    window.limit_ppm = 10_000_000
    for _ in range(11):
        window.success()
    assert window.limit == 11


# -- vote ----------------------------------------------------------------------------------


def test_confidence_decides_a_vote() -> None:
    result = tally([(0, "no", 900_000), (1, "yes", 500_000), (2, "yes", 500_000)])
    assert (result.label, result.item) == ("yes", 1)
    assert result.weights == (("yes", 1_000_000, 2), ("no", 900_000, 1))


def test_answers_without_confidence_weigh_one() -> None:
    assert tally([(0, "no", 0), (1, "yes", 999_999)]).label == "no"


def test_with_equal_weight_the_label_of_more_workers_wins() -> None:
    result = tally([(0, "no", 1_000_000), (1, "yes", 500_000), (2, "yes", 500_000)])
    assert result.label == "yes"


def test_a_tie_has_no_winner() -> None:
    result = tally([(0, "no", 0), (1, "yes", 0)])
    assert (result.label, result.item) == ("", -1)
    assert tally([]).item == -1


# -- purse ---------------------------------------------------------------------------------


def test_a_purse_never_promises_more_than_it_has() -> None:
    purse = Purse(Budget(tokens=100))
    assert purse.reserve(60, 0)
    assert not purse.reserve(41, 0)
    assert purse.reserve(40, 0)
    purse.settle((60, 0), (10, 0))
    assert not purse.reserve(51, 0)
    assert purse.reserve(50, 0)


def test_a_slice_is_held_in_all_purses_or_in_none() -> None:
    run = Purse(Budget(microusd=100))
    swarm = Purse(Budget(microusd=1000), run)
    assert swarm.reserve(0, 80)
    assert not swarm.reserve(0, 30)
    assert (swarm.held_microusd, run.held_microusd) == (80, 80)
    swarm.settle((0, 80), (0, 75))
    assert (swarm.spent_microusd, run.spent_microusd, run.held_microusd) == (75, 75, 0)


def test_zero_means_not_limited() -> None:
    assert Purse(Budget()).reserve(10**12, 10**12)


# -- supervisor ----------------------------------------------------------------------------


def proposed(key: str = "k") -> Proposed:
    return Proposed(key, "run", "step", "files.publish", "body")


def test_a_declared_effect_is_granted_once() -> None:
    supervisor = Supervisor()
    granted = supervisor.judge(proposed(), declared=True)
    assert granted == Granted("k", 1)
    for event in (proposed(), granted, Started("k", 1), Ended("k", "done")):
        supervisor.handle(event)
    assert supervisor.judge(proposed(), declared=True) is None
    assert supervisor.judge(proposed("other"), declared=True) == Granted("other", 2)


def test_an_undeclared_effect_is_refused_for_good() -> None:
    supervisor = Supervisor()
    refused = supervisor.judge(proposed(), declared=False)
    assert refused == Refused("k", "effect.undeclared")
    supervisor.handle(refused)
    assert supervisor.judge(proposed(), declared=True) is None


def test_a_grant_that_was_never_used_stands() -> None:
    supervisor = Supervisor()
    supervisor.handle(proposed())
    supervisor.handle(Granted("k", 1))
    assert supervisor.judge(proposed(), declared=True) == Granted("k", 1)


def test_a_proposal_that_was_never_answered_is_answered() -> None:
    supervisor = Supervisor()
    supervisor.handle(proposed())
    assert supervisor.judge(proposed(), declared=False) == Refused("k", "effect.undeclared")


def test_an_interrupted_effect_is_unknown_and_never_started_again() -> None:
    supervisor = Supervisor()
    for event in (proposed(), Granted("k", 1), Started("k", 1)):
        supervisor.handle(event)
    [ended] = supervisor.interrupted()
    assert ended.status == "unknown"
    supervisor.handle(ended)
    assert supervisor.interrupted() == []
    assert supervisor.judge(proposed(), declared=True) is None


# -- tables and backlog --------------------------------------------------------------------

FINAL = {
    "run": set(),
    "step": {"done"},
    "swarm": {"converged"},
    "item": set(),  # even a result is doubted when its host is caught lying
    "attempt": {"settled", "lost"},
    "host": {"lost"},
}


@pytest.mark.parametrize("name", TABLES)
def test_every_state_is_reached_and_only_the_final_ones_are_not_left(name: str) -> None:
    table = TABLES[name]
    states: list[Enum] = list(type(next(iter(table))[0]))
    reached, seen = [states[0]], {states[0]}
    while reached:
        state = reached.pop()
        for (before, _), after in table.items():
            if before == state and after not in seen:
                seen.add(after)
                reached.append(after)
    assert seen == set(states)
    assert {state for state in states if not any(key[0] == state for key in table)} == FINAL[name]


def test_an_illegal_move_is_a_bug_and_says_so() -> None:
    with pytest.raises(InternalError) as error:
        advance(tables.RUN, tables.RunState.CLOSED, "ask")
    assert error.value.code == "core.illegal_move"
    with pytest.raises(InternalError):
        Backlog(1).move(0, "accept")


def test_items_that_come_back_go_first() -> None:
    backlog = Backlog(3)
    assert backlog.next() == 0
    for trigger in ("want", "dispatch", "fail"):
        backlog.move(0, trigger)
    backlog.again(0)
    assert [backlog.next() for _ in range(4)] == [0, 1, 2, -1]


def test_a_host_that_withholds_results_is_overdue_a_grace_after_the_item_deadline():
    patience, holding = Patience(), {"a": [2_000_000], "b": [1_000_000, 3_000_000], "c": [0, 1]}
    assert patience.overdue(holding, 100.0) == []
    patience.came("b", 110.0)
    assert patience.overdue(holding, 102.0 + GRACE_S) == []
    assert patience.overdue(holding, 102.1 + GRACE_S) == ["a"]
    assert patience.overdue(holding, 113.1 + GRACE_S) == ["a", "b"]
    assert patience.overdue({}, 120.0 + GRACE_S) == []
    assert patience.overdue(holding, 1_000.0) == [], "it held nothing in between"
