"""The story of a run: its log read out in plain English, in order, with correlation ids.

Decides what is worth a line and how lines are timed and folded: every failure, retry, decision
and effect is told; what merely went well in a large swarm is counted. Never tells what the log
does not hold.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from swarm_ray.client.archive import RunSource
from swarm_ray.client.following import Bodies
from swarm_ray.client.headline import clock, duration, money, plural
from swarm_ray.client.inputs import ItemNames
from swarm_ray.client.phrases import shown
from swarm_ray.client.speed_up import speed_ups
from swarm_ray.client.telling import Teller
from swarm_ray.core.plan import Plan
from swarm_ray.engine.viewer import Viewer
from swarm_ray.engine.views import AttemptView, RunView
from swarm_ray.errors import UsageError
from swarm_ray.values.codec import decode
from swarm_ray.values.ids import short
from swarm_ray.values.records import from_record

PAGE = 2_000
VALUE_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of a story at its log time."""

    time_us: int
    text: str


def tell(
    source: RunSource, run: str, *, item: int | None = None, effects: Iterable[bytes] = ()
) -> str:
    """Return the story of a run, or of one item of its fan-outs.

    Args:
        source: where the run's log is.
        run: its full id.
        item: ordinal of the item; None tells the whole run.
        effects: entries of the effects log, where they can be read.

    Raises:
        UsageError: `run.unknown`, `run.unknown_item`.
    """
    bodies = Bodies(source)
    viewer = Viewer(from_record(Plan, source.plan(run)["plan"]))
    lines = list(_run_lines(source, run, viewer, bodies))
    view = viewer.view()
    if item is not None:
        return "\n".join(_item_story(view, bodies, item)) + "\n"
    lines += _effect_lines(run, effects)
    lines.sort(key=lambda line: line.time_us)
    title = f"The story of {short('run', run)} ({view.process}, version {view.version})"
    told = [f"{_offset(line.time_us - view.opened_us)}  {line.text}" for line in lines]
    head = [title, "=" * len(title), f"Opened {clock(view.opened_us)} UTC; full id {run}.", ""]
    return "\n".join([*head, *told, "", *_closing(view)]) + "\n"


def _run_lines(source: RunSource, run: str, viewer: Viewer, bodies: Bodies) -> Iterator[Line]:
    teller = Teller(viewer, bodies)
    while True:
        page = source.entries(run, viewer.entries, 0)
        for data in page.entries:
            for text in teller.take(data):
                yield Line(viewer.time_us, text)
        if page.closed or not page.entries:
            return


def _offset(us: int) -> str:
    return f"{us / 1e6:10.3f} s"


def _effect_lines(run: str, effects: Iterable[bytes]) -> list[Line]:
    """Tell what the supervisor wrote down before and after it let an effect happen."""
    found: list[Line] = []
    mine: dict[str, str] = {}
    for data in effects:
        record: dict[str, Any] = decode(data)
        event = record["event"]
        key = event["key"]
        if record["kind"] == "effect.proposed" and event["run"] == run:
            mine[key] = event["tool"]
        if key in mine:
            text = _effect_text(record["kind"], event, mine[key])
            found.append(Line(record["time_us"], text))
    return found


def _effect_text(kind: str, event: dict[str, Any], tool: str) -> str:
    key = event["key"]
    match kind:
        case "effect.proposed":
            return f"Step {event['step']!r} proposed the effect {tool} under the key {key}."
        case "effect.granted":
            return f"The supervisor granted {tool} (lease {event['lease']})."
        case "effect.refused":
            return f"The supervisor refused {tool}: {event['code']}."
        case "effect.started":
            return f"The broker started {tool}; from here on it is never started again."
        case _:
            return f"The broker reported {tool}: {event['status']}{_because(event)}."


def _because(event: dict[str, Any]) -> str:
    return f" ({event['code']})" if event.get("code") else ""


def _closing(view: RunView) -> list[str]:
    lines = [
        f"Cost: {plural(view.attempts, 'attempt')}, {plural(view.tokens, 'token')},"
        f" {money(view.microusd)}, {duration(view.cpu_us)} of processor time,"
        f" {duration(view.wall_us)} on the clock."
    ]
    lines += [
        f"Step {gain.step!r}: at least {duration(gain.sequential_us)} of work in"
        f" {duration(gain.measured_us)}, {gain.told}."
        for gain in speed_ups(view)
    ]
    lines += [
        f"Open question {one.key}: {one.text} Choose one of: {', '.join(one.choices)}."
        for one in view.questions
    ]
    return lines


# -- one item -----------------------------------------------------------------------------------


def _item_story(view: RunView, bodies: Bodies, item: int) -> list[str]:
    swarms = [swarm for swarm in view.swarms if swarm.kind == "fan_out" and item < swarm.items]
    if not swarms or item < 0:
        most = max((swarm.items for swarm in view.swarms if swarm.kind == "fan_out"), default=0)
        raise UsageError(
            "run.unknown_item",
            f"{short('run', view.run)} has no item {item}",
            hint=f"its fan-outs have items 0 to {most - 1}" if most else "it has not fanned out",
        )
    lines: list[str] = []
    for swarm in swarms:
        name = f"{short('swarm', swarm.id)}/worker-{item:03d}"
        title = f"The story of {name}: item {item} of step {swarm.step!r}"
        lines += [
            title,
            "=" * len(title),
            "",
            "Input:",
            *_block(ItemNames(swarm, bodies).value(item)),
            "",
        ]
        mine = [one for one in swarm.attempts if one.item == item]
        for one in mine:
            lines += _attempt_lines(view, one, bodies)
        if not mine:
            lines.append("No attempt has ended.")
        lines += ["", f"The item is now {swarm.state_of(item)}."]
        if item in swarm.outputs:
            lines += ["", "Output:", *_block(bodies.value(swarm.outputs[item]))]
    return lines


def _block(value: Any) -> list[str]:
    return [f"    {line}" for line in shown(value, VALUE_CHARACTERS, indent=True).split("\n")]


def _sandbox(one: AttemptView) -> str:
    digests = " or ".join(digest[:12] for digest in one.sandbox.split())
    return f", sandbox {digests}" if digests else ""


def _attempt_lines(view: RunView, one: AttemptView, bodies: Bodies) -> list[str]:
    cost = f", {plural(one.tokens, 'token')}, {money(one.microusd)}" if one.tokens else ""
    agents = f", {plural(one.sub_agents, 'sub-agent')}" if one.sub_agents else ""
    model = f"; it asked {one.model}" if one.model else ""
    head = (
        f"{_offset(one.dispatched_us - view.opened_us)}  attempt {one.attempt} went to {one.host}"
        f" (isolation {one.isolation or 'unknown'}{_sandbox(one)})"
    )
    fate = "succeeded" if one.status == "ok" else f"ended as {one.status} ({one.code})"
    tail = (
        f"{_offset(one.settled_us - view.opened_us)}  it {fate} after"
        f" {duration(one.duration_us)}{cost}{agents}{model}"
    )
    lines = [head, tail]
    if one.error:
        lines += _block(bodies.text(one.error).strip())
    if one.extras:
        lines += _extras_lines(bodies.value(one.extras))
    return lines


def _extras_lines(extras: Any) -> list[str]:
    found = extras or {}
    memory = [
        f"    remembered in {one['chain']!r}: {shown(one['payload'], 200)}"
        for one in found.get("memory", [])
    ]
    artifacts = [
        f"    made the artifact {one['name']!r} ({one['media_type']})"
        for one in found.get("artifacts", [])
    ]
    return memory + artifacts
