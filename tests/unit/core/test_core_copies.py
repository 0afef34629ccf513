"""Items with copies in a run: how many run, who may take them, what is taken, what it costs."""

import pytest
from core_story import THREE, ZERO, court, kinds

from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.core.apart import Copies
from swarm_ray.core.plan import Agree, Budget, Convergence, Redundancy
from swarm_ray.core.pool import Pool
from swarm_ray.core.tables import ItemState, RunState
from swarm_ray.core.traffic import Traffic


def test_two_of_three_copies_run_at_once_and_the_third_only_where_they_disagree():
    story = court().begin(2)
    assert story.wished() == [(0, 1), (0, 2), (1, 1), (1, 2)]
    for item in (0, 1):
        story.send(item, 1, "a")
        story.send(item, 2, "b")
    story.answer(0, 1, "yes")
    assert story.state(0) is ItemState.RUNNING
    story.answer(0, 2, "yes")
    assert story.state(0) is ItemState.DONE
    story.answer(1, 1, "yes")
    story.answer(1, 2, "no")
    assert story.wished() == [(1, 3)]
    story.send(1, 3, "c")
    story.answer(1, 3, "no")
    assert story.swarm.outputs == {0: "out-yes-1", 1: "out-no-2"}
    assert story.swarm.labels[1][0] == "no"
    assert isinstance(story.run.pending, cmd.Converge)
    assert story.swarm.usage.attempts == 5


def test_copies_of_one_item_go_to_hosts_of_distinct_domains():
    story = court().begin(3)
    domains = {"a1": "org-a", "a2": "org-a", "b1": "org-b", "c1": "org-c"}
    pool, copies = Pool(), Copies()
    for name in domains:
        pool.join(name, "site", 4)
    [want] = [one for one in story.said if isinstance(one, cmd.Want)]
    found: dict[int, list[str]] = {}
    for batch in range(1, 4):
        apart = copies.apart(story.swarm, domains, want.items)
        assert apart is not None
        pool.observe("s", story.swarm.held, story.swarm.lanes)
        attempts = tuple(10 * batch + attempt for attempt in want.attempts)
        for choice in pool.choose("s", 8, want.items, attempts, apart=apart):
            event = ev.Dispatched(
                "s",
                batch,
                choice.host,
                choice.lanes,
                choice.items,
                choice.attempts,
                "",
                domains[choice.host],
            )
            copies.choose(event)  # and it is not in the log yet
            for item in choice.items:
                found.setdefault(item, []).append(domains[choice.host])
    every = ["org-a", "org-b", "org-c"]  # and a fourth domain does not exist
    assert {item: sorted(where) for item, where in found.items()} == dict.fromkeys(range(3), every)


def test_a_domain_that_answered_takes_no_further_copy_of_the_item():
    story = court().begin()
    story.send(0, 1, "a")
    story.send(0, 2, "b")
    story.answer(0, 1, "yes")
    assert story.swarm.barred(0) == ["org-a", "org-b"]
    story.fails(0, 2, "transient", "net.reset")
    assert story.swarm.barred(0) == ["org-a"]  # it did not answer: it may try again


def test_an_outcast_is_given_something_only_where_nobody_else_could_serve():
    pool = Pool()
    for name in ("liar", "honest"):
        pool.join(name, "site", 4)
    story = court().begin(1)
    apart = Copies().apart(story.swarm, {"liar": "x", "honest": "y"}, (0,))
    assert apart is not None
    shunned = type(apart)(apart.domains, {0: []}, {"liar"})
    [choice] = pool.choose("s", 8, (0,), (1,), apart=shunned)
    assert choice.host == "honest"
    last = type(apart)(apart.domains, {1: ["y"]}, {"liar"})
    [choice] = pool.choose("s", 8, (1,), (1,), apart=last)
    assert choice.host == "liar"


def test_no_copy_starts_that_might_not_be_needed():
    story = court(Redundancy(5, "organisation", Agree("label"))).begin()
    for attempt, host in enumerate("abc", 1):
        story.send(0, attempt, host)
    story.answer(0, 1, "yes")
    story.answer(0, 2, "no")
    assert story.wished() == []  # the third is still out
    story.answer(0, 3, "no")
    assert story.wished() == [(0, 4)]
    story.send(0, 4, "d")
    story.answer(0, 4, "no")
    assert story.state(0) is ItemState.DONE


def test_hesitant_copies_do_not_end_a_vote_that_a_certain_one_could_turn():
    story = court().begin()
    story.send(0, 1, "a")
    story.send(0, 2, "b")
    story.answer(0, 1, "yes", confidence_ppm=300_000)
    story.answer(0, 2, "yes", confidence_ppm=300_000)
    assert story.wished() == [(0, 3)]


def test_copies_of_an_item_that_was_given_up_are_withdrawn():
    story = court(Redundancy(7, "organisation", Agree("label"))).begin(1, domains=9)
    for attempt, host in enumerate("abcd", 1):
        story.send(0, attempt, host)
    for attempt in (1, 2):
        story.fails(0, attempt, "transient", f"net.reset{attempt}")
    said = story.fails(0, 3, "transient", "net.gone")
    assert story.state(0) is ItemState.FAILED
    [withdrawn] = [one for one in said if isinstance(one, cmd.Withdraw)]
    assert (withdrawn.host, withdrawn.items, withdrawn.attempts) == ("d", (0,), (4,))
    assert [one for one in story.run.outstanding() if isinstance(one, cmd.Withdraw)] == [withdrawn]
    assert story.run.state is RunState.RUNNING
    story.fails(0, 4, "cancelled", "attempt.withdrawn")
    assert story.swarm.finished


def test_one_host_cannot_fail_an_item_nor_abort_the_swarm():
    story = court(convergence=Convergence(failure_action="abort")).begin()
    story.send(0, 1, "a")
    story.send(0, 2, "b")
    story.fails(0, 1, "structural", "definition.wrong")
    story.answer(0, 2, "yes")
    assert story.wished() == [(0, 3)]
    story.send(0, 3, "c")
    story.answer(0, 3, "yes")
    assert isinstance(story.run.pending, cmd.Converge)


def test_a_failure_that_two_domains_see_is_one():
    story = court(convergence=Convergence(failure_action="skip", min_success_count=1)).begin(2)
    for attempt, host in enumerate("ab", 1):
        story.send(0, attempt, host)
        story.fails(0, attempt, "input", "skill.raised")
    assert story.state(0) is ItemState.SKIPPED
    assert story.swarm.failures[0][0] == "skill.raised"
    structural = court().begin()
    for attempt, host in enumerate("ab", 1):
        structural.send(0, attempt, host)
        structural.fails(0, attempt, "structural", "definition.wrong")
    assert structural.swarm.code == "definition.wrong"


def test_a_copy_is_tried_again_on_its_own_and_costs_no_try_of_the_others():
    story = court().begin()
    story.send(0, 1, "a")
    story.send(0, 2, "b")
    story.fails(0, 1, "transient", "net.reset")
    assert story.state(0) is ItemState.RUNNING  # the other copy goes on
    story.answer(0, 2, "yes")
    assert story.wished() == [(0, 3)]
    for attempt in (3, 4):
        story.send(0, attempt, "c")
        story.fails(0, attempt, "transient", f"net.reset{attempt}")
        story.timer("backoff", after=60_000_000)
    assert story.state(0) is ItemState.WANTED  # three tries since the last answer
    story.send(0, 5, "c")
    story.fails(0, 5, "transient", "net.again")
    assert story.state(0) is ItemState.FAILED


def test_every_copy_is_charged_to_the_budget():
    story = court(budget=Budget(tokens=25), slice=Budget(tokens=10)).begin(3, tokens=10)
    assert len(story.wished()) == 2
    story.send(0, 1, "a")
    story.send(0, 2, "b")
    story.answer(0, 1, "yes", tokens=10)
    story.answer(0, 2, "yes", tokens=10)
    assert story.swarm.code == "budget.exhausted"
    assert story.swarm.purse.spent_tokens == 20
    assert story.swarm.purse.held_tokens == 0
    assert list(story.swarm.outputs) == [0]


def test_a_disagreement_goes_to_one_more_domain_and_fails_where_there_is_none():
    story = court().begin(1, domains=4)
    for attempt, host in enumerate("abcd", 1):
        story.send(0, attempt, host)
        story.answer(0, attempt, f"answer-{min(attempt, 3)}")
    assert story.swarm.outputs == {0: "out-answer-3-3"}  # two of four: the heaviest
    alone = court().begin(1, domains=3)
    for attempt, host in enumerate("abc", 1):
        alone.send(0, attempt, host)
        alone.answer(0, attempt, f"answer-{attempt}")
    assert alone.state(0) is ItemState.FAILED
    assert alone.swarm.failures[0][0] == "redundancy.disagreement"


def test_a_person_decides_between_the_answers():
    rule = Redundancy(2, "organisation", Agree("label"), tiebreak="human")
    story = court(rule).begin()
    story.send(0, 1, "a")
    story.send(0, 2, "b")
    story.answer(0, 1, "yes")
    story.answer(0, 2, "no")
    [asked] = story.said_of(cmd.Ask)
    assert asked.choices == ("attempt 1", "attempt 2", "retry", "skip", "abort")
    assert story.run.state is RunState.WAITING
    story.tell(ev.Decided(asked.question, "attempt 2", "ann"))
    assert story.swarm.outputs == {0: "out-no-2"}
    assert isinstance(story.run.pending, cmd.Converge)
    assert story.swarm.panel is not None
    assert story.swarm.panel.reputation.hosts["a"].failures == 1


def test_a_person_can_have_all_copies_made_anew():
    rule = Redundancy(2, "organisation", Agree("label"), tiebreak="human")
    story = court(rule).begin()
    for attempt, host in enumerate("ab", 1):
        story.send(0, attempt, host)
        story.answer(0, attempt, host)
    [asked] = story.said_of(cmd.Ask)
    story.tell(ev.Decided(asked.question, "retry", "ann"))
    assert story.wished() == [(0, 3), (0, 4)]
    assert story.swarm.barred(0) == []


def test_the_declared_answer_is_taken_where_copies_disagree():
    rule = Redundancy(2, "organisation", Agree("label"), tiebreak="conservative")
    story = court(rule).begin(default="the default")
    for attempt, host in enumerate("ab", 1):
        story.send(0, attempt, host)
        story.answer(0, attempt, host)
    assert story.swarm.outputs == {0: "the default"}


def test_equal_outputs_are_those_that_the_coordinator_found_alike():
    story = court(Redundancy(3, "organisation")).begin()
    for attempt, host in enumerate("abc", 1):
        story.send(0, attempt, host) if attempt < 3 else None
    story.answer(0, 1, "same label", alike=1)
    story.answer(0, 2, "same label", alike=2)
    assert story.wished() == [(0, 3)]
    story.send(0, 3, "c")
    story.answer(0, 3, "same label", alike=1)
    assert story.swarm.outputs == {0: "out-same label-1"}


def test_a_lost_host_loses_its_copy_only():
    story = court().begin()
    story.send(0, 1, "a")
    story.send(0, 2, "b")
    story.answer(0, 1, "yes")
    story.tell(ev.HostLost("b", "silent"))
    assert story.state(0) is ItemState.BACKOFF
    story.timer("backoff", after=60_000_000)
    assert story.wished() == [(0, 3)]
    assert story.swarm.barred(0) == ["org-a"]


def test_a_cancelled_item_is_cancelled_when_its_last_copy_ended():
    story = court().begin(2)
    story.send(0, 1, "a")
    story.send(0, 2, "b")
    said = story.tell(ev.CancelAsked("ann", "s", 0))
    assert kinds(said) == ["Withdraw", "Withdraw"]
    story.fails(0, 1, "cancelled", "attempt.withdrawn")
    assert story.state(0) is ItemState.RUNNING
    story.fails(0, 2, "cancelled", "attempt.withdrawn")
    assert story.state(0) is ItemState.CANCELLED


def test_after_a_restart_what_is_out_is_sent_and_what_is_not_needed_withdrawn():
    story = court(Redundancy(5, "organisation", Agree("label"))).begin(2)
    for attempt, host in enumerate("abc", 1):
        story.send(0, attempt, host)
    swarm = story.swarm
    story.tell(ev.CancelAsked("ann", "s", 0))
    again = story.run.outstanding()
    sent = [(one.host, one.items, one.attempts) for one in again if isinstance(one, cmd.Send)]
    assert sent == [("a", (0,), (1,)), ("b", (0,), (2,)), ("c", (0,), (3,))]
    assert sorted(one.host for one in again if isinstance(one, cmd.Withdraw)) == ["a", "b", "c"]
    wanted = [one for one in again if isinstance(one, cmd.Want)]
    assert [(one.items, one.attempts) for one in wanted] == [((1, 1, 1), (1, 2, 3))]
    assert isinstance(swarm, Traffic)


@pytest.mark.parametrize("kind", ["step", "converge"])
def test_only_items_of_a_fan_out_have_copies(kind: str):
    from swarm_ray.core.panel import panel_of

    assert panel_of(THREE, ev.SwarmOpened("s", kind, 0, 1, 1, ZERO, ZERO)) is None  # type: ignore[arg-type]
    assert panel_of(None, ev.SwarmOpened("s", "fan_out", 0, 1, 1, ZERO, ZERO)) is None
