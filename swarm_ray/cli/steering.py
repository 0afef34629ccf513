"""Verbs that move runs: up, run, resume, cancel, decide.

Decides when a command waits and how it ends: with the exit code of the run it followed.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from swarm_ray.cli.options import (
    Detach,
    Inputs,
    Isolation,
    Items,
    Json,
    Name,
    RunId,
    WithoutBindings,
)
from swarm_ray.cli.output import Output, guarded

if TYPE_CHECKING:
    from swarm_ray.client.following import Follower
    from swarm_ray.client.session import Session
    from swarm_ray.client.starting import Launch
    from swarm_ray.definition.serving import ModelCapabilities


@guarded
def up(*, json_output: Json = False) -> None:
    """Start coordinator and hosts on the running cluster."""
    from swarm_ray.client.session import current_session
    from swarm_ray.runtime import up as start

    output = Output(json_output)
    found = start(current_session().settings)
    output.data({"event": "up", **found})
    told = ", ".join(f"{name} {value}" for name, value in found.items())
    output.say(f"The coordinator is up ({told}).")
    output.say("Next: swarm-ray run review_pull_request --detach")


@guarded
def down(*, json_output: Json = False) -> None:
    """Stop coordinator and hosts; open runs go on at the next start."""
    from swarm_ray.client.session import current_session
    from swarm_ray.runtime import down as stop

    output = Output(json_output)
    stopped = stop(current_session().settings)
    output.data({"event": "down", "stopped": stopped})
    output.say("The coordinator is down." if stopped else "No coordinator was up.")


@guarded
def run(
    name: Name,
    inputs: Inputs = None,
    items: Items = None,
    output_dir: Annotated[
        str, typer.Option("--output-dir", metavar="DIR", help="Where effects write their files.")
    ] = "",
    isolation: Isolation = "",
    without_bindings: WithoutBindings = False,
    detach: Detach = False,
    json_output: Json = False,
) -> None:
    """Run a process and follow it to its end."""
    from swarm_ray.client.following import Follower
    from swarm_ray.client.session import current_session

    output = Output(json_output)
    session = current_session()
    session.isolate(isolation)
    launch = ready_launch(session, name, inputs or [], items, output_dir, without_bindings)
    for note in launch.linked.notes:
        output.note(f"note: {note}")
    _connect(session, output)
    handle = launch.start(session)
    output.data({"event": "launch", "run": handle.id, "process": launch.linked.plan.process})
    _follow(session, Follower(session.service(), handle.id), output, detach=detach)


def ready_launch(
    session: "Session",
    name: str,
    inputs: list[str],
    items: Any,
    output_dir: str,
    without_bindings: bool,
    offered: "ModelCapabilities | None" = None,
) -> "Launch":
    """Link a process and complete its inputs from the options of the command line; `offered` are
    the models of the sites over which its items are placed."""
    from swarm_ray.cli.arguments import read_inputs
    from swarm_ray.client.starting import complete_launch, link_process

    linked = link_process(
        name, session.settings, without_bindings=without_bindings, offered=offered
    )
    given = read_inputs(inputs, {key: entry.type for key, entry in linked.inputs.items()})
    if output_dir:
        given["output_dir"] = output_dir
    return complete_launch(linked, given, items)


@guarded
def resume(
    run: RunId,
    failed: Annotated[
        bool, typer.Option("--failed", help="Try the failed and skipped items again.")
    ] = False,
    detach: Detach = False,
    json_output: Json = False,
) -> None:
    """Go on with a run that stopped; nothing is done twice."""
    from swarm_ray.cli.finding import find_run, person
    from swarm_ray.client.following import Follower
    from swarm_ray.client.session import current_session

    output = Output(json_output)
    session = current_session()
    found = find_run(session, run)
    _connect(session, output)
    follower = Follower(session.service(), found)
    before = follower.catch_up()
    session.service().resume(found, person(), failed=failed)
    output.data({"event": "launch", "run": found, "process": before.process})
    follower.wait_beyond(before.entries)
    _follow(session, follower, output, detach=detach)


@guarded
def cancel(
    run: RunId,
    item: Annotated[
        int | None, typer.Option("--item", metavar="N", help="Cancel this item only.", min=0)
    ] = None,
    json_output: Json = False,
) -> None:
    """Cancel a run or one item; what is done stays."""
    from swarm_ray.cli.finding import find_run
    from swarm_ray.client.handle import RunHandle
    from swarm_ray.client.session import current_session
    from swarm_ray.values.ids import short

    output = Output(json_output)
    session = current_session()
    found = find_run(session, run)
    _connect(session, output)
    RunHandle(found, session.service).cancel(item)
    output.data({"event": "cancel", "run": found, "item": item})
    what = short("run", found) if item is None else f"item {item} of {short('run', found)}"
    output.say(f"Asked to cancel {what}.")
    output.say(f"Next: swarm-ray show {found[-8:]}")


@guarded
def decide(
    run: RunId,
    question: Annotated[str, typer.Argument(help="Key of the question, as `show` prints it.")],
    choice: Annotated[str, typer.Argument(help="One of its choices.")],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; kept beside the log.")
    ] = "",
    detach: Detach = False,
    json_output: Json = False,
) -> None:
    """Answer a question of a run and follow the run."""
    from swarm_ray.cli.finding import find_run, person
    from swarm_ray.client.following import Follower
    from swarm_ray.client.session import current_session
    from swarm_ray.values.ids import short

    output = Output(json_output)
    session = current_session()
    found = find_run(session, run)
    _connect(session, output)
    follower = Follower(session.service(), found)
    before = follower.catch_up()
    session.service().decide(found, question, choice, person(), reason)
    follower.wait_beyond(before.entries)
    output.data({"event": "decided", "run": found, "question": question, "choice": choice})
    output.note(f"{short('run', found)}: {question} answered with {choice!r}")
    _follow(session, follower, output, detach=detach)


def _connect(session: "Session", output: Output) -> None:
    """Say what takes time before it does."""
    if not session.connected:
        output.note("connecting to the cluster (a private one is started when there is none) …")
    session.service()


def _follow(session: "Session", follower: "Follower", output: Output, *, detach: bool) -> None:
    from swarm_ray.cli.asking import follow
    from swarm_ray.cli.finishing import finish
    from swarm_ray.values.ids import short

    run = follower.run
    if detach:
        output.say(f"{short('run', run)} was started.")
        output.say(f"Next: swarm-ray show {run[-8:]}, swarm-ray story {run[-8:]}")
        return
    try:
        follow(session.service(), follower, output)
    except KeyboardInterrupt:
        output.note(
            f"\nstopped watching {short('run', run)}; nothing of it is lost.\n"
            "  In a shared cluster it goes on; a private cluster ends with this command.\n"
            f"  Go on with `swarm-ray resume {run[-8:]}`, end it with"
            f" `swarm-ray cancel {run[-8:]}`."
        )
        raise typer.Exit(130) from None
    raise typer.Exit(finish(follower, output))
