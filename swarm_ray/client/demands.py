"""What the fan-outs of a launch ask of the sites, before anything has run.

Decides where the number and the sizes of the items come from: the inputs, else what is assumed, else
the newest run of the same process; where none tells, the swarm stays unplanned and that is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from swarm_ray.client.archive import Archive
from swarm_ray.client.experience import Experience, experience
from swarm_ray.client.headline import plural
from swarm_ray.client.items import read_items
from swarm_ray.client.starting import Launch
from swarm_ray.core.plan import FULL_PPM, FanOut, Step
from swarm_ray.engine.placing.demand import Demand, Past
from swarm_ray.errors import UsageError
from swarm_ray.values.codec import encode_json
from swarm_ray.values.ids import short
from swarm_ray.values.manifest import MAX_ITEMS

ASSUMED_BYTES: Final = 4_096
"""Size of an item of which only the number is assumed."""
Assumed = Mapping[str, tuple[int, ...]]
"""Sizes in bytes of the items of sets that an earlier step will make, by the name of the set."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One fan-out and the set it goes over: its demand, or None, and the sentences that say what the
    demand rests on."""

    step: str
    over: str
    demand: Demand | None
    grounds: tuple[str, ...]


def assumptions(words: Sequence[str]) -> Assumed:
    """Return what `NAME=COUNT` or `NAME=FILE` say of the items that an earlier step will make.

    Raises:
        UsageError: `plan.bad_assumption`, and `items.*` for a file.
    """
    found: dict[str, tuple[int, ...]] = {}
    for one in words:
        name, equals, told = one.partition("=")
        if not (name and equals and told) or name in found:
            raise _bad_assumption(one, "is no NAME=COUNT or NAME=FILE, or names a set again")
        if not told.isdecimal():
            found[name] = tuple(len(encode_json(item)) for item in read_items(told))
        elif len(told) <= len(str(MAX_ITEMS)) and 1 <= int(told) <= MAX_ITEMS:
            found[name] = (ASSUMED_BYTES,) * int(told)
        else:
            raise _bad_assumption(one, f"is not between 1 and {MAX_ITEMS:,} items")
    return found


def _bad_assumption(words: str, flaw: str) -> UsageError:
    return UsageError(
        "plan.bad_assumption", f"--assume {words!r} {flaw}", hint="write --assume files=40"
    )


def demands(launch: Launch, archive: Archive | None, assumed: Assumed) -> list[Asked]:
    """Return what each fan-out of a launch asks, in the order of the steps.

    Raises:
        UsageError: `plan.bad_assumption` for items that no fan-out waits for.
    """
    steps = [(step, step.fan_out) for step in launch.linked.plan.steps if step.fan_out is not None]
    waiting = {spec.over for _, spec in steps if not isinstance(launch.inputs.get(spec.over), list)}
    strange = sorted(assumed.keys() - waiting)
    if strange:
        known = ", ".join(sorted(waiting)) or "nothing: all items are among the inputs"
        raise UsageError(
            "plan.bad_assumption",
            f"no earlier step makes {strange[0]!r} for a fan-out",
            hint=f"assume items of {known}",
        )
    return [_asked(step, spec, launch, archive, assumed) for step, spec in steps]


def _asked(
    step: Step, spec: FanOut, launch: Launch, archive: Archive | None, assumed: Assumed
) -> Asked:
    process = launch.linked.plan.process
    known = experience(archive, process, step.name) if archive is not None else None
    sizes, grounds = _sizes(spec, launch, known, assumed)
    if sizes is None:
        return Asked(step.name, spec.over, None, grounds)
    if not sizes:
        return Asked(step.name, spec.over, None, (f"{spec.over!r} is empty",))
    past = tuple(reversed(known.attempts)) if known is not None else ()  # oldest first
    counted = plural(len(past), "past attempt")
    grounds += (f"durations from {counted}" if past else "durations are assumed: it never ran",)
    return Asked(step.name, spec.over, _demand(step, spec, launch, sizes, past), grounds)


def _sizes(
    spec: FanOut, launch: Launch, known: Experience | None, assumed: Assumed
) -> tuple[tuple[int, ...] | None, tuple[str, ...]]:
    given = launch.inputs.get(spec.over)
    if isinstance(given, list):
        told = f"{plural(len(given), 'item')} of {spec.over!r}"
        return tuple(len(encode_json(item)) for item in given), (told,)
    if spec.over in assumed:
        sizes = assumed[spec.over]
        return sizes, (f"{plural(len(sizes), 'item')} of {spec.over!r}, as you assume",)
    if known is None:
        told = f"an earlier step makes {spec.over!r}, and no run tells yet how many items it has"
        return None, (told,)
    count = plural(len(known.item_bytes), "item")
    return known.item_bytes, (f"{count} of {spec.over!r} as in {short('run', known.run)}",)


def _demand(
    step: Step, spec: FanOut, launch: Launch, sizes: tuple[int, ...], past: tuple[Past, ...]
) -> Demand:
    told: dict[str, Any] = launch.linked.swarms[step.name]
    steps = launch.linked.tasks[spec.task]["steps"]
    asks_model = any(one["kind"] == "model" for one in steps)
    rule = spec.convergence
    redundancy = told["verification"]["redundancy"] or {"copies": 1, "across": "node"}
    return Demand(
        task=spec.task,
        item_bytes=sizes,
        requires=told["requires"],
        deadline_us=spec.deadline_us,
        reserve_ppm=rule.reserve_ppm,
        min_success_ppm=rule.min_success_ppm
        or min(FULL_PPM, rule.min_success_count * FULL_PPM // len(sizes)),
        budget_microusd=spec.budget.microusd,
        tokens=spec.slice.tokens if asks_model else 0,
        copies=redundancy["copies"],
        across=redundancy["across"],
        liked=_liked(launch.linked.hints.get(spec.task, {})),
        past=past,
    )


def _liked(hints: dict[str, Any]) -> tuple[str, ...]:
    """Return the capabilities that a behaviour block names; they only break ties."""
    wanted = hints.get("model_requirements", {})
    return tuple(name for name, level in wanted.items() if level)
