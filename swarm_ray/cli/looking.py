"""Verbs that look: runs, show, story. They read the ledger here and start nothing."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from swarm_ray.cli.options import Json, RunId
from swarm_ray.cli.output import Output, guarded

if TYPE_CHECKING:
    from swarm_ray.client.archive import Archive, RunSource

LONG_LOG: Final = 1_000

ItemNumber = Annotated[
    int | None, typer.Option("--item", metavar="N", help="Tell of this item only.", min=0)
]


@guarded
def runs(
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", help="Show the newest N.", min=1)
    ] = 20,
    json_output: Json = False,
) -> None:
    """List the runs, newest first."""
    from swarm_ray.cli.finding import source_of
    from swarm_ray.cli.tables import listing
    from swarm_ray.client.headline import clock, duration
    from swarm_ray.client.session import current_session

    output = Output(json_output)
    source, archive = source_of(current_session())
    known = source.runs() if source is not None else []
    rows = []
    for run in reversed(known[-limit:]):
        assert source is not None
        row = run_row(run, source, archive)
        output.data(row)
        wall = duration(row["wall_us"])
        end, opened = run[-8:], clock(row["opened_us"])[:19]
        rows.append([end, row["process"], row["status"], opened, wall, row["told"]])
    if not rows:
        output.say("Nothing has run here yet. Start with: swarm-ray run review_pull_request")
        return
    for line in listing(["run", "process", "status", "opened (UTC)", "wall", "items, cost"], rows):
        output.say(line)
    if len(known) > limit:
        output.say(f"… and {len(known) - limit} older ones (--limit)")


def run_row(run: str, source: "RunSource", archive: "Archive | None") -> dict[str, Any]:
    """Return the figures of one run; a long log is not read whole for a list."""
    from swarm_ray.client.following import Follower
    from swarm_ray.client.headline import counts, money

    if archive is not None:
        glance = archive.glance(run)
        if glance.entries > LONG_LOG:
            return {
                "run": run,
                "process": glance.process,
                "status": glance.status,
                "opened_us": glance.opened_us,
                "wall_us": glance.last_us - glance.opened_us,
                "cost_microusd": None,
                "told": f"{glance.entries:,} entries, see `show {run[-8:]}`",
            }
    view = Follower(source, run).catch_up()
    told = [*(counts(swarm) for swarm in view.fan_outs()), money(view.microusd)]
    return {
        "run": run,
        "process": view.process,
        "status": view.status,
        "opened_us": view.opened_us,
        "wall_us": view.wall_us,
        "cost_microusd": view.microusd,
        "told": "; ".join(told),
    }


@guarded
def show(
    run: RunId,
    item: ItemNumber = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write one page that needs nothing else."),
    ] = None,
    result: Annotated[
        bool, typer.Option("--result", help="Print the whole output of the run.")
    ] = False,
    json_output: Json = False,
) -> None:
    """Show how a run stands, what it cost and what it asks."""
    from swarm_ray.cli.finishing import show_summary, summary_data
    from swarm_ray.client.following import Follower

    output = Output(json_output)
    source, _, found = _open(run)
    if item is not None:
        _item(source, found, item, output)
        return
    follower = Follower(source, found)
    view = follower.catch_up()
    if html is not None:
        from swarm_ray.client.page import page

        html.write_text(page(view, follower.bodies), encoding="utf-8")
        output.data({"event": "page", "run": found, "file": str(html)})
        output.say(f"Wrote {html}")
        return
    if result:
        value = follower.bodies.value(view.output)
        output.data(value)
        text = value.get("markdown") if isinstance(value, dict) else None
        output.say(text or json.dumps(value, ensure_ascii=False, indent=2))
        return
    if output.as_json:  # all of a large run is much
        output.data({**view.to_dict(), **summary_data(view, follower.bodies)})
    show_summary(view, follower.bodies, output)


@guarded
def story(run: RunId, item: ItemNumber = None, json_output: Json = False) -> None:
    """Tell what happened, in order and in plain English."""
    from swarm_ray.client.story import tell

    output = Output(json_output)
    source, archive, found = _open(run)
    if item is not None:
        _item(source, found, item, output)
        return
    effects = archive.effects() if archive is not None else ()
    text = tell(source, found, effects=effects)
    output.data({"run": found, "story": text.split("\n")})
    output.say(text.rstrip("\n"))


def _item(source: "RunSource", run: str, item: int, output: Output) -> None:
    from swarm_ray.client.story import tell

    text = tell(source, run, item=item)
    output.data({"run": run, "item": item, "story": text.split("\n")})
    output.say(text.rstrip("\n"))


def _open(text: str) -> "tuple[RunSource, Archive | None, str]":
    from swarm_ray.cli.finding import source_of
    from swarm_ray.client.archive import resolve_run, unknown_run
    from swarm_ray.client.session import current_session

    session = current_session()
    source, archive = source_of(session)
    if source is None and session.settings.address:
        source = session.service()
    if source is None:
        raise unknown_run(text, [])
    return source, archive, resolve_run(text, source.runs())
