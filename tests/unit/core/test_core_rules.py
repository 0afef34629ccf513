"""Results that break a rule of their swarm: excluded, tried again among our own, put to a person."""

import pytest
from core_story import THREE, Story, court, swarm_plan

from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.core.apart import Copies
from swarm_ray.core.plan import Agree, Convergence, Redundancy, Rule
from swarm_ray.core.pool import Pool
from swarm_ray.core.tables import ItemState


def ruled(consequence: str, **more: object) -> Story:
    rules = (Rule("results", ""), Rule("output", consequence))  # type: ignore[arg-type]
    plan = swarm_plan(rules=rules, convergence=Convergence(min_success_count=1), **more)
    return Story(plan).open().working(2)


def test_a_result_that_breaks_a_rule_is_excluded():
    story = ruled("exclude")
    story.dispatch()
    story.settle(story.row(0, rule=2), story.row(1))
    assert story.state(0) is ItemState.SKIPPED
    assert story.main.failures[0] == ("validation.rule_2", 1)
    assert list(story.main.outputs) == [1]
    assert isinstance(story.run.pending, cmd.Converge)


def test_a_person_decides_about_a_result_that_breaks_a_rule():
    story = ruled("escalate")
    story.dispatch()
    story.settle(story.row(0, rule=2), story.row(1))
    [asked] = story.said_of(cmd.Ask)
    story.tell(ev.Decided(asked.question, "retry", "ann"))
    story.dispatch()
    story.ok(0)
    assert story.main.succeeded == 2


def test_a_result_that_breaks_a_rule_is_tried_again_by_our_own_hosts_only():
    story = ruled("retry_trusted")
    story.dispatch()
    story.settle(story.row(0, rule=2), story.row(1))
    assert story.state(0) is ItemState.BACKOFF
    story.timer("backoff", after=5_000_000)
    domains = {"ours": "ours", "theirs": "theirs"}
    pool = Pool()
    for name in domains:
        pool.join(name, "site", 4)
    apart = Copies().apart(story.main, domains, (0,), ["ours"])
    [choice] = pool.choose("s", 4, (0,), (2,), apart=apart)
    assert choice.host == "ours"
    assert Copies().apart(story.main, domains, (1,), ["ours"]) is None
    for _ in range(2):
        story.dispatch()
        story.settle(story.row(0, rule=2))
        story.timer("backoff", after=60_000_000)
    assert story.state(0) is ItemState.FAILED  # as often as `retry` allows


def test_an_abort_withdraws_a_result_that_breaks_a_rule_like_any_failure():
    story = ruled("escalate")
    story.dispatch()
    story.tell(ev.CancelAsked("ann", story.main.id, 0))
    story.settle(story.row(0, rule=2), story.row(1))
    assert story.state(0) is ItemState.CANCELLED


@pytest.mark.parametrize("consequence", ["exclude", "escalate", "retry_trusted"])
def test_a_copy_that_breaks_a_rule_is_outvoted_and_speaks_against_its_host(consequence: str):
    story = court(THREE, rules=(Rule("output", consequence),)).begin()  # type: ignore[arg-type]
    story.send(0, 1, "a")
    story.send(0, 2, "b")
    story.answer(0, 1, "wrong", rule=1)
    story.answer(0, 2, "right")
    assert story.wished() == [(0, 3)]
    assert story.swarm.barred(0) == ["org-a", "org-b"]  # it had its say
    story.send(0, 3, "c")
    story.answer(0, 3, "right")
    assert story.swarm.outputs == {0: "out-right-2"}
    panel = story.swarm.panel
    assert panel is not None
    assert panel.reputation.hosts["a"].failures == 1


@pytest.mark.parametrize(
    ("consequence", "state"),
    [
        ("exclude", ItemState.SKIPPED),
        ("escalate", ItemState.REVIEW),
        ("retry_trusted", ItemState.FAILED),
    ],
)
def test_copies_that_agree_on_breaking_a_rule_have_its_consequence(consequence, state):
    rule = Redundancy(3, "organisation", Agree("label"))
    story = court(rule, rules=(Rule("results"), Rule("output", consequence))).begin()
    for attempt, host in enumerate("ab", 1):
        story.send(0, attempt, host)
        story.answer(0, attempt, f"wrong-{host}", rule=2)
    assert story.state(0) is state
    assert story.swarm.failures[0][0] == "validation.rule_2"


def test_a_worker_cannot_claim_to_break_a_rule():
    rule = Redundancy(3, "organisation", Agree("label"))
    story = court(rule, rules=(Rule("output", "exclude"),)).begin()
    story.send(0, 1, "a")
    story.send(0, 2, "b")
    story.fails(0, 1, "input", "validation.rule_1")
    story.answer(0, 2, "wrong", rule=1)
    assert story.wished() == [(0, 3)]  # a claim and a finding are not equal
