"""Progress while a run goes on: a live table on a terminal, plain lines elsewhere, on stderr.

Decides how often something is worth a line. When to stop is its caller's decision.
"""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from swarm_ray.client.following import Follower
from swarm_ray.client.headline import counts, duration, money, question_lines
from swarm_ray.engine.views import RunView, SwarmView

if TYPE_CHECKING:
    from rich.console import RenderableType

PULL_S = 0.25
LINE_PERIOD_S = 2.0
_MARKS = {
    "pending": "·",
    "done": "✓",
    "failed": "✗",
    "asking": "?",
    "reacting": "!",
}


def watch(follower: Follower, over: Callable[[], bool]) -> None:
    """Show how a run goes on until `over`, which is asked after every look at its log."""
    if sys.stderr.isatty():
        _live(follower, over)
    else:
        _lines(follower, over)


# -- plain lines --------------------------------------------------------------------------------


def _lines(follower: Follower, over: Callable[[], bool]) -> None:
    step, told, due_s = "", "", 0.0
    asked: set[str] = set()
    while not over():
        follower.pull(PULL_S)
        if not follower.started:
            continue
        view = follower.view()
        for question in view.questions:
            if question.key not in asked:
                asked.add(question.key)
                sys.stderr.write("\n".join(question_lines(question)) + "\n")
        line = _line(view)
        now_s = time.monotonic()
        if line != told and (view.step != step or now_s >= due_s):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
            step, told, due_s = view.step, line, now_s + LINE_PERIOD_S


def _line(view: RunView) -> str:
    swarm = _working(view)
    what = f": {counts(swarm)}{_rate(swarm, view)}" if swarm and swarm.kind == "fan_out" else ""
    cost = f", {money(view.microusd)}" if view.microusd else ""
    where = f"step {view.step}" if view.step else view.status
    return f"[{duration(view.wall_us)}] {where}{what}{cost}"


def _working(view: RunView) -> SwarmView | None:
    mine = [swarm for swarm in view.swarms if swarm.step == view.step]
    return mine[-1] if mine else None


def _rate(swarm: SwarmView, view: RunView) -> str:
    span_us = view.last_us - swarm.opened_us
    if swarm.settled < 2 or span_us < 500_000:
        return ""
    return f", {swarm.settled * 1e6 / span_us:.1f} items/s"


# -- a live table -------------------------------------------------------------------------------


def _live(follower: Follower, over: Callable[[], bool]) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        began_s = time.monotonic()
        while not over():
            follower.pull(PULL_S)
            if follower.started:
                live.update(picture(follower.view(), time.monotonic() - began_s))


def picture(view: RunView, elapsed_s: float) -> "RenderableType":
    """Return how a run stands as a table: a row per step, a bar per fan-out, and the cost."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    last = {swarm.step: swarm for swarm in view.swarms if swarm.kind in ("fan_out", "step")}
    for step in view.steps:
        swarm = last.get(step.name)
        mark = _MARKS.get(step.state, "▸")
        style = {"done": "green", "failed": "red", "pending": "dim"}.get(step.state, "bold")
        bar: RenderableType = Text("")
        told = step.state if step.state not in ("done", "pending") else ""
        if swarm is not None and swarm.kind == "fan_out":
            bar = ProgressBar(total=max(1, swarm.items), completed=swarm.settled, width=24)
            told = counts(swarm) + _rate(swarm, view)
        table.add_row(Text(mark, style=style), Text(step.name, style=style), bar, Text(told))
    cost = f" · {money(view.microusd)}" if view.microusd else ""
    tokens = f" · {view.tokens:,} tokens" if view.tokens else ""
    foot = f"{view.process} · {elapsed_s:.0f} s{tokens}{cost}"
    asked = [Text(line) for one in view.questions for line in question_lines(one)]
    return Group(table, Text(f"  {foot}", style="dim"), *asked)
