"""Stories of one swarm: limits, failures, retries, endings."""

import pytest
from core_story import QUICK, SECOND, Story, begin, kinds, swarm_plan

from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.core.plan import Budget, Convergence, Retry
from swarm_ray.core.swarm import DRAIN_GRACE_US
from swarm_ray.core.tables import ItemState, SwarmState
from swarm_ray.core.traffic import QUEUE_DEPTH, WANT_ROWS


def test_a_swarm_wants_as_many_attempts_as_lanes_and_queues_hold() -> None:
    story = begin(swarm_plan(concurrency=4), items=100)
    most = 4 * (1 + QUEUE_DEPTH)
    assert story.wanted() == list(range(most))
    story.dispatch()
    assert story.wanted() == []
    story.ok(0, 1, 2)
    assert story.wanted() == []  # a window at a time, not an entry for every item
    story.ok(3)
    assert story.wanted() == list(range(most, most + 4))


def test_wants_come_in_rows_of_a_batch() -> None:
    story = begin(swarm_plan(concurrency=100), items=1000)
    wants = story.said_of(cmd.Want)
    assert max(len(want.items) for want in wants) == WANT_ROWS
    assert [item for want in wants for item in want.items] == list(range(100 * (1 + QUEUE_DEPTH)))


def test_results_converge_in_input_order_however_they_arrive() -> None:
    story = begin(swarm_plan(), items=3)
    story.dispatch()
    story.ok(2)
    story.ok(0)
    story.ok(1)
    assert story.said == [cmd.Converge("s1", (0, 1, 2))]


def test_a_late_row_of_an_older_attempt_changes_nothing() -> None:
    story = begin(swarm_plan(), items=1)
    story.dispatch()
    story.fail(0)
    story.timer("backoff", after=SECOND)
    story.dispatch()
    before = story.swarm.usage.attempts
    story.settle(story.row(0, attempt=1))
    assert story.state(0) is ItemState.RUNNING
    assert story.swarm.usage.attempts == before


def test_the_same_row_twice_is_counted_once() -> None:
    story = begin(swarm_plan(), items=2)
    story.dispatch()
    story.ok(0, tokens=7)
    story.ok(0, tokens=7)
    assert story.swarm.usage.tokens == 7
    assert story.swarm.usage.attempts == 1


def test_a_dispatch_that_nobody_wants_any_more_sends_nothing() -> None:
    story = begin(swarm_plan(), items=2)
    attempts = dict(story.swarm.wanted)
    story.dispatch(0)
    story.tell(ev.Dispatched("s1", 9, "ada", 4, (0, 1), (attempts[0], attempts[1])))
    [send] = story.said
    assert send.items == (1,)


# -- failures ------------------------------------------------------------------------------


def test_a_transient_failure_is_tried_again_after_a_pause() -> None:
    story = begin(swarm_plan(), items=1)
    story.dispatch()
    story.fail(0)
    assert story.said == [cmd.SetTimer("s1:backoff", SECOND)]
    assert story.timer("backoff") == [cmd.SetTimer("s1:backoff", SECOND)]
    story.timer("backoff", after=SECOND)
    assert story.said == [cmd.Want("s1", 4, (0,), (2,))]


def test_the_timer_of_a_pause_is_set_once() -> None:
    story = begin(swarm_plan(), items=3)
    story.dispatch()
    story.fail(0)
    assert story.fail(1, after=1000) == []
    story.timer("backoff", after=SECOND - 1000)
    assert story.said_of(cmd.SetTimer) == [cmd.SetTimer("s1:backoff", SECOND + 1000)]


def test_after_the_last_attempt_the_item_has_failed() -> None:
    rule = Retry(max_attempts=2, initial_interval_us=1, jitter_ppm=0)
    story = begin(swarm_plan(retry=rule), items=2)
    story.dispatch()
    story.ok(1)
    story.fail(0, code="net.reset")
    story.timer("backoff", after=1)
    story.dispatch()
    story.fail(0, code="net.timeout")
    assert story.state(0) is ItemState.FAILED
    assert story.closed().code == "swarm.min_success"


def test_identical_failures_in_a_row_end_the_retries_early() -> None:
    rule = Retry(max_attempts=9, max_identical=2, initial_interval_us=1, jitter_ppm=0)
    story = begin(swarm_plan(retry=rule), items=1)
    for code in ("net.reset", "net.timeout", "net.reset", "net.reset"):
        story.dispatch()
        story.fail(0, code=code)
        if story.run.unit or story.swarm.backlog.pauses:
            story.timer("backoff", after=10)
    assert story.main.attempts[0] == 4
    assert story.state(0) is ItemState.FAILED


def test_a_bad_input_is_never_tried_again() -> None:
    story = begin(swarm_plan(), items=2)
    story.dispatch()
    story.fail(0, status="input", code="input.schema")
    assert story.state(0) is ItemState.FAILED
    assert not story.swarm.backlog.pauses


def test_a_structural_failure_aborts_whatever_the_rule_says() -> None:
    story = begin(swarm_plan(convergence=Convergence(failure_action="skip")), items=9)
    story.dispatch()
    story.fail(0, status="structural", code="task.unknown_skill")
    assert kinds(story.said) == ["Withdraw", "SetTimer"]
    assert story.swarm.state is SwarmState.DRAINING
    story.settle(*(story.row(item, "cancelled") for item in list(story.swarm.flights)))
    assert story.closed().code == "task.unknown_skill"


@pytest.mark.parametrize(
    ("action", "state"), [("retry", ItemState.FAILED), ("skip", ItemState.SKIPPED)]
)
def test_what_becomes_of_an_item_that_is_given_up(action: str, state: ItemState) -> None:
    rule = Convergence(failure_action=action, min_success_ppm=500_000)  # type: ignore[arg-type]
    story = begin(swarm_plan(convergence=rule), items=2)
    story.dispatch()
    story.fail(0, status="input")
    story.ok(1)
    assert story.state(0) is state
    assert story.said == [cmd.Converge("s1", (1,), partial=True)]


def test_failure_action_abort_ends_the_swarm_at_the_first_lost_item() -> None:
    rule = Convergence(failure_action="abort", min_success_count=1)
    story = begin(swarm_plan(convergence=rule), items=3)
    story.dispatch()
    story.ok(0)
    story.fail(1, status="input", code="input.empty")
    [withdraw] = story.said_of(cmd.Withdraw)
    assert withdraw.items == (2,)
    story.ok(2)
    assert story.closed().code == "input.empty"
    assert story.main.outputs == {0: "out-0", 2: "out-2"}


# -- people --------------------------------------------------------------------------------


def review_story(items: int = 2) -> Story:
    rule = Convergence(failure_action="review", min_success_ppm=500_000)
    story = begin(swarm_plan(convergence=rule), items=items)
    story.dispatch()
    return story


def test_a_failed_item_is_put_to_a_person_and_the_rest_goes_on() -> None:
    story = review_story()
    story.fail(0, status="input")
    [ask] = story.said
    assert ask.question == "s1/0"
    assert ask.choices == ("retry", "skip", "abort")
    assert story.run.state == "running"
    story.ok(1)
    assert story.run.state == "waiting"
    assert story.run.outstanding()[0] == ask


def test_the_person_says_retry() -> None:
    story = review_story()
    story.fail(0, status="input")
    story.ok(1)
    story.tell(ev.Decided("s1/0", "retry", "ann"))
    assert story.wanted() == [0]
    assert story.run.state == "running"
    story.dispatch()
    story.ok(0)
    assert kinds(story.said) == ["Converge"]


def test_the_person_says_skip() -> None:
    story = review_story()
    story.fail(0, status="input")
    story.ok(1)
    story.tell(ev.Decided("s1/0", "skip", "ann"))
    assert story.state(0) is ItemState.SKIPPED
    assert kinds(story.said) == ["Converge"]


def test_the_person_says_abort() -> None:
    story = review_story(3)
    story.fail(0, status="input")
    story.tell(ev.Decided("s1/0", "abort", "ann"))
    assert kinds(story.said) == ["Withdraw", "SetTimer"]
    story.ok(1, 2)
    assert story.closed().code == "swarm.review"


def test_an_answer_that_is_no_choice_leaves_the_question_open() -> None:
    story = review_story()
    story.fail(0, status="input")
    assert story.tell(ev.Decided("s1/0", "perhaps", "ann")) == []
    assert "s1/0" in story.run.questions


def test_a_question_goes_away_with_its_item() -> None:
    story = review_story()
    story.fail(0, status="input")
    story.tell(ev.CancelAsked("ann", "s1", 0))
    assert story.run.questions == {}
    story.ok(1)
    assert kinds(story.said) == ["Converge"]


def test_questions_go_away_when_the_swarm_ends_without_the_answers() -> None:
    rule = Convergence(failure_action="review", quorum=1)
    story = begin(swarm_plan(convergence=rule), items=3)
    story.dispatch()
    story.fail(0, status="input")
    story.ok(1)
    assert story.run.questions == {}
    story.settle(story.row(2, "cancelled"))
    assert kinds(story.said) == ["Converge"]


# -- endings -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "good"),
    [
        (Convergence(), 4),
        (Convergence(min_success_ppm=500_000), 2),
        (Convergence(min_success_ppm=600_000), 3),
        (Convergence(min_success_count=1), 1),
        (Convergence(quorum=2), 2),
    ],
)
def test_how_many_successes_are_enough(rule: Convergence, good: int) -> None:
    for successes in (good - 1, good):
        story = begin(swarm_plan(convergence=rule), items=4)
        story.dispatch()
        failed = [story.row(item, "input", code="input.schema") for item in range(successes, 4)]
        story.settle(*(story.row(item) for item in range(successes)), *failed)
        expected = "Converge" if successes == good else "Close"
        assert kinds(story.said)[-1] == expected


def test_a_quorum_cancels_the_rest() -> None:
    story = begin(swarm_plan(convergence=Convergence(quorum=2)), items=20)
    story.dispatch()
    story.ok(0, 1)
    [withdraw] = story.said_of(cmd.Withdraw)
    assert withdraw.items == tuple(range(2, 4 * (1 + QUEUE_DEPTH)))
    assert story.state(19) is ItemState.CANCELLED
    story.ok(2)
    story.settle(*(story.row(item, "cancelled") for item in list(story.swarm.flights)))
    assert story.said == [cmd.Converge("s1", (0, 1, 2), partial=True)]


def test_the_deadline_of_a_swarm_keeps_time_for_convergence() -> None:
    rule = Convergence(min_success_count=1, reserve_ppm=200_000)
    story = begin(swarm_plan(deadline_us=10 * SECOND, convergence=rule), items=2)
    assert story.said[0] == cmd.SetTimer("s1:deadline", 8 * SECOND)
    [send] = story.dispatch()
    assert send.deadline_us == 8 * SECOND
    story.ok(0)
    story.timer("deadline", after=8 * SECOND)
    assert kinds(story.said) == ["Withdraw", "SetTimer"]
    story.settle(story.row(1, "cancelled"))
    assert story.said == [cmd.Converge("s1", (0,), partial=True)]


def test_a_deadline_without_enough_results_ends_the_run_as_deadline() -> None:
    story = begin(swarm_plan(deadline_us=10 * SECOND), items=2)
    story.timer("deadline", after=9 * SECOND)
    assert story.closed() == ev.RunClosed("deadline", "", "swarm.deadline")


def test_a_timer_that_fires_too_early_is_set_again() -> None:
    story = begin(swarm_plan(deadline_us=10 * SECOND), items=1)
    story.timer("deadline", after=SECOND)
    assert story.said == [cmd.SetTimer("s1:deadline", 9 * SECOND)]


def test_hosts_that_do_not_answer_a_withdrawal_are_not_waited_for() -> None:
    rule = Convergence(min_success_count=1)
    story = begin(swarm_plan(deadline_us=10 * SECOND, convergence=rule), items=2)
    story.dispatch()
    story.ok(0)
    story.timer("deadline", after=9 * SECOND)
    assert story.timer("drained", after=DRAIN_GRACE_US - 1) == []
    story.timer("drained", after=1)
    assert story.said == [cmd.Converge("s1", (0,), partial=True)]
    assert story.state(1) is ItemState.CANCELLED


# -- budgets -------------------------------------------------------------------------------


def test_no_attempt_starts_without_its_slice() -> None:
    story = begin(swarm_plan(budget=Budget(tokens=250)), items=4, slice_tokens=100)
    assert story.wanted() == [0, 1]
    story.dispatch()
    story.ok(0, tokens=10)
    assert story.wanted() == [2]
    assert story.swarm.purse.held_tokens == 200


def test_what_is_left_of_a_slice_is_used_and_what_is_short_ends_the_swarm() -> None:
    rule = Convergence(min_success_count=2)
    story = begin(
        swarm_plan(budget=Budget(tokens=250), convergence=rule), items=4, slice_tokens=100
    )
    story.dispatch()
    story.ok(0, 1, tokens=100)
    assert story.swarm.ending == "budget"
    assert story.said == [cmd.Converge("s1", (0, 1), partial=True)]


def test_a_budget_without_enough_results_ends_the_run_as_budget() -> None:
    story = begin(swarm_plan(budget=Budget(microusd=150)), items=4, slice_microusd=100)
    story.dispatch()
    story.ok(0, microusd=100)
    assert story.closed().status == "budget"


def test_a_lost_attempt_costs_its_whole_slice() -> None:
    story = begin(swarm_plan(budget=Budget(tokens=1000)), items=1, slice_tokens=100)
    story.dispatch()
    story.tell(ev.HostLost("ada"))
    assert story.swarm.purse.spent_tokens == 100
    assert story.swarm.purse.held_tokens == 0
    assert story.swarm.usage.tokens == 100


def test_the_run_has_the_last_word_on_money() -> None:
    plan = swarm_plan(budget=Budget(tokens=1000), plan={"budget": Budget(tokens=150)})
    story = begin(plan, items=4, slice_tokens=100)
    assert story.wanted() == [0]
    story.dispatch()
    story.ok(0, tokens=60)
    assert story.closed().status == "budget"
    assert story.run.purse.spent_tokens == 60


# -- load ----------------------------------------------------------------------------------


def test_rate_limits_shrink_the_window_and_successes_widen_it_to_the_cap() -> None:
    story = begin(swarm_plan(concurrency=10), items=200)
    story.dispatch()
    story.fail(0, status="rate_limited")
    assert story.swarm.window.limit == 8
    story.fail(1, status="rate_limited", after=1000)
    assert story.swarm.window.limit == 8  # one burst is one signal
    story.fail(2, status="rate_limited", after=SECOND)
    assert story.swarm.window.limit == 6
    while len(story.swarm.outputs) < 60:
        story.ok(next(iter(story.swarm.flights)))
        if story.wanted():
            story.dispatch()
    assert story.swarm.window.limit == 10


def test_a_swarm_that_is_not_adaptive_keeps_its_width() -> None:
    story = begin(swarm_plan(concurrency=10, adaptive=False), items=20)
    story.dispatch()
    story.fail(0, status="rate_limited")
    assert story.swarm.window.limit == 10


# -- cancel one item -----------------------------------------------------------------------


def test_a_running_item_is_withdrawn_and_not_tried_again() -> None:
    story = begin(swarm_plan(convergence=Convergence(min_success_count=1)), items=2)
    story.dispatch()
    story.tell(ev.CancelAsked("ann", "s1", 0))
    withdraw = cmd.Withdraw("s1", "ada", (0,), (1,))
    assert story.said == [withdraw]
    assert withdraw in story.run.outstanding()
    story.fail(0)
    assert story.state(0) is ItemState.CANCELLED
    assert withdraw not in story.run.outstanding()
    story.ok(1)
    assert kinds(story.said) == ["Converge"]


def test_a_cancelled_item_whose_host_dies_stays_cancelled() -> None:
    story = begin(swarm_plan(), items=1)
    story.dispatch()
    story.tell(ev.CancelAsked("ann", "s1", 0))
    story.tell(ev.HostLost("ada"))
    assert story.state(0) is ItemState.CANCELLED


@pytest.mark.parametrize("item", [-5, 1, 10**9])
def test_cancelling_what_is_not_there_changes_nothing(item: int) -> None:
    story = begin(swarm_plan(), items=1)
    before = story.run.state
    assert story.tell(ev.CancelAsked("ann", "s1", max(item, 1))) == []
    assert story.run.state is before


def test_waiting_wanted_and_resting_items_are_cancelled_at_once() -> None:
    story = begin(swarm_plan(concurrency=1, convergence=Convergence(min_success_ppm=0)), items=5)
    story.dispatch(0, lanes=1)
    story.fail(0)
    for item in (0, 1, 4):
        story.tell(ev.CancelAsked("ann", "s1", item))
        assert story.state(item) is ItemState.CANCELLED
    story.dispatch()
    story.ok(2, 3)
    assert story.said == [cmd.Converge("s1", (2, 3), partial=True)]


# -- hosts ---------------------------------------------------------------------------------


def test_the_attempts_of_a_lost_host_are_tried_elsewhere() -> None:
    story = begin(swarm_plan(), items=3)
    story.dispatch(0, 1, host="ada")
    story.dispatch(2, host="bob")
    story.tell(ev.HostLost("ada"))
    story.timer("backoff", after=SECOND)
    assert story.wanted() == [0, 1]
    assert story.swarm.held == {"bob": 1}
    assert story.tell(ev.HostLost("nobody")) == []


def test_after_a_restart_everything_unanswered_is_asked_again() -> None:
    story = begin(swarm_plan(retry=QUICK, deadline_us=100 * SECOND), items=40)
    story.dispatch(0, 1, host="ada", lanes=2)
    story.dispatch(2, host="bob", lanes=2)
    story.fail(0)
    said = story.run.outstanding()
    assert kinds(said) == ["SetTimer", "Send", "Send", "Want", "SetTimer"]
    assert said[1] == cmd.Send("s1", 1, "ada", 2, (1,), (1,), 90 * SECOND)
    assert said[2].items == (2,)
    assert said[3].items == tuple(story.wanted())
