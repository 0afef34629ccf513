"""Progress: a picture on a terminal, few lines elsewhere."""

from io import StringIO

from rich.console import Console

from swarm_ray.cli.progress import picture, watch
from swarm_ray.client.following import Follower
from swarm_ray.client.session import Session
from swarm_ray.client.starting import complete_launch, link_process


def started(session: Session, folder, people: list[str]) -> Follower:
    linked = link_process(folder, session.settings)
    handle = complete_launch(linked, {"people": people}).start(session)
    return Follower(session.service(), handle.id)


def test_the_picture_has_a_row_per_step_and_counts_items(session, folder):
    follower = started(session, folder, ["ann", "broken", "bob"])
    watch(follower, lambda: follower.ended)
    console = Console(width=100, record=True, file=StringIO())
    console.print(picture(follower.view(), 3.2))
    rows = console.export_text().splitlines()
    assert [row.split()[1] for row in rows[:3]] == ["check", "greet", "write"]
    assert "2 of 3 items done, 1 skipped" in rows[1]
    assert "greet_people · 3 s" in rows[3]


def test_plain_lines_name_each_step_once_in_a_while(session, folder, capsys):
    follower = started(session, folder, ["ann"] * 200)
    watch(follower, lambda: follower.ended)
    told = capsys.readouterr().err.splitlines()
    assert 1 <= len(told) <= 12
    assert follower.ended
