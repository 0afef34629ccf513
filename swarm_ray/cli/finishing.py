"""The end of a followed run: its result, its cost, what failed, and what to do next.

Decides what of a result is printed and the exit code. The same summary is what `show` prints.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from swarm_ray.cli.output import STATUS_CODES, ExitCode, Output
from swarm_ray.cli.tables import table
from swarm_ray.client.costs import cost_of
from swarm_ray.client.following import Bodies, Follower
from swarm_ray.client.headline import duration, first_line, headline, money, question_lines
from swarm_ray.client.outcomes import remedy_of
from swarm_ray.client.results import cause_of
from swarm_ray.client.speed_up import speed_ups
from swarm_ray.engine.views import RunView, SwarmView
from swarm_ray.values.ids import short

RESULT_LINES: Final = 120
FAILURES_SHOWN: Final = 10


def finish(follower: Follower, output: Output) -> ExitCode:
    """Print what became of a run; return the exit code that says it."""
    view, bodies = follower.view(), follower.bodies
    code = STATUS_CODES.get(view.status, ExitCode.FAILED)
    if output.as_json:
        output.data({"event": "done", "exit_code": int(code), **summary_data(view, bodies)})
        return code
    show_result(view, bodies, output)
    show_summary(view, bodies, output)
    return code


def summary_data(view: RunView, bodies: Bodies) -> dict[str, Any]:
    """Return a run's end as plain data."""
    return {
        "run": view.run,
        "process": view.process,
        "status": view.status,
        "code": view.code,
        "output": bodies.value(view.output),
        "cost": cost_of(view).to_dict(),
        "fan_outs": [
            {
                "step": swarm.step,
                "swarm": swarm.id,
                "items": swarm.items,
                "succeeded": swarm.succeeded,
                "failed": swarm.count("failed"),
                "skipped": swarm.count("skipped"),
                "cancelled": swarm.count("cancelled"),
                "code": swarm.code,
            }
            for swarm in view.fan_outs()
        ],
        "questions": [asdict(one) for one in view.questions],
        "effects": [
            {"step": one.step, "tool": one.tool, "status": one.status, "code": one.code}
            for one in view.effects
        ],
        "cause": cause_of(view, bodies),
    }


def show_result(view: RunView, bodies: Bodies, output: Output) -> None:
    """Print the output of a run: its `markdown` if it has one, else short JSON."""
    value = bodies.value(view.output)
    if value is None:
        return
    markdown = value.get("markdown") if isinstance(value, Mapping) else None
    text = markdown if isinstance(markdown, str) else _json(value)
    lines = text.rstrip("\n").split("\n")
    shown = "\n".join(lines[:RESULT_LINES])
    if output.rich and markdown is not None:
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(shown))
    else:
        output.say(shown)
    if len(lines) > RESULT_LINES:
        output.say(
            f"… {len(lines) - RESULT_LINES} more lines: swarm-ray show {view.run[-8:]} --result"
        )
    output.say()


def _json(value: Any) -> str:
    if isinstance(value, list) and value:
        return "\n".join(json.dumps(one, ensure_ascii=False) for one in value)
    return json.dumps(value, ensure_ascii=False, indent=2)


def show_summary(view: RunView, bodies: Bodies, output: Output) -> None:
    """Print how a run stands: headline, cost per step, failures, effects, questions, next."""
    output.say(headline(view))
    if cause := cause_of(view, bodies):
        output.say(f"  because: {first_line(cause, 300)}")
    _costs(view, output)
    _gains(view, output)
    for swarm in view.fan_outs():
        _failures(swarm, bodies, output)
    for effect in view.effects:
        outcome = bodies.value(effect.outcome)
        output.say(f"effect {effect.tool}: {effect.status}{_files(outcome)}")
    for question in view.questions:
        for line in question_lines(question):
            output.say(line)
    output.say()
    output.say("Next:")
    for hint in hints(view):
        output.say(f"  {hint}")


def _costs(view: RunView, output: Output) -> None:
    cost = cost_of(view)
    rows = [
        [
            step.step,
            f"{step.items:,}",
            f"{step.attempts:,}",
            f"{step.tokens:,}",
            money(step.microusd),
            duration(step.cpu_us),
            duration(step.wall_us),
        ]
        for step in cost.steps
    ]
    total = [
        "total",
        "",
        f"{cost.attempts:,}",
        f"{cost.tokens:,}",
        money(cost.microusd),
        duration(cost.cpu_us),
        duration(cost.wall_us),
    ]
    head = ["step", "items", "attempts", "tokens", "cost", "cpu", "wall"]
    output.say()
    for line in table(head, [*rows, total]):
        output.say(f"  {line}")


def _gains(view: RunView, output: Output) -> None:
    for gain in speed_ups(view):
        line = (
            f"{gain.step}: in sequence at least {duration(gain.sequential_us)},"
            f" measured {duration(gain.measured_us)}: {gain.told}"
        )
        if gain.below_break_even:
            line += "; below the break-even of about four items"
        output.say(f"  {line}")


def _failures(swarm: SwarmView, bodies: Bodies, output: Output) -> None:
    bad = swarm.in_state(*_BAD)
    last = {one.item: one for one in swarm.attempts} if bad else {}
    for item in bad[:FAILURES_SHOWN]:
        one = last.get(item)
        why = first_line(bodies.text(one.error)) if one is not None else ""
        code = f" {one.code}" if one is not None and one.code else ""
        name = f"{short('swarm', swarm.id)}/worker-{item:03d}"
        output.say(f"{name} {swarm.state_of(item)}:{code} {why}".rstrip(" :"))
    if len(bad) > FAILURES_SHOWN:
        output.say(f"… and {len(bad) - FAILURES_SHOWN:,} more items without a result")


_BAD: Final = ("failed", "skipped", "cancelled", "review")


def _files(outcome: Any) -> str:
    if isinstance(outcome, Mapping) and "folder" in outcome and "files" in outcome:
        return f", {outcome['folder']}: {', '.join(map(str, outcome['files']))}"
    return f", {json.dumps(outcome, ensure_ascii=False)[:200]}" if outcome is not None else ""


def hints(view: RunView) -> list[str]:
    """Return the commands that make sense now."""
    end = view.run[-8:]
    found = [f"swarm-ray decide {end} {one.key} {one.choices[0]}" for one in view.questions]
    if view.status == "interrupted":
        found.append(f"swarm-ray resume {end}")
    if view.closed and view.status != "done":
        found.append(remedy_of(view) or f"swarm-ray resume {end} --failed")
    failed = next((bad for swarm in view.fan_outs() if (bad := swarm.in_state(*_BAD))), None)
    if failed:
        found.append(f"swarm-ray story {end} --item {failed[0]}")
    return [*found, f"swarm-ray story {end}", f"swarm-ray show {end} --html review.html"]
