"""Verbs that look: runs, show, story. They read the ledger here and start nothing."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swarm_ray.cli.options import Json, RunId
from swarm_ray.cli.output import Output, guarded

if TYPE_CHECKING:
    from swarm_ray.client.archive import Archive, RunSource

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
    from swarm_ray.client.following import Follower
    from swarm_ray.client.headline import clock, counts, duration, money
    from swarm_ray.client.session import current_session

    output = Output(json_output)
    source, _ = source_of(current_session())
    known = source.runs() if source is not None else []
    rows = []
    for run in reversed(known[-limit:]):
        assert source is not None
        view = Follower(source, run).catch_up()
        rows.append(
            [
                run[-8:],
                view.process,
                view.status,
                clock(view.opened_us)[:19],
                duration(view.wall_us),
                money(view.microusd),
                "; ".join(counts(swarm) for swarm in view.fan_outs()),
            ]
        )
        output.data(
            {
                "run": run,
                "process": view.process,
                "status": view.status,
                "opened_us": view.opened_us,
                "wall_us": view.wall_us,
                "cost_microusd": view.microusd,
            }
        )
    if not rows:
        output.say("Nothing has run here yet. Start with: swarm-ray run review_pull_request")
        return
    head = ["run", "process", "status", "opened (UTC)", "wall", "cost", "items"]
    for line in listing(head, rows):
        output.say(line)
    if len(known) > limit:
        output.say(f"… and {len(known) - limit} older ones (--limit)")


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
