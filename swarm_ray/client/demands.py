"""What the fan-outs of a launch ask of the sites, before anything has run.

Decides where the number and the sizes of the items come from: the inputs, else the newest run of
the same process; where neither tells, the swarm stays unplanned and that is said.
"""

from dataclasses import dataclass
from typing import Any

from swarm_ray.client.archive import Archive
from swarm_ray.client.experience import Experience, experience
from swarm_ray.client.headline import plural
from swarm_ray.client.starting import Launch
from swarm_ray.core.plan import FULL_PPM, FanOut, Step
from swarm_ray.engine.placing.demand import Demand, Past
from swarm_ray.values.codec import encode_json
from swarm_ray.values.ids import short


@dataclass(frozen=True, slots=True)
class Asked:
    """One fan-out: its demand, or None, and the sentences that say what the demand rests on."""

    step: str
    demand: Demand | None
    grounds: tuple[str, ...]


def demands(launch: Launch, archive: Archive | None) -> list[Asked]:
    """Return what each fan-out of a launch asks, in the order of the steps."""
    return [
        _asked(step, step.fan_out, launch, archive)
        for step in launch.linked.plan.steps
        if step.fan_out is not None
    ]


def _asked(step: Step, spec: FanOut, launch: Launch, archive: Archive | None) -> Asked:
    process = launch.linked.plan.process
    known = experience(archive, process, step.name) if archive is not None else None
    sizes, grounds = _sizes(spec, launch, known)
    if sizes is None:
        return Asked(step.name, None, grounds)
    if not sizes:
        return Asked(step.name, None, (f"{spec.over!r} is empty",))
    past = tuple(reversed(known.attempts)) if known is not None else ()  # oldest first
    counted = plural(len(past), "past attempt")
    grounds += (f"durations from {counted}" if past else "durations are assumed: it never ran",)
    return Asked(step.name, _demand(step, spec, launch, sizes, past), grounds)


def _sizes(
    spec: FanOut, launch: Launch, known: Experience | None
) -> tuple[tuple[int, ...] | None, tuple[str, ...]]:
    given = launch.inputs.get(spec.over)
    if isinstance(given, list):
        told = f"{plural(len(given), 'item')} of {spec.over!r}"
        return tuple(len(encode_json(item)) for item in given), (told,)
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
