"""Copies by reputation: when one word is enough, what voids it, and what is checked before the end."""

from dataclasses import replace

import pytest
from core_story import Court, court

from swarm_ray.core import commands as cmd
from swarm_ray.core.panel import Panel, machine_of
from swarm_ray.core.plan import Agree, Convergence, Redundancy
from swarm_ray.core.tables import ItemState

ITEMS = 400
TARGET = Redundancy(3, "organisation", Agree("label"), target_ppm=1_000, liars_ppm=100_000)
HOSTS = ("a", "b", "c")


def done(story: Court, item: int, host: str, label: str = "yes", attempt: int = 1) -> None:
    story.send(item, attempt, host)
    story.answer(item, attempt, label)


def panel_of(story: Court) -> Panel:
    assert story.swarm.panel is not None
    return story.swarm.panel


def step(story: Court, hosts: tuple[str, ...] = HOSTS) -> None:
    """Let an honest host do what is wanted next."""
    item, attempt = story.wished()[0]
    barred = story.swarm.barred(item)
    turn = len(story.events) % len(hosts)
    order = (*hosts[turn:], *hosts[:turn])
    done(story, item, next(one for one in order if f"org-{one}" not in barred), "yes", attempt)


def known(items: int = ITEMS) -> Court:
    """Return a swarm in which three hosts have earned trust by agreeing."""
    story = court(TARGET).begin(items, domains=3)
    panel = panel_of(story)
    while not all(panel.reputation.trusted(host, f"org-{host}") for host in HOSTS):
        step(story)
    return story


def fresh(story: Court, *, drawn: bool = False) -> int:
    """Return an item that nobody has answered, and whose single answer is checked or not."""
    panel = panel_of(story)
    while True:
        for item, attempt in story.wished():
            if attempt == 1 and panel._drawn(item) is drawn:
                return item
        step(story, ("b", "c"))


def test_the_first_answer_of_an_unknown_host_is_always_compared():
    story = court(TARGET).begin(5, domains=3)
    done(story, 0, "a")
    assert (0, 2) in story.wished()
    assert story.swarm.barred(0) == ["org-a"]
    done(story, 0, "b", attempt=2)
    assert story.state(0) is ItemState.DONE


def test_the_word_of_a_trusted_host_is_enough_unless_the_draw_says_otherwise():
    story = known()
    alone = fresh(story)
    done(story, alone, "a")
    assert story.state(alone) is ItemState.DONE
    assert alone in panel_of(story).sole["a"]
    checked = fresh(story, drawn=True)
    done(story, checked, "a")
    assert story.state(checked) is not ItemState.DONE


def test_one_failure_voids_all_that_rests_on_the_word_of_its_host():
    story = known()
    words = []
    for _ in range(2):
        words.append(fresh(story))
        done(story, words[-1], "a")
    caught = fresh(story, drawn=True)
    done(story, caught, "a", "no")
    assert caught not in story.swarm.outputs
    while caught not in story.swarm.outputs:  # one word against another is not enough
        step(story, ("b", "c"))
    assert story.swarm.labels[caught][0] == "yes"
    assert len(panel_of(story).votes[caught]) == 3
    for item in words:
        assert story.state(item) is not ItemState.DONE
        assert item not in story.swarm.outputs
        assert story.swarm.barred(item) == ["org-a"]
    while story.swarm.wanted:
        step(story, ("b", "c"))
    assert {story.swarm.labels[item][0] for item in words} == {"yes"}
    assert not panel_of(story).reputation.trusted("a", "org-a")


def test_a_liar_that_slept_is_found_out_before_the_swarm_converges():
    """Fifty honest answers, then lies: whatever stood on its word is compared again."""
    story = known()
    for number in range(80):
        wished = [item for item, attempt in story.wished() if attempt == 1]
        if not wished or panel_of(story).outcast("a", "org-a"):
            break
        done(story, wished[0], "a", "yes" if number < 50 else "no")
        step(story, ("b", "c"))
    assert "no" in {vote.answer for cast in panel_of(story).votes.values() for vote in cast}
    while story.swarm.wanted:
        step(story)
    assert isinstance(story.run.pending, cmd.Converge)
    assert {label for label, _ in story.swarm.labels.values()} == {"yes"}


def test_what_is_not_certain_enough_is_done_again_at_the_end():
    story = court(TARGET).begin(3, domains=5)
    done(story, 0, "a")
    done(story, 0, "b", attempt=2)
    assert story.state(0) is ItemState.DONE  # leaning: two unknown hosts agree
    panel = panel_of(story)
    assert panel.audit() == [0]
    while story.swarm.wanted:
        step(story, ("a", "b", "c", "d"))
    assert isinstance(story.run.pending, cmd.Converge)
    assert max(len(cast) for cast in panel.votes.values()) == TARGET.copies
    assert panel.audit() == []


def test_without_time_left_an_unverified_result_is_none():
    convergence = Convergence(min_success_count=1)
    story = court(TARGET, convergence=convergence, deadline_us=1_000_000).begin(3, domains=5)
    done(story, 0, "a")
    done(story, 0, "b", attempt=2)
    story.timer("deadline", after=2_000_000)
    assert story.state(0) is ItemState.CANCELLED
    assert story.swarm.failures[0][0] == "redundancy.unverified"
    assert story.swarm.outputs == {}


def test_a_quorum_counts_only_what_is_certain():
    story = court(TARGET, convergence=Convergence(quorum=1)).begin(3, domains=5)
    done(story, 0, "a")
    done(story, 0, "b", attempt=2)
    assert story.state(0) is ItemState.WANTED
    done(story, 0, "c", attempt=3)
    assert story.swarm.ending == "quorum"


def test_a_swarm_states_its_bound():
    story = known()
    panel = panel_of(story)
    assert 0 < panel.bound_ppm <= TARGET.target_ppm


def test_an_item_without_copies_left_is_counted_as_uncertain():
    story = court(replace(TARGET, copies=2)).begin(1, domains=2)
    done(story, 0, "a")
    done(story, 0, "b", attempt=2)
    assert isinstance(story.run.pending, cmd.Converge)  # no third domain may be asked
    assert panel_of(story).uncertain() == [0]


@pytest.mark.parametrize("seeded", ["secret", "another"])
def test_the_draw_follows_from_the_secret_alone(seeded: str):
    panels = [Panel(TARGET, ITEMS, seeded, 3) for _ in range(2)]
    draws = [[panel._drawn(item) for item in range(ITEMS)] for panel in panels]
    assert draws[0] == draws[1]
    other = Panel(TARGET, ITEMS, seeded + "!", 3)
    assert draws[0] != [other._drawn(item) for item in range(ITEMS)]
    share = sum(draws[0]) / ITEMS
    assert share == pytest.approx(panels[0].check_ppm / 1e6, abs=0.1)


def test_a_host_that_is_started_anew_has_the_standing_of_its_node():
    assert machine_of("eu-1a2b3c4d-2.3") == machine_of("eu-1a2b3c4d-7.1") == "eu-1a2b3c4d"
    assert machine_of("eu-1a2b3c4d-2.3") != machine_of("eu-1a2b3c4e-2.3")
    for name in ("local-1", "local-1.2", "partner-1", "eu/node-1/2"):
        assert machine_of(name) == name
