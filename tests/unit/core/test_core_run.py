"""Stories of whole runs: steps, convergence, reactions, people, effects, cancel, resume."""

import pytest
from core_story import SECOND, ZERO, Story, begin, kinds, plan_of, swarm_plan

from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.core.plan import Budget, Clause, Convergence, Effect, Question, Retry, Step
from swarm_ray.core.tables import ItemState, RunState, StepState, SwarmState
from swarm_ray.errors import InternalError

GO_ON = Question("Go on?", ("yes", "no"), "no", 5 * SECOND)


def test_steps_run_in_order_and_the_last_output_is_the_result() -> None:
    plan = plan_of(Step("a", output="x", task="one"), Step("b", output="y", task="two"))
    story = Story(plan).open()
    assert story.said == [cmd.Prepare(0, 1, "step")]
    story.finish_unit()
    assert story.said == [cmd.Prepare(1, 2, "step")]
    assert story.run.outputs == {"x": "out-0"}
    story.finish_unit(output="end")
    assert story.closed() == ev.RunClosed("done", "end")


def test_a_process_names_its_output() -> None:
    plan = plan_of(Step("a", output="x", task="one"), Step("b", output="y", task="two"), output="x")
    story = Story(plan).open()
    story.finish_unit(output="wanted")
    story.finish_unit(output="other")
    assert story.closed().output == "wanted"


def test_a_closed_run_ignores_everything_but_resume() -> None:
    story = Story(plan_of(Step("a", task="one"))).open()
    story.finish_unit()
    story.closed()
    for event in (ev.TimerFired("run:deadline"), ev.CancelAsked("ann"), ev.HostLost("ada")):
        assert story.tell(event) == []
    assert story.run.outstanding() == []


def test_opening_twice_is_a_bug_and_says_so() -> None:
    with pytest.raises(InternalError) as error:
        Story(plan_of(Step("a", task="one"))).open().open()
    assert error.value.code == "core.opened_twice"


def test_resuming_a_run_that_is_done_closes_it_again() -> None:
    story = Story(plan_of(Step("a", output="x", task="one"))).open()
    story.finish_unit()
    story.closed()
    story.tell(ev.RunResumed("ann"))
    assert story.closed() == ev.RunClosed("done", "out-0")


def test_a_step_that_does_not_fit_fails_the_run() -> None:
    story = Story(swarm_plan()).open()
    story.tell(ev.StepRefused(0, 1, "input.not_a_list"))
    assert story.closed() == ev.RunClosed("failed", "", "input.not_a_list")


def test_an_empty_input_set_converges_at_once() -> None:
    story = Story(swarm_plan()).open()
    story.prepared(0)
    assert story.said == [cmd.Converge("s1", ())]


def test_answers_that_come_twice_count_once() -> None:
    story = Story(swarm_plan()).open()
    story.prepared(1)
    opened = story.events[-1][0]
    assert story.tell(opened) == []
    story.placed()
    placed = story.events[-1][0]
    assert story.tell(placed) == []
    story.dispatch()
    story.ok(0)
    story.converged()
    converged = story.events[-1][0]
    assert story.tell(converged) == []
    assert story.closed().status == "done"


def test_an_answer_for_an_older_swarm_is_not_taken_for_this_one() -> None:
    plan = plan_of(
        Step("a", output="x", fan_out=swarm_plan().steps[0].fan_out),
        Step("b", output="y", fan_out=swarm_plan().steps[0].fan_out),
    )
    story = Story(plan).open()
    story.finish_swarm(2)
    story.converged()
    story.finish_swarm(2)
    assert story.tell(ev.Converged("s1", "old", ZERO)) == []
    assert story.tell(ev.ConvergeRefused("s1", "gate.old")) == []
    story.converged()
    assert story.closed().output == "result-of-s2"


# -- convergence ---------------------------------------------------------------------------


def test_a_vote_takes_the_answer_of_the_winner() -> None:
    story = begin(swarm_plan(convergence=Convergence("vote")), items=3)
    story.dispatch()
    story.ok(0, label="no", confidence_ppm=900_000)
    story.ok(1, 2, label="yes", confidence_ppm=500_000)
    assert story.said == [cmd.Converge("s1", (0, 1, 2), winner=1)]


def test_a_tied_vote_fails() -> None:
    story = begin(swarm_plan(convergence=Convergence("vote")), items=2)
    story.dispatch()
    story.ok(0, label="no")
    story.ok(1, label="yes")
    assert story.closed().code == "vote.tied"


def test_a_vote_of_nobody_fails() -> None:
    story = begin(swarm_plan(convergence=Convergence("vote", min_success_ppm=0)), items=1)
    story.dispatch()
    story.fail(0, status="input")
    assert story.closed().code == "vote.empty"


@pytest.mark.parametrize("strategy", ["merge", "reduce", "custom"])
def test_a_user_written_convergence_is_a_swarm_of_one(strategy: str) -> None:
    rule = Convergence(strategy, "join")  # type: ignore[arg-type]
    story = Story(swarm_plan(convergence=rule)).open()
    story.finish_swarm(2)
    assert story.said == [cmd.Prepare(0, 2, "converge", "s1")]
    story.finish_unit(output="merged")
    assert story.said == [cmd.Converge("s1", (0, 1), "merged")]
    assert story.main.spec.convergence.strategy == strategy


def test_a_convergence_that_fails_fails_the_step_and_keeps_the_results() -> None:
    rule = Convergence("merge", "join")
    story = Story(swarm_plan(convergence=rule)).open()
    story.finish_swarm(2)
    story.finish_unit(status="structural", code="join.broken")
    assert story.closed().code == "join.broken"
    assert story.run.swarms["s1"].outputs == {0: "out-0", 1: "out-1"}


def test_a_convergence_has_what_is_left_of_the_deadline() -> None:
    rule = Convergence("merge", "join")
    story = begin(swarm_plan(convergence=rule, deadline_us=10 * SECOND), items=1)
    story.dispatch()
    story.settle(story.row(0), after=9 * SECOND)
    story.working()
    assert story.swarm.work_until_us == 10 * SECOND
    story.timer("deadline", after=SECOND)
    assert story.closed().status == "deadline"


def test_a_gate_that_refuses_the_result_names_itself() -> None:
    story = Story(swarm_plan()).open()
    story.finish_swarm(1)
    story.tell(ev.ConvergeRefused("s1", "gate.verdict"))
    assert story.closed().code == "gate.verdict"


# -- reactions -----------------------------------------------------------------------------


def failing(*clauses: Clause, items: int = 4, failed: int = 2) -> Story:
    """A fan-out in which some items failed for good and the rule wants all of them."""
    story = begin(swarm_plan(step={"on_error": clauses}), items=items)
    story.dispatch()
    story.fail(*range(failed), status="input", code="input.schema")
    if failed < items:
        story.ok(*range(failed, items))
    return story


def test_on_error_retry_starts_a_new_swarm() -> None:
    story = failing(Clause("retry"))
    assert story.said == [cmd.Prepare(0, 2, "fan_out")]
    story.finish_swarm(4)
    story.converged()
    assert story.closed().output == "result-of-s2"


def test_on_error_proceed_goes_on_with_what_there_is() -> None:
    story = failing(Clause("proceed"))
    assert story.said == [cmd.Converge("s1", (2, 3), partial=True)]
    story.converged()
    assert story.closed().status == "done"


def test_on_error_sequential_tries_the_failed_ones_one_at_a_time() -> None:
    story = failing(Clause("sequential"))
    assert story.said == [cmd.Want("s1", 1, (0, 1), (2, 2))]
    story.dispatch(lanes=1)
    story.ok(0, 1)
    assert story.said == [cmd.Converge("s1", (0, 1, 2, 3))]


def test_on_error_escalate_asks_a_person() -> None:
    story = failing(Clause("escalate", max_times=2))
    [ask] = story.said
    assert ask.choices == ("retry", "proceed", "sequential", "abort")
    assert story.run.state is RunState.WAITING
    story.tell(ev.Decided(ask.question, "sequential", "ann"))
    assert story.wanted() == [0, 1]
    story.dispatch()
    story.fail(0, 1, status="input")
    [again] = story.said
    assert again.question != ask.question
    assert story.tell(ev.Decided(ask.question, "proceed", "late")) == []
    story.tell(ev.Decided(again.question, "proceed", "ann"))
    assert kinds(story.said) == ["Converge"]


def test_the_person_aborts() -> None:
    story = failing(Clause("escalate"))
    story.tell(ev.Decided(story.said[0].question, "abort", "ann"))  # type: ignore[union-attr]
    assert story.closed() == ev.RunClosed("failed", "", "swarm.min_success")


def test_clauses_apply_in_order_and_only_with_enough_successes() -> None:
    story = failing(Clause("proceed", min_success_ppm=800_000), Clause("sequential"))
    assert kinds(story.said) == ["Want"]


def test_a_clause_is_used_up() -> None:
    story = failing(Clause("sequential", max_times=2))
    for _ in range(2):
        assert story.wanted() == [0, 1]
        story.dispatch()
        story.fail(0, 1, status="input")
    assert story.closed().code == "swarm.min_success"


def test_a_task_clause_says_what_to_do() -> None:
    story = failing(Clause("retry", task="judge"))
    assert story.said == [cmd.Prepare(0, 2, "on_error", "s1", 0)]
    story.finish_unit(label="proceed")
    assert story.said == [cmd.Converge("s1", (2, 3), partial=True)]


def test_a_task_clause_without_a_word_falls_back_to_its_reaction() -> None:
    story = failing(Clause("sequential", task="judge"))
    story.finish_unit()
    assert story.wanted() == [0, 1]


def test_a_task_clause_that_fails_gives_way_to_the_next() -> None:
    story = failing(Clause("retry", task="judge"), Clause("proceed"))
    story.finish_unit(status="input", code="judge.broken")
    assert kinds(story.said) == ["Converge"]


def test_a_task_clause_that_cannot_be_prepared_gives_way_to_the_next() -> None:
    story = failing(Clause("retry", task="judge"), Clause("proceed"))
    story.tell(ev.StepRefused(0, 2, "judge.refused", kind="on_error"))
    assert kinds(story.said) == ["Converge"]


def test_a_convergence_that_cannot_be_prepared_is_reacted_to() -> None:
    rule = Convergence("merge", "join")
    story = Story(swarm_plan(convergence=rule, step={"on_error": (Clause("retry"),)})).open()
    story.finish_swarm(1)
    story.tell(ev.StepRefused(0, 2, "join.refused", kind="converge"))
    assert story.said == [cmd.Prepare(0, 3, "fan_out")]


def test_proceeding_needs_results_of_a_fan_out() -> None:
    plan = plan_of(Step("a", task="one", on_error=(Clause("proceed"),)))
    story = Story(plan).open()
    story.finish_unit(status="input", code="one.broken")
    assert story.closed().code == "one.broken"


# -- people and effects --------------------------------------------------------------------


def test_a_question_waits_for_a_person() -> None:
    story = Story(plan_of(Step("ask", output="word", question=GO_ON))).open()
    assert story.said == [cmd.Ask("0", "Go on?", ("yes", "no"), "no", 5 * SECOND)]
    assert story.run.state is RunState.WAITING
    story.tell(ev.Decided("0", "yes", "ann", outcome="yes-body"))
    assert story.closed() == ev.RunClosed("done", "yes-body")


def test_a_deadline_does_not_wait_for_a_person() -> None:
    story = Story(plan_of(Step("ask", question=GO_ON), deadline_us=SECOND)).open()
    story.timer("run:deadline", after=SECOND)
    assert story.closed() == ev.RunClosed("deadline", "", "run.deadline")


def test_a_deadline_waits_if_the_question_says_so() -> None:
    question = Question("Go on?", ("yes", "no"), "no", holds_deadline=True)
    plan = plan_of(Step("ask", question=question), Step("b", task="two"), deadline_us=SECOND)
    story = Story(plan).open()
    assert story.timer("run:deadline", after=3 * SECOND) == []
    story.tell(ev.Decided("0", "yes", "ann"), after=SECOND)
    assert story.said[0] == cmd.SetTimer("run:deadline", 5 * SECOND)
    assert story.timer("run:deadline") == [cmd.SetTimer("run:deadline", 5 * SECOND)]
    story.timer("run:deadline", after=SECOND)
    assert story.closed().status == "deadline"


def test_an_effect_is_proposed_under_one_key() -> None:
    plan = plan_of(Step("post", output="posted", effect=Effect("files.publish", "{}")))
    story = Story(plan).open()
    assert story.said == [cmd.Propose(0, "run-1/post/0/0")]
    assert story.run.outstanding() == story.said
    assert story.tell(ev.EffectSettled(0, "another/key", "done")) == []
    story.tell(ev.EffectSettled(0, "run-1/post/0/0", "done", "outcome"))
    assert story.closed() == ev.RunClosed("done", "outcome")


@pytest.mark.parametrize("status", ["refused", "failed", "unknown"])
def test_an_effect_that_did_not_happen_fails_the_run(status: str) -> None:
    story = Story(plan_of(Step("post", effect=Effect("files.publish", "{}")))).open()
    story.tell(ev.EffectSettled(0, "run-1/post/0/0", status))  # type: ignore[arg-type]
    assert story.closed().code == f"effect.{status}"


# -- cancel and deadlines of the run -------------------------------------------------------


def test_cancelling_a_run_withdraws_what_is_out_and_keeps_what_is_done() -> None:
    story = begin(swarm_plan(), items=3)
    story.dispatch()
    story.ok(0)
    story.tell(ev.CancelAsked("ann"))
    assert kinds(story.said) == ["Withdraw", "SetTimer"]
    assert story.tell(ev.CancelAsked("ann")) == []
    story.ok(1)
    story.settle(story.row(2, "cancelled"))
    assert story.closed() == ev.RunClosed("cancelled", "", "run.cancelled")
    assert sorted(story.main.outputs) == [0, 1]


def test_cancel_while_preparing() -> None:
    story = Story(swarm_plan()).open()
    story.tell(ev.CancelAsked("ann"))
    assert kinds(story.said) == ["Close"]
    assert story.tell(ev.SwarmOpened("s1", "fan_out", 0, 1, 3, ZERO, ZERO)) == []
    assert story.closed().status == "cancelled"


def test_cancel_while_placing_and_resume() -> None:
    story = Story(swarm_plan()).open()
    story.prepared(3)
    story.tell(ev.CancelAsked("ann"))
    assert story.tell(ev.Placed("s1", ZERO, ((3, ""),))) == []
    assert kinds(story.run.outstanding()) == ["Close"]
    assert story.run.swarms["s1"].state is SwarmState.ABORTED
    story.closed()
    story.tell(ev.RunResumed("ann"))
    assert story.said == [cmd.Prepare(0, 2, "fan_out")]


def test_cancel_while_a_convergence_is_prepared_or_placed() -> None:
    for answers in (0, 1):
        story = Story(swarm_plan(convergence=Convergence("merge", "join"))).open()
        story.finish_swarm(1)
        for _ in range(answers):
            story.prepared()
        story.tell(ev.CancelAsked("ann"))
        assert story.closed().status == "cancelled"
        story.tell(ev.RunResumed("ann"))
        assert kinds(story.said) == ["Prepare"]
        story.finish_unit()
        story.converged()
        assert story.closed().status == "done"


def test_cancel_while_an_error_task_is_placed() -> None:
    story = failing(Clause("retry", task="judge"))
    story.prepared()
    story.tell(ev.CancelAsked("ann"))
    assert story.closed().status == "cancelled"


def test_cancel_while_merging_lets_the_step_end() -> None:
    story = Story(plan_of(*swarm_plan().steps, Step("b", task="two"))).open()
    story.finish_swarm(1)
    assert story.tell(ev.CancelAsked("ann")) == []
    story.converged()
    assert story.closed().status == "cancelled"
    assert story.tell(ev.RunResumed("ann")) == [cmd.Prepare(1, 2, "step")]


def test_cancel_while_waiting_for_a_person() -> None:
    story = failing(Clause("escalate"))
    story.tell(ev.CancelAsked("ann"))
    assert story.closed().status == "cancelled"
    assert story.run.questions == {}


def test_the_deadline_of_a_run_reaches_its_swarms() -> None:
    rule = Convergence(min_success_count=1, reserve_ppm=100_000)
    story = begin(swarm_plan(convergence=rule, plan={"deadline_us": 10 * SECOND}), items=2)
    story.dispatch()
    story.ok(0)
    story.timer("deadline", after=9 * SECOND)
    story.settle(story.row(1, "cancelled"))
    assert kinds(story.said) == ["Converge"]


def test_a_deadline_while_draining_ends_as_deadline() -> None:
    rule = Convergence(quorum=1)
    story = begin(swarm_plan(convergence=rule, plan={"deadline_us": SECOND}), items=2)
    story.dispatch()
    story.ok(0)
    story.timer("run:deadline", after=SECOND)
    story.settle(story.row(1, "cancelled"))
    assert story.closed().status == "deadline"


# -- resume --------------------------------------------------------------------------------


def test_resume_failed_tries_only_what_has_no_result() -> None:
    story = failing()
    assert story.closed().status == "failed"
    story.tell(ev.RunResumed("ann"))
    assert story.said == [cmd.Want("s1", 4, (0, 1), (2, 2))]
    story.dispatch()
    story.ok(0, 1)
    assert story.said == [cmd.Converge("s1", (0, 1, 2, 3))]


def test_resumed_items_have_all_their_attempts_again() -> None:
    rule = Retry(max_attempts=2, initial_interval_us=1, jitter_ppm=0)
    story = begin(swarm_plan(retry=rule), items=1)
    for _ in range(2):
        story.dispatch()
        story.fail(0)
        if story.main.backlog.pauses:
            story.timer("backoff", after=10)
    story.closed()
    story.tell(ev.RunResumed("ann"))
    story.dispatch()
    story.fail(0)
    assert story.state(0) is ItemState.BACKOFF


def test_resume_from_the_failed_step_on() -> None:
    story = failing()
    story.closed()
    story.tell(ev.RunResumed("ann", failed=False))
    assert story.said == [cmd.Prepare(0, 2, "fan_out")]


def test_resume_after_a_convergence_failed_merges_again() -> None:
    story = Story(swarm_plan()).open()
    story.finish_swarm(2)
    story.tell(ev.ConvergeRefused("s1", "gate.verdict"))
    story.closed()
    story.tell(ev.RunResumed("ann"))
    assert story.said == [cmd.Converge("s1", (0, 1))]


def test_resume_an_effect_and_a_question() -> None:
    for step in (Step("x", effect=Effect("files.publish", "{}")), Step("x", question=GO_ON)):
        story = Story(plan_of(step)).open()
        if step.effect:
            story.tell(ev.EffectSettled(0, "run-1/x/0/0", "failed"))
        else:
            story.tell(ev.CancelAsked("ann"))
        story.closed()
        asked = story.tell(ev.RunResumed("ann"))
        assert kinds(asked) == ["Propose" if step.effect else "Ask"]


def test_resume_gives_the_run_its_time_but_not_its_money_again() -> None:
    plan = swarm_plan(plan={"deadline_us": SECOND, "budget": Budget(tokens=100)})
    story = begin(plan, items=2, slice_tokens=100)
    story.dispatch()
    story.ok(0, tokens=50)
    assert story.closed().status == "budget"
    story.tell(ev.RunResumed("ann"), after=5 * SECOND)
    assert story.said[0] == cmd.SetTimer("run:deadline", 6 * SECOND)
    assert story.run.pending == cmd.Close("budget", "", "budget.exhausted")


def test_resuming_an_open_run_changes_nothing() -> None:
    story = begin(swarm_plan(), items=1)
    assert story.tell(ev.RunResumed("ann")) == []
    assert story.run.steps == [StepState.SWARMING]
