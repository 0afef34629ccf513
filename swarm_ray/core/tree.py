"""Containment as decisions: who may be whose parent, and what a scope token forbids.

Decides by shape alone. A run owns swarms, a swarm owns workers, a worker owns sub-agents inside
its own boundary; every other edge is refused. Hosts ask `refuse_swarm` and `grant_delegate` before
they act, and the operating system enforces the same rules a second time. `Tree` states the rule for
whole trees; no shell admits its edges through it yet.
"""

from dataclasses import dataclass, field

from swarm_ray.errors import ContainmentError

CHILDREN = {"run": "swarm", "swarm": "worker", "worker": "agent", "agent": "agent"}


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


@dataclass(slots=True)
class Tree:
    """The execution tree of a run, as far as it has been admitted. Node ids are paths:
    `run`, `run/swarm`, `run/swarm/worker`, `run/swarm/worker/agent/...`."""

    kinds: dict[str, str] = field(default_factory=dict)

    def admit(self, parent: str, name: str, kind: str) -> str:
        """Add a node below `parent` and return its path.

        Raises:
            ContainmentError: `containment.nested_swarm` when a worker or agent would own a
                swarm, `containment.lateral` when the edge is not parent to child.
        """
        if not parent and kind == "run":
            self.kinds[name] = kind
            return name
        owner = self.kinds.get(parent)
        if kind == "swarm" and owner in ("worker", "agent"):
            raise ContainmentError(
                "containment.nested_swarm",
                f"{parent} is a worker and may not start a swarm",
                hint="let the parent process fan out in a later step",
            )
        if owner is None or CHILDREN.get(owner) != kind:
            raise ContainmentError(
                "containment.lateral",
                f"{parent or 'nobody'} ({owner or 'unknown'}) may not own a {kind}",
                hint="workers talk to their coordinator only",
            )
        path = f"{parent}/{name}"
        self.kinds[path] = kind
        return path

    def forget(self, path: str) -> None:
        """Drop a finished node with everything below it."""
        below = f"{path}/"
        for node in [node for node in self.kinds if node == path or node.startswith(below)]:
            del self.kinds[node]


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


def grant_delegate(limits: DelegateLimits, depth: int, used: int) -> None:
    """Allow one more sub-agent at `depth` (1 = child of the worker) after `used` of them.

    Raises:
        ContainmentError: `containment.delegate_depth` or `containment.delegate_count`.
    """
    if depth > limits.depth:
        raise ContainmentError(
            "containment.delegate_depth", f"sub-agents may nest {limits.depth} deep, not {depth}"
        )
    if used >= limits.count:
        raise ContainmentError(
            "containment.delegate_count", f"a worker may have {limits.count} sub-agents"
        )
