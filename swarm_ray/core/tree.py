"""Containment as decisions: what a scope token forbids, and which sub-agents a worker may have.

Every edge of the execution tree is decided where its parent stands. A run takes a swarm only as the
answer to what its current step asked for (`core.run`), a swarm takes attempts only of its own items
and rows only of attempts that are out (`core.swarm`), a host answers only for what it was given
(`engine.desk`), and a worker owns nothing but sub-agents within its own boundary: that is decided
here, host-side, and the operating system enforces it a second time.
"""

from dataclasses import dataclass

from swarm_ray.errors import ContainmentError


@dataclass(frozen=True, slots=True)
class Scope:
    """What a worker holds: the boundary it lives in. `token` is opaque to the worker."""

    token: str
    run: str
    swarm: str
    item: int
    attempt: int


@dataclass(frozen=True, slots=True)
class DelegateLimits:
    """How deep and how many sub-agents one worker may have."""

    depth: int = 0
    count: int = 0


def refuse_swarm(scope: Scope | None, what: str) -> None:
    """Refuse to open or join a swarm for a caller that already holds a scope.

    Raises:
        ContainmentError: `containment.nested_swarm` or `containment.joined_swarm`.
    """
    if scope is None:
        return
    code = "containment.joined_swarm" if what == "join" else "containment.nested_swarm"
    raise ContainmentError(
        code,
        f"worker {scope.swarm}/{scope.item} asked to {what} a swarm",
        hint="express parallel work as a step of the parent process",
    )


@dataclass(slots=True)
class Agents:
    """The sub-agents of one worker as the host has granted them.

    A worker runs them one inside the other, so each is a child of the worker or of the last one
    that was granted at the depth above its own; any other depth names no parent. A worker can
    hide nesting, since its sub-agents are calls in its own process, but not their number.
    """

    limits: DelegateLimits
    granted: int = 0
    last_depth: int = 0

    def admit(self, depth: int) -> int:
        """Grant one more sub-agent at `depth` (1 = child of the worker); return its number.

        Raises:
            ContainmentError: `containment.lateral` when no granted sub-agent can be its parent,
                `containment.delegate_depth` or `containment.delegate_count`.
        """
        if not 1 <= depth <= self.last_depth + 1:
            raise ContainmentError(
                "containment.lateral",
                f"a sub-agent at depth {depth} would have no parent",
                hint="a sub-agent is asked for by the worker or by a sub-agent of it",
            )
        if depth > self.limits.depth:
            raise ContainmentError(
                "containment.delegate_depth",
                f"sub-agents may nest {self.limits.depth} deep, not {depth}",
                hint="raise `depth` under `delegate:` of the task",
            )
        if self.granted >= self.limits.count:
            raise ContainmentError(
                "containment.delegate_count",
                f"a worker may have {self.limits.count} sub-agents",
                hint="raise `count` under `delegate:` of the task",
            )
        self.granted, self.last_depth = self.granted + 1, depth
        return self.granted
