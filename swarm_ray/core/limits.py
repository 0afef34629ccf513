"""What a swarm may use, derived from its step: limits of fan-outs and of swarms of one.

Decides deadlines and rules of the auxiliary swarms (single steps, user-written convergence, error
tasks) and nothing about their work.
"""

from swarm_ray.core.events import SwarmKind
from swarm_ray.core.plan import Budget, Convergence, FanOut, Step
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
