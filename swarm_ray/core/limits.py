"""Limits of a swarm: what it may use, until when it works, and how many results are enough.

Decides the rules of the auxiliary swarms (single steps, user-written convergence, error tasks)
from their step; it knows nothing about the work itself.
"""

from swarm_ray.core.events import SwarmKind
from swarm_ray.core.plan import FULL_PPM, Budget, Convergence, FanOut, Step
from swarm_ray.errors import InternalError

ALONE = Convergence(reserve_ppm=0)


def spec_of(step: Step, kind: SwarmKind, clause: int) -> FanOut:
    """Return limits and rules of a swarm of `kind` for a step; `clause` is the error clause."""
    if kind == "fan_out":
        if step.fan_out is None:
            raise InternalError("core.no_fan_out", f"step {step.name} does not fan out")
        return step.fan_out
    own = kind == "step"
    return FanOut(
        over="",
        task=_task(step, kind, clause),
        concurrency=1,
        convergence=ALONE,
        retry=step.fan_out.retry if step.fan_out else step.retry,
        deadline_us=step.deadline_us if own else 0,
        slice=step.slice if own else Budget(),
    )


def _task(step: Step, kind: SwarmKind, clause: int) -> str:
    if kind == "converge" and step.fan_out:
        return step.fan_out.convergence.task
    return step.on_error[clause].task if kind == "on_error" else step.task


def soonest(*deadlines_us: int) -> int:
    """Return the earliest deadline; 0 means none."""
    return min((deadline for deadline in deadlines_us if deadline), default=0)


def work_until(opened_us: int, deadline_us: int, reserve_ppm: int) -> int:
    """Return the log time at which work must end so that convergence still fits; 0 for never."""
    if not deadline_us:
        return 0
    return opened_us + (deadline_us - opened_us) * (FULL_PPM - reserve_ppm) // FULL_PPM


def enough(rule: Convergence, succeeded: int, items: int) -> bool:
    """Say whether so many results of so many items suffice for convergence."""
    if rule.quorum:
        return succeeded >= min(rule.quorum, items)
    return succeeded >= (rule.min_success_count or -(-rule.min_success_ppm * items // FULL_PPM))
