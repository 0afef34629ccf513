"""Who may be whose parent: run, swarm, attempt, sub-agent, and no edge beside these."""

import pytest
from core_story import QUICK, ZERO, Story, begin, fan_out, plan_of, swarm_plan

from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.core.plan import Convergence, Step
from swarm_ray.core.tree import Agents, DelegateLimits, Scope, refuse_swarm
from swarm_ray.errors import ContainmentError

# -- a run and its swarms ------------------------------------------------------------------


def swarm(name: str, step: int = 0, round_: int = 1, kind: ev.SwarmKind = "fan_out") -> ev.Event:
    return ev.SwarmOpened(name, kind, step, round_, 2, ZERO, ZERO)


@pytest.mark.parametrize(
    "uninvited",
    [
        swarm("of another step", step=1),
        swarm("of an earlier round", round_=0),
        swarm("of another kind", kind="converge"),
    ],
)
def test_a_run_takes_a_swarm_only_for_what_its_step_asked(uninvited: ev.Event) -> None:
    story = Story(swarm_plan()).open()
    before = story.run.pending
    assert story.tell(uninvited) == []
    assert story.run.swarms == {}
    assert story.run.pending == before


def test_a_swarm_that_is_there_cannot_become_the_child_of_another_step() -> None:
    plan = plan_of(
        Step("one", output="a", fan_out=fan_out()), Step("two", output="b", fan_out=fan_out())
    )
    story = Story(plan).open()
    story.finish_swarm(2)
    first = story.main
    story.converged()
    asked = story.run.pending
    assert isinstance(asked, cmd.Prepare)
    story.tell(swarm(first.id, step=1, round_=asked.round))
    assert story.run.swarms == {first.id: first}
    assert story.closed().code == "containment.lateral"


def test_a_swarm_cannot_own_itself_as_its_convergence() -> None:
    story = Story(swarm_plan(convergence=Convergence("merge", "join"))).open()
    story.finish_swarm(2)
    asked = story.run.pending
    assert isinstance(asked, cmd.Prepare)
    story.tell(swarm(story.main.id, round_=asked.round, kind="converge"))
    assert story.closed().code == "containment.lateral"


# -- a swarm and its attempts --------------------------------------------------------------


@pytest.mark.parametrize(("item", "attempt"), [(9, 1), (-1, 1), (0, 2)])
def test_a_swarm_sends_only_attempts_of_its_own_that_it_wants(item: int, attempt: int) -> None:
    story = begin(swarm_plan(concurrency=1), 2)
    said = story.tell(ev.Dispatched(story.swarm.id, 1, "ada", 1, (item,), (attempt,)))
    assert said == []
    assert not story.swarm.flights


def test_nobody_answers_for_a_sibling_that_is_not_out() -> None:
    story = begin(swarm_plan(retry=QUICK), 3)
    story.dispatch(0)
    story.settle(ev.Row(1, 1, "ok", "stolen"))
    assert story.swarm.outputs == {}
    assert story.swarm.usage.attempts == 0


@pytest.mark.parametrize("name", ["s1", "swarm of a foreign run"])
def test_a_swarm_that_is_not_at_work_takes_no_attempts(name: str) -> None:
    plan = plan_of(
        Step("one", output="a", fan_out=fan_out()), Step("two", output="b", fan_out=fan_out())
    )
    story = Story(plan).open()
    story.finish_swarm(2)
    story.converged()
    story.working(2)
    before = dict(story.swarm.wanted)
    assert story.tell(ev.Dispatched(name, 7, "ada", 1, (0,), (1,))) == []
    assert story.tell(ev.Settled(name, 7, "ada", (ev.Row(0, 1, "ok", "late"),))) == []
    assert story.swarm.wanted == before


# -- a worker and its sub-agents -----------------------------------------------------------


def granted(limits: DelegateLimits, *depths: int) -> Agents:
    agents = Agents(limits)
    for depth in depths:
        agents.admit(depth)
    return agents


def refused(agents: Agents, depth: int) -> str:
    with pytest.raises(ContainmentError) as error:
        agents.admit(depth)
    assert error.value.hint
    return error.value.code


def test_whoever_holds_a_scope_opens_and_joins_no_swarm() -> None:
    scope = Scope("token", "run", "swarm", 0, 1)
    for what, code in (("open", "nested_swarm"), ("join", "joined_swarm")):
        with pytest.raises(ContainmentError) as error:
            refuse_swarm(scope, what)
        assert error.value.code == f"containment.{code}"
    refuse_swarm(None, "open")


def test_sub_agents_are_counted_however_they_nest() -> None:
    agents = granted(DelegateLimits(depth=3, count=5), 1, 2, 3, 2, 1)
    assert agents.granted == 5
    assert refused(agents, 1) == "containment.delegate_count"


@pytest.mark.parametrize(("before", "depth"), [((), 2), ((1,), 3), ((1, 2, 1), 3), ((1,), 0)])
def test_a_sub_agent_has_a_parent_that_was_granted(before: tuple[int, ...], depth: int) -> None:
    agents = granted(DelegateLimits(depth=9, count=9), *before)
    assert refused(agents, depth) == "containment.lateral"
    assert agents.granted == len(before)


def test_sub_agents_nest_no_deeper_than_declared() -> None:
    agents = granted(DelegateLimits(depth=2, count=9), 1, 2)
    assert refused(agents, 3) == "containment.delegate_depth"
    assert agents.admit(2) == 3
