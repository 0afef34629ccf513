"""Verbs that check before anything is spent: validate, plan, doctor; and gc, which tidies up."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from swarm_ray.cli.options import Inputs, Items, Json, Name, WithoutBindings
from swarm_ray.cli.output import ExitCode, Output, guarded
from swarm_ray.errors import UsageError

if TYPE_CHECKING:
    from swarm_ray.ports.log import Retention


@guarded
def validate(
    name: Name, without_bindings: WithoutBindings = False, json_output: Json = False
) -> None:
    """Check a definition; print every flaw with file and line."""
    from swarm_ray.client.session import current_session
    from swarm_ray.client.starting import link_process
    from swarm_ray.errors import StructuralError

    output = Output(json_output)
    settings = current_session().settings
    try:
        linked = link_process(name, settings, without_bindings=without_bindings)
    except StructuralError as error:
        flaws = error.fields.get("flaws", [])
        output.data({"event": "validated", "ok": False, "flaws": flaws})
        for flaw in flaws:
            output.say(f"{flaw['file']}:{flaw['line']}: {flaw['code']}: {flaw['message']}")
            if flaw["hint"]:
                output.say(f"    remedy: {flaw['hint']}")
        count = len(flaws)
        output.note(f"error [{error.code}]: {count} flaw{'s' if count != 1 else ''}")
        raise typer.Exit(ExitCode.USAGE) from None
    plan = linked.plan
    output.data({"event": "validated", "ok": True, "flaws": [], "notes": list(linked.notes)})
    output.say(f"{plan.process} version {plan.version} holds: {len(plan.steps)} steps.")
    for note in linked.notes:
        output.say(f"note: {note}")


@guarded
def plan(
    name: Name,
    inputs: Inputs = None,
    items: Items = None,
    without_bindings: WithoutBindings = False,
    sites: Annotated[
        Path | None,
        typer.Option("--sites", metavar="FILE", help="Place the items over these sites."),
    ] = None,
    deadline: Annotated[
        str,
        typer.Option(
            "--deadline", metavar="TIME", help="Place as if each fan-out had this deadline: 30s."
        ),
    ] = "",
    explain: Annotated[
        str,
        typer.Option(
            "--explain", metavar="[STEP:]ITEM", help="Say why an item (from 0) is where it is."
        ),
    ] = "",
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw the placement (.png, .svg or .pdf)."),
    ] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option(
            "--assume",
            metavar="NAME=COUNT|FILE",
            help="Items that an earlier step will make: how many, or a file of them.",
        ),
    ] = None,
    json_output: Json = False,
) -> None:
    """Say what a run would do, and cost at most."""
    if sites is not None:
        from swarm_ray.cli.placing import Question, plan_over_sites

        question = Question(sites, deadline, explain, plot, tuple(assume or ()))
        plan_over_sites(question, (name, inputs, items, without_bindings), Output(json_output))
        return
    if deadline or explain or plot or assume:
        raise UsageError(
            "plan.no_sites",
            "--deadline, --explain, --plot and --assume are about a placement over sites",
            hint="give the sites with --sites FILE",
        )
    from swarm_ray.cli.planning import plan_data, plan_lines
    from swarm_ray.cli.steering import ready_launch
    from swarm_ray.client.session import current_session

    output = Output(json_output)
    session = current_session()
    launch = ready_launch(session, name, inputs or [], items, "", without_bindings)
    output.data(plan_data(launch, session.settings))
    for line in plan_lines(launch, session.settings):
        output.say(line)


@guarded
def doctor(json_output: Json = False) -> None:
    """Try out what a run needs here; say what is missing."""
    from swarm_ray.cli.diagnosis import diagnose
    from swarm_ray.client.session import current_session

    output = Output(json_output)
    checks = diagnose(current_session().settings)
    for check in checks:
        output.data(check.to_dict())
        mark = "ok " if check.ok else "BAD" if check.needed else "-- "
        output.say(f"{mark} {check.name}: {check.found}")
        if check.remedy and not check.ok:
            output.say(f"      remedy: {check.remedy}")
        if check.better and check.ok:
            output.say(f"      better: {check.better}")
    if any(check.needed and not check.ok for check in checks):
        raise typer.Exit(ExitCode.FAILED)


@guarded
def gc(
    keep_days: Annotated[
        int, typer.Option("--keep-days", metavar="N", help="Keep closed runs of N days.", min=0)
    ] = 30,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be deleted.")
    ] = False,
    bodies: Annotated[
        list[str] | None,
        typer.Option(
            "--bodies",
            metavar="CLASS",
            help="Delete only bodies of this retention class; runs stay, and can still be verified. "
            "May be repeated.",
        ),
    ] = None,
    run: Annotated[
        str, typer.Option("--run", metavar="RUN", help="With --bodies: of this run, at once.")
    ] = "",
    json_output: Json = False,
) -> None:
    """Delete closed runs past their time, or what they hold of a retention class."""
    from swarm_ray.client.archive import resolve_run
    from swarm_ray.client.session import current_session

    output = Output(json_output)
    classes = _retention_classes(bodies, run)
    session = current_session()
    if not session.connected:
        output.note("connecting to the cluster (a private one is started when there is none) …")
    service = session.service()
    found: Mapping[str, Sequence[str]]
    if classes:
        one = resolve_run(run, service.runs()) if run else ""
        found = {"contents": service.erase_bodies(classes, keep_days, one, dry_run=dry_run)}
    else:
        found = service.collect_garbage(keep_days, dry_run=dry_run)
    counts = {kind: len(names) for kind, names in found.items()}
    output.data({"event": "gc", "dry_run": dry_run, **counts, "names": dict(found)})
    told = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in counts.items())
    output.say(f"{'Would delete' if dry_run else 'Deleted'}: {told}.")
    for kind, names in found.items() if dry_run else ():
        for name in names:
            output.say(f"  {kind.replace('_', ' ')}: {name}")


def _retention_classes(bodies: list[str] | None, run: str) -> "list[Retention]":
    from swarm_ray.ports.log import Retention

    known = get_args(Retention)
    classes = [one for one in known if one in (bodies or ())]
    if len(classes) != len(set(bodies or ())) or (run and not bodies):
        raise UsageError(
            "gc.bad_class",
            f"no bodies can be chosen by {', '.join(bodies or ()) or 'a run alone'}",
            hint=f"give --bodies, once or more, with one of: {', '.join(known)}",
        )
    return classes
