"""Items that no connected host may take: said at once, waited for with patience, and then ended."""

from core_story import THREE, Court, Story, court, swarm_plan

from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.core.apart import Apart
from swarm_ray.core.plan import Convergence, Rule
from swarm_ray.core.snapshot import freeze, thaw
from swarm_ray.core.stranding import DOMAIN_PATIENCE_US
from swarm_ray.core.tables import SwarmState

SECOND = 1_000_000


def torn(**more: object) -> Court:
    """Two items; of the first the copies disagree, and who could decide is gone."""
    story = court(THREE, **more).begin(2)  # type: ignore[arg-type]
    for attempt, host in enumerate("ab", 1):
        story.send(0, attempt, host)
        story.send(1, attempt, host)
        story.answer(0, attempt, f"said-by-{host}")
    assert story.wished() == [(0, 3)]
    return story


def strand(story: Story, items: int = 1) -> list[cmd.Command]:
    return story.tell(ev.Stranded(story.main.id, items, 2))


def settle_other(story: Court) -> None:
    story.answer(1, 1, "same")
    story.answer(1, 2, "same")


def test_a_swarm_in_which_nothing_moves_ends_when_no_further_domain_came():
    story = torn()
    settle_other(story)
    assert strand(story) == [cmd.SetTimer("s:stranded", story.now + DOMAIN_PATIENCE_US)]
    assert story.timer("stranded", after=SECOND) == [cmd.SetTimer("s:stranded", DOMAIN_PATIENCE_US)]
    story.timer("stranded", after=DOMAIN_PATIENCE_US - SECOND)
    assert story.main.ending == "stranded"
    closed = story.closed()
    assert (closed.status, closed.code) == ("failed", "copies.too_few_domains")
    assert story.main.outputs == {1: "out-same-1"}  # for `resume`


def test_what_there_is_may_be_enough():
    story = torn(convergence=Convergence(min_success_count=1))
    settle_other(story)
    strand(story)
    story.timer("stranded", after=DOMAIN_PATIENCE_US)
    asked = story.run.pending
    assert isinstance(asked, cmd.Converge)
    assert asked.partial
    assert asked.accepted == (1,)


def test_as_long_as_other_items_move_the_swarm_is_not_ended():
    story = torn()
    strand(story)
    for _ in range(3):
        [again] = story.timer("stranded", after=DOMAIN_PATIENCE_US)
        assert again == cmd.SetTimer("s:stranded", story.now + DOMAIN_PATIENCE_US)
    settle_other(story)
    story.timer("stranded", after=DOMAIN_PATIENCE_US)
    assert story.main.ending == "stranded"


def test_a_person_who_is_asked_is_waited_for():
    story = torn(rules=(Rule("output", "escalate"),))
    for attempt in (1, 2):
        story.answer(1, attempt, "bad", rule=1)
    strand(story)
    story.timer("stranded", after=100 * DOMAIN_PATIENCE_US)
    assert story.main.state is SwarmState.WORKING


def test_a_host_that_comes_ends_the_wait():
    story = torn()
    settle_other(story)
    strand(story)
    strand(story, 0)
    assert story.timer("stranded", after=2 * DOMAIN_PATIENCE_US) == []
    story.send(0, 3, "c")
    strand(story)
    assert story.main.stranding.since_us == story.now  # it begins anew


def test_an_item_that_nobody_wants_any_more_strands_nothing():
    story = torn()
    strand(story)
    story.tell(ev.CancelAsked("ann", "s", 0))
    assert story.timer("stranded", after=DOMAIN_PATIENCE_US) == []
    settle_other(story)
    assert story.main.ending == ""


def test_the_wait_survives_a_restart():
    story = torn()
    settle_other(story)
    [timer] = strand(story)
    assert timer in thaw(freeze(story.run), story.plan).outstanding()


def test_items_for_our_own_hosts_alone_end_under_another_code():
    story = Story(swarm_plan(rules=(Rule("output", "retry_trusted"),))).open().working(1)
    story.dispatch()
    story.settle(story.row(0, rule=1))
    story.timer("backoff", after=5 * SECOND)
    strand(story)
    story.timer("stranded", after=DOMAIN_PATIENCE_US)
    assert story.closed().code == "validation.no_own_host"


def test_an_item_is_stranded_when_every_domain_with_a_host_is_barred_for_it():
    apart = Apart(
        {"a1": "a", "a2": "a", "b1": "b"}, {0: ["a", "b"], 1: ["a"], 2: ["a", "b", "c"]}, ()
    )
    assert apart.stranded([0, 0, 1, 2, 3]) == 2
    assert apart.stranded([]) == 0
    assert Apart({}, {}, ()).stranded([0]) == 1
